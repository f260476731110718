"""When a patch is accepted, and what is done when it is not: more draws, a new metric, or a flag."""

from dataclasses import dataclass, replace

import numpy as np

from ..flags import Flag
from ..results import Summary
from .reduced import LearntForces

RHAT_LOST = 1.1  # R-hat from which chains are not the same distribution, and more draws do not help
CONTINUE_FROM = 0.6  # share of the effective samples wanted from which more of the same draws are cheapest
CONTINUE_FROM_LEARNT = 0.2  # the same along learnt forces: three times the draws are still few evaluations
HARD_SD_RATIO = 1.7  # ratio of the draws' sd to the Fisher matrix's
PER_DRAW = 8.0  # evaluations that a draw may take, in each extension
AFTER_DIVERGENCES = 0.95  # acceptance aimed at after divergences


@dataclass(frozen=True)
class Limits:
    """What is asked of a patch."""

    max_rhat: float = 1.02
    min_ess: float = 400.0  # draws, bulk and tail
    max_extensions: int = 4  # times that a patch may run on
    evaluations: float = 1000.0  # for each coordinate: what a patch may cost (see `budget`)


@dataclass(frozen=True)
class Phase:
    """Draws of each chain from `first` to `total` count; `segment` numbers the reference Gaussian."""

    first: int
    total: int
    segment: int
    mean: np.ndarray  # (ndim,) of the reference
    cov: np.ndarray  # (ndim, ndim) or (ndim,)
    target_accept: float
    extensions: int = 0
    continued: bool = False  # these chains were told to go on before
    learnt: LearntForces | None = None  # about the reference; None: true forces


def budget(limits: Limits, ndim: int, n_draws: int) -> float:
    """Evaluations that a patch may take for so many draws, all chains; it is then kept as it is.

    Most patches need one to nine for a draw, and some 300 for each coordinate. Where a draw takes hundreds,
    more of them would not help: one patch of two sources took 84% of a run's evaluations.
    """
    return max(limits.evaluations * ndim, PER_DRAW * n_draws * (1 + limits.max_extensions))


def accepted(summary: Summary, limits: Limits) -> bool:
    """R-hat, bulk and tail effective sample size and divergences are all good."""
    mixed = summary.min_ess >= limits.min_ess and summary.max_rhat <= limits.max_rhat
    return bool(mixed and summary.divergences == 0)


def extend(phase: Phase, summary: Summary, z: np.ndarray, limits: Limits) -> Phase:
    """The next phase of a patch that missed.

    Chains that agree go on once, if that is likely to be enough; along learnt forces, where a draw is an
    evaluation or two, as often as they may. Others take all draws so far as their warm-up: the reference
    Gaussian becomes that of the draws, and all that counts is drawn anew: along true forces, or along forces
    that the caller learns from these draws. That change is not counted among the times that a patch may run
    on.

    z : draws (chain, draw, ndim) of the present phase
    """
    kept = phase.total - phase.first
    short = summary.min_ess / limits.min_ess
    more = kept * float(np.clip(1.2 / max(short, 1e-3), 1.5, 3.0))
    diverged = summary.divergences > 0
    agree = not diverged and summary.max_rhat < RHAT_LOST
    enough = short > (CONTINUE_FROM_LEARNT if phase.learnt else CONTINUE_FROM)
    once = not phase.continued and (enough or phase.segment > 0)
    if agree and (once or (phase.learnt and enough)):
        return replace(phase, total=phase.first + int(more), continued=True, extensions=phase.extensions + 1)
    return Phase(
        first=phase.total,
        total=phase.total + int(1.25 * kept),
        segment=phase.segment + 1,
        mean=shrunk_mean(z, phase.mean),
        cov=shrunk_covariance(z, phase.cov),
        target_accept=AFTER_DIVERGENCES if diverged and phase.learnt is None else phase.target_accept,
        extensions=phase.extensions + (phase.learnt is None),
    )


def shrunk_mean(z: np.ndarray, prior: np.ndarray) -> np.ndarray:
    """Mean of draws, with the earlier one counted as 2 ndim draws."""
    flat = z.reshape(-1, z.shape[-1])
    weight = 2.0 * flat.shape[1]
    return (len(flat) * flat.mean(axis=0) + weight * prior) / (len(flat) + weight)


def shrunk_covariance(z: np.ndarray, prior: np.ndarray) -> np.ndarray:
    """Covariance of draws, with the earlier metric counted as 2 ndim draws."""
    flat = z.reshape(-1, z.shape[-1])
    weight = 2.0 * flat.shape[1]
    full = np.diag(prior) if prior.ndim == 1 else prior
    mixed = (len(flat) * np.cov(flat.T).reshape(full.shape) + weight * full) / (len(flat) + weight)
    return np.diag(mixed).copy() if prior.ndim == 1 else mixed


def flags_of(summary: Summary, limits: Limits) -> int:
    """Flags that hold for all sources of a patch."""
    flags = Flag(0)
    if summary.min_ess < limits.min_ess or summary.max_rhat > limits.max_rhat:
        flags |= Flag.NOT_CONVERGED
    if summary.divergences:
        flags |= Flag.DIVERGENCES
    far = summary.max_sd_ratio is not None and summary.max_sd_ratio > HARD_SD_RATIO
    if far and not accepted(summary, limits):
        flags |= Flag.HARD_POSTERIOR
    return int(flags)
