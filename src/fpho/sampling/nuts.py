"""Step methods of littlemcmc, driven draw by draw: one chain whose state can be saved and taken up again.

What is known about littlemcmc 0.2.2 and done here: potentials in float64; the gradient at the start of a
draw is remembered instead of computed again; it draws from numpy's global generator, so that state is
swapped in for the chain and back afterwards.
"""

import pickle
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import littlemcmc
import numpy as np
from littlemcmc.quadpotential import QuadPotentialDiag, QuadPotentialFull, QuadPotentialFullAdapt

from ..files import atomic
from .split import Leap, Split
from .surrogate import Surrogate

STATS = {
    "diverging": bool,
    "tree_size": int,
    "depth": int,
    "energy": float,
    "model_logp": float,
    "mean_tree_accept": float,
    "step_size": float,
}
STEP_SCALE = 0.5  # littlemcmc starts at STEP_SCALE / ndim^(1/4): about a third of the step that is found


@dataclass(frozen=True)
class ChainSettings:
    """What a chain does; `cov` (ndim, ndim) or its diagonal (ndim,) is the metric, in z, about `mean`."""

    start: np.ndarray  # (ndim,)
    mean: np.ndarray  # (ndim,)
    cov: np.ndarray
    seed: np.random.SeedSequence
    warmup: int = 64
    max_treedepth: int = 10
    target_accept: float = 0.8
    sampler: str = "littlemcmc"
    surrogate: Surrogate | None = None  # of the reference (mean, cov)
    adapt_weight: float | None = None  # draws that `cov` counts for, where the warm-up adapts the metric
    checkpoint: str = ""
    checkpoint_seconds: float = 60.0
    identity: str = ""  # options that a check-point must have been made with


@dataclass
class Chain:
    """Where a chain is: enough to go on as if it had never stopped."""

    z: np.ndarray  # (ndim,)
    generator: tuple  # state of numpy's global generator
    known: tuple | None = None  # (ln p, gradient) at z
    adaptation: dict = field(default_factory=dict)  # of the step size
    potential: object = None  # the metric, where it is adapted
    iterations: int = 0  # of the present segment, tuning included
    segment: int = 0  # metrics used so far
    draws: list = field(default_factory=list)  # z (ndim,) of each draw
    stats: list = field(default_factory=list)  # tuples of STATS
    ncall: int = 0  # evaluations
    ncall_warmup: int = 0  # of these, in warm-ups


class Remember:
    """ln p and gradient; at the very array that a draw ended on, what was found there."""

    def __init__(self, function):
        self.function, self.ncall = function, 0
        self.at, self.known = None, None

    def __call__(self, z):
        if z is self.at:
            return self.known
        self.ncall += 1
        return self.function(z)

    def keep(self, z, known) -> None:
        """Remember (ln p, gradient) at the array z."""
        self.at, self.known = z, known


class Nuts(littlemcmc.NUTS):
    """NUTS that remembers the gradient at the end of a draw."""

    def _hamiltonian_step(self, *arguments):
        step = super()._hamiltonian_step(*arguments)
        self._logp_dlogp_func.keep(step.end.q, (step.end.logp, step.end.q_grad))
        return step


def make_step(function, settings: ChainSettings) -> littlemcmc.NUTS | Split:
    """The step method with its metric."""
    if settings.surrogate is not None:
        return Leap(Remember(function), settings.mean, settings.cov, settings.surrogate)
    if settings.sampler in ("split", "surrogate"):
        return Split(
            Remember(function),
            settings.mean,
            settings.cov,
            settings.target_accept,
            max_steps=2**settings.max_treedepth - 1,
        )
    return Nuts(
        Remember(function),
        len(settings.start),
        potential=make_potential(settings),
        target_accept=settings.target_accept,
        step_scale=STEP_SCALE,
        max_treedepth=settings.max_treedepth,
    )


def make_potential(settings: ChainSettings):
    """The metric: static, or adapted to the draws of the warm-up in one long window."""
    if settings.adapt_weight is not None:
        n = len(settings.start)
        weight = max(float(settings.adapt_weight), n)
        window = 10 * settings.warmup + 10
        return QuadPotentialFullAdapt(n, settings.start, settings.cov, weight, window, dtype="float64")
    kind = QuadPotentialFull if settings.cov.ndim == 2 else QuadPotentialDiag
    return kind(settings.cov, "float64")


def new_chain(settings: ChainSettings) -> Chain:
    """A chain at its start."""
    with own_generator(np.random.RandomState(np.random.MT19937(settings.seed)).get_state()) as state:
        return Chain(z=np.array(settings.start), generator=state())


def run_chain(
    function, settings: ChainSettings, n_draws: int, segment: int = 0, chain: Chain | None = None, tick=None
):
    """A chain with at least `n_draws` draws.

    Parameters
    ----------
    function : z -> (ln p, gradient)
    segment : number of the metric; a new one starts with a new warm-up, from where the chain is
    chain : what was reached before; else what the check-point file holds; else a new chain
    tick : called after each draw

    Returns
    -------
    chain : its lists `draws` and `stats` may be longer than asked, when taken up from a file
    step : littlemcmc's step method
    """
    chain = chain or load(settings) or new_chain(settings)
    step = make_step(function, settings)
    if chain.segment < segment:
        chain.segment, chain.iterations, chain.adaptation, chain.potential = segment, 0, {}, None
    restore(step, chain)
    saved = time.monotonic()
    # littlemcmc takes the log of 0 for chances that vanish
    with own_generator(chain.generator) as generator, np.errstate(divide="ignore"):
        while len(chain.draws) < n_draws:
            one_draw(step, chain, settings.warmup)
            if tick is not None:
                tick()
            if settings.checkpoint and time.monotonic() - saved > settings.checkpoint_seconds:
                chain.generator = generator()  # 0.1 ms: not after every draw
                save(chain, settings)
                saved = time.monotonic()
        chain.generator = generator()
    if settings.checkpoint:
        save(chain, settings)
    return chain, step


def restore(step, chain: Chain) -> None:
    step.iter_count = chain.iterations
    vars(step.step_adapt).update(chain.adaptation)
    if chain.potential is not None:
        step.potential = step.integrator._potential = chain.potential
    if chain.known is not None:
        step._logp_dlogp_func.keep(chain.z, chain.known)


def one_draw(step, chain: Chain, warmup: int) -> None:
    function = step._logp_dlogp_func
    before = function.ncall
    step.tune = chain.iterations < warmup
    chain.z, (stats,) = step._astep(chain.z)
    chain.known = function.known
    chain.iterations += 1
    chain.adaptation = {**vars(step.step_adapt), "_tuned_stats": []}
    if step.tune and isinstance(step.potential, QuadPotentialFullAdapt):
        chain.potential = step.potential
    used = function.ncall - before
    chain.ncall += used
    if step.tune:
        chain.ncall_warmup += used
        return
    stats["step_size"] = step.step_size
    chain.draws.append(chain.z)
    chain.stats.append(tuple(kind(stats[name]) for name, kind in STATS.items()))


@contextmanager
def own_generator(state):
    """numpy's global generator in `state`; yields a function that gives its present state."""
    outside = np.random.get_state()  # noqa: NPY002
    np.random.set_state(state)  # noqa: NPY002
    try:
        yield np.random.get_state
    finally:
        np.random.set_state(outside)  # noqa: NPY002


def save(chain: Chain, settings: ChainSettings) -> None:
    """Write a check-point."""
    with atomic(settings.checkpoint) as temporary:
        temporary.write_bytes(pickle.dumps((_mark(settings), chain)))


def load(settings: ChainSettings) -> Chain | None:
    """A check-point that belongs to these settings."""
    path = Path(settings.checkpoint)
    if not settings.checkpoint or not path.is_file():
        return None
    mark, chain = pickle.loads(path.read_bytes())
    return chain if mark == _mark(settings) else None


def _mark(settings: ChainSettings) -> tuple:
    """What must be the same for a check-point to be taken up; metric and acceptance change with segments."""
    seed = settings.seed
    return settings.start.tobytes(), str(seed.entropy), seed.spawn_key, settings.warmup, settings.identity
