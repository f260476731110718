"""Several chains, one after the other or in processes: the same draws either way."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from ..workers import mapped
from .chain import make_step, run_together
from .reduced import TruePosterior
from .steps import ChainSettings, DrawStats

LEAST = 16  # draws of each chain, however much is spent


def run_chains(model, settings: list[ChainSettings], phase, chains, cores: int = 1, tick=None):
    """Bring all chains (list, entries None at first) to `phase.total` draws; the chains."""
    settings = [_in_phase(one, phase) for one in settings]
    n_groups = min(cores, len(settings)) if phase.learnt is not None else len(settings)
    groups = np.array_split(np.arange(len(settings)), n_groups)
    work = [
        (model, [settings[i] for i in some], phase.total, phase.segment, [chains[i] for i in some])
        for some in groups
    ]
    return [chain for some in mapped(partial(_run, tick=tick), work, cores) for chain in some]


def spawned(seed: np.random.SeedSequence, n: int) -> list[np.random.SeedSequence]:
    """n seeds of a seed, the same at every call."""
    return np.random.SeedSequence(seed.entropy, spawn_key=seed.spawn_key).spawn(n)


def _in_phase(settings: ChainSettings, phase) -> ChainSettings:
    return replace(
        settings,
        mean=phase.mean,
        cov=phase.cov,
        target_accept=phase.target_accept,
        learnt=phase.learnt,
        least=phase.first + LEAST,
    )


def _run(target, settings, *arguments, tick=None):
    learnt = settings[0].learnt
    values = None if learnt is None else TruePosterior(target.model, learnt.target).lnprobs
    return run_together(target.lnprob_and_grad, settings, *arguments, tick=tick, values=values)


def collect_draws(chains, part: slice = slice(None)) -> tuple[np.ndarray, dict]:
    """Draws (chain, draw, ndim) and statistics (chain, draw) of a part of the draws."""
    z = np.array([chain.draws[part] for chain in chains])
    columns = {
        name: np.array([[row[i] for row in chain.stats[part]] for chain in chains])
        for i, name in enumerate(DrawStats._fields)
    }
    return z, columns


def last_step(model, settings: ChainSettings, phase):
    """The step method as the first chain ended with it, for callers who look at it."""
    return make_step(model.lnprob_and_grad, _in_phase(settings, phase))


def remove_checkpoints(settings: list[ChainSettings]) -> None:
    """Remove check-points."""
    for one in settings:
        if one.checkpoint:
            Path(one.checkpoint).unlink(missing_ok=True)


def starts(model, mean, cov, lnp, n: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Draws of the Gaussian (mean, cov), drawn in to the mean where ln p is far too low."""
    factor = np.diag(np.sqrt(cov)) if cov.ndim == 1 else np.linalg.cholesky(cov)
    out = []
    for _ in range(n):
        step = factor @ rng.standard_normal(len(mean))
        for _ in range(10):
            here = model.lnprob_and_grad(mean + step)[0]
            if np.isfinite(here) and lnp - here < 3 * len(mean) + 20:
                break
            step = 0.5 * step
        out.append(mean + step)
    return out
