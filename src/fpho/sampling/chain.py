"""One chain: its draws one by one, its state saved now and then and taken up again."""

import hashlib
import time
from dataclasses import dataclass, field

import numpy as np

from . import checkpoint
from .nuts import Nuts
from .split import Leap, Split
from .steps import STATS, ChainSettings


@dataclass
class Chain:
    """Where a chain is: enough to go on as if it had never stopped."""

    z: np.ndarray  # (ndim,)
    known: tuple | None = None  # (ln p, gradient) at z
    step: dict = field(default_factory=dict)  # state of the step method
    iterations: int = 0  # of the present segment, tuning included
    segment: int = 0  # metrics used so far
    draws: list = field(default_factory=list)  # z (ndim,) of each draw
    stats: list = field(default_factory=list)  # tuples of STATS
    costs: list = field(default_factory=list)  # evaluations until each draw
    ncall: int = 0  # evaluations
    ncall_warmup: int = 0  # of these, in warm-ups


def new_chain(settings: ChainSettings) -> Chain:
    """A chain at its start."""
    return Chain(z=np.array(settings.start))


def make_step(function, settings: ChainSettings):
    """The step method of a chain: learnt forces where they are given, else the sampler's own."""
    if settings.sampler not in ("split", "surrogate"):
        return Nuts(function, settings)
    rng = np.random.default_rng(settings.seed)
    if settings.surrogate is not None:
        return Leap(function, settings.mean, settings.cov, rng, settings.surrogate)
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
    chain = chain or load(settings) or new_chain(settings)
    step = make_step(function, settings)
    if chain.segment < segment:
        chain.segment, chain.iterations = segment, 0
        chain.step = {name: value for name, value in chain.step.items() if name == "generator"}
    step.restore(chain.step)
    saved = time.monotonic()
    with step.running():
        while len(chain.draws) < n_draws:
            spent = chain.ncall >= settings.budget
            if spent and len(chain.draws) >= settings.least:
                break
            one_draw(step, chain, 0 if spent else settings.warmup)
            if tick is not None:
                tick()
            if settings.checkpoint and time.monotonic() - saved > settings.checkpoint_seconds:
                chain.step = step.state()
                save(chain, settings)
                saved = time.monotonic()
        chain.step = step.state()
    if settings.checkpoint:
        save(chain, settings)
    return chain


def one_draw(step, chain: Chain, warmup: int) -> None:
    """One draw more; those of the warm-up are not kept."""
    tune = chain.iterations < warmup
    draw = step.draw(chain.z, chain.known, tune)
    chain.z, chain.known = draw.z, draw.known
    chain.iterations += 1
    chain.ncall += draw.ncall
    if tune:
        chain.ncall_warmup += draw.ncall
        return
    chain.draws.append(draw.z)
    chain.costs.append(chain.ncall)
    chain.stats.append(tuple(kind(draw.stats[name]) for name, kind in STATS.items()))


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
