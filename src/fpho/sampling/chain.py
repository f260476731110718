"""One chain: its draws one by one, its state saved now and then and taken up again."""

import hashlib
import time
from contextlib import ExitStack
from dataclasses import dataclass, field

import numpy as np

from . import checkpoint
from .leap import Leap, leap_together
from .split import Split
from .steps import ChainSettings


@dataclass
class Chain:
    """Where a chain is: enough to go on as if it had never stopped."""

    z: np.ndarray  # (ndim,)
    known: tuple | None = None  # (ln p, gradient) at z
    step: dict = field(default_factory=dict)  # state of the step method
    iterations: int = 0  # of the present segment, tuning included
    segment: int = 0  # metrics used so far
    draws: list = field(default_factory=list)  # z (ndim,) of each draw
    stats: list = field(default_factory=list)  # the values of `DrawStats`
    costs: list = field(default_factory=list)  # evaluations until each draw
    ncall: int = 0  # evaluations
    ncall_warmup: int = 0  # of these, in warm-ups


def new_chain(settings: ChainSettings) -> Chain:
    """A chain at its start."""
    return Chain(z=np.array(settings.start))


def make_step(function, settings: ChainSettings, values=None):
    """The step method of a chain: learnt forces where they are given, else the sampler's own."""
    if settings.sampler not in ("split", "surrogate"):
        from .nuts import Nuts  # brings littlemcmc and scipy.stats: a second

        return Nuts(function, settings)
    rng = np.random.default_rng(settings.seed)
    if settings.learnt is not None:
        values = values or (lambda z: np.array([function(point)[0] for point in z]))
        return Leap(function, values, settings.mean, settings.cov, rng, settings.learnt)
    most = 2**settings.max_treedepth - 1
    return Split(function, settings.mean, settings.cov, rng, settings.target_accept, most)


def run_chain(
    function, settings: ChainSettings, n_draws: int, segment: int = 0, chain: Chain | None = None, tick=None
) -> Chain:
    """A chain with at least `n_draws` draws, or with what its budget allows.

    Parameters
    ----------
    function : z (ndim,) -> (ln p, gradient (ndim,))
    segment : number of the metric; a new one starts with a new warm-up, from where the chain is
    chain : what was reached before; else what the check-point file holds; else a new chain
    tick : called after each draw

    Returns
    -------
    chain : its lists may be longer than asked, when taken up from a file, or shorter, its budget spent
    """
    return run_together(function, [settings], n_draws, segment, [chain], tick)[0]


def run_together(
    function, settings: list[ChainSettings], n_draws: int, segment: int, chains, tick=None, values=None
) -> list[Chain]:
    """As `run_chain` for several chains, a draw of each in turn; their draws are the same as alone.

    values : z (W, ndim) -> ln p (W,), where that is cheaper than `function`

    Chains along learnt forces share their walks; one of littlemcmc's comes alone, since it draws from
    numpy's global generator.
    """
    running = [
        RunningChain(make_step(function, one, values), one, segment, chain)
        for one, chain in zip(settings, chains, strict=True)
    ]
    with ExitStack() as contexts:
        for one in running:
            contexts.enter_context(one.step.running())
        while active := [one for one in running if one.left(n_draws) > 0]:
            for one, draws in zip(active, next_draws(active, n_draws), strict=True):
                one.take(draws)
                for _ in draws if tick is not None else ():
                    tick()
    return [one.ended() for one in running]


def next_draws(active, n_draws: int) -> list[list]:
    """A draw, or some, of each of several running chains that go on to so many draws."""
    if all(isinstance(one.step, Leap) for one in active):
        chains = [one.chain for one in active]
        return leap_together(
            [one.step for one in active], [chain.z for chain in chains], [chain.known for chain in chains],
            [one.left(n_draws) for one in active],
        )  # fmt: skip
    return [[one.step.draw(one.chain.z, one.chain.known, one.tuning)] for one in active]


class RunningChain:
    """A chain with its step method, kept in its check-point file now and then."""

    def __init__(self, step, settings: ChainSettings, segment: int, chain: Chain | None):
        self.settings, self.saved = settings, time.monotonic()
        self.chain = chain or load(settings) or new_chain(settings)
        self.step = step
        if self.chain.segment < segment:
            self.chain.segment, self.chain.iterations = segment, 0
            self.chain.step = {name: value for name, value in self.chain.step.items() if name == "generator"}
        self.step.restore(self.chain.step)

    @property
    def spent(self) -> bool:
        """Whether its budget is."""
        return self.chain.ncall >= self.settings.budget

    @property
    def tuning(self) -> bool:
        """Whether the next draw belongs to the warm-up."""
        return self.chain.iterations < self.settings.warmup and not self.spent

    def left(self, n_draws: int) -> int:
        """Draws, those of the warm-up among them, that it still takes to come to `n_draws`."""
        if self.spent:
            return min(n_draws, self.settings.least) - len(self.chain.draws)
        warmup = max(0, self.settings.warmup - self.chain.iterations)
        short = n_draws - len(self.chain.draws)
        return warmup + short if short > 0 else 0

    def take(self, draws) -> None:
        """Some draws more."""
        for draw in draws:
            add_draw(self.chain, draw, self.tuning)
        if self.settings.checkpoint and time.monotonic() - self.saved > self.settings.checkpoint_seconds:
            self._save()

    def ended(self) -> Chain:
        """The chain, with the state of its step method; a patch that has just begun is sooner done again."""
        self.chain.step = self.step.state()
        if (
            self.settings.checkpoint
            and time.monotonic() - self.settings.began > self.settings.checkpoint_seconds
        ):
            self._save()
        return self.chain

    def _save(self) -> None:
        self.chain.step = self.step.state()
        save(self.chain, self.settings)
        self.saved = time.monotonic()


def one_draw(step, chain: Chain, warmup: int) -> None:
    """One draw more; those of the warm-up are not kept."""
    tune = chain.iterations < warmup
    add_draw(chain, step.draw(chain.z, chain.known, tune), tune)


def add_draw(chain: Chain, draw, tune: bool) -> None:
    """What a draw changes; those of the warm-up are not kept."""
    chain.z, chain.known = draw.z, draw.known
    chain.iterations += 1
    chain.ncall += draw.ncall
    if tune:
        chain.ncall_warmup += draw.ncall
        return
    chain.draws.append(draw.z)
    chain.costs.append(chain.ncall)
    chain.stats.append(tuple(draw.stats))


def save(chain: Chain, settings: ChainSettings) -> None:
    """Write a check-point."""
    state = {**vars(chain), "draws": np.array(chain.draws)}
    checkpoint.write(settings.checkpoint, {"mark": _mark(settings), "chain": state})


def load(settings: ChainSettings) -> Chain | None:
    """A check-point that belongs to these settings; one that is damaged counts as none."""
    found = checkpoint.read(settings.checkpoint) if settings.checkpoint else None
    if found is None or found["mark"] != _mark(settings):
        return None
    return Chain(**{**found["chain"], "draws": list(found["chain"]["draws"])})


def _mark(settings: ChainSettings) -> str:
    """What must be the same for a check-point to be taken up; metric and acceptance change with segments."""
    seed = settings.seed
    parts = settings.start.tobytes(), str(seed.entropy), seed.spawn_key, settings.warmup, settings.identity
    return hashlib.sha256(repr(parts).encode()).hexdigest()
