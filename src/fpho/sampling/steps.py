"""What a step method is, what it is told and what it gives.

A step method is an object with

    draw(z, known, tune) -> Draw    one draw from z (ndim,), where `known` is (ln p, gradient) or None
    state() -> dict                 all that changes from draw to draw; `generator`: its randomness
    restore(state)
    running()                       a context in which it draws

so that a chain that was taken up goes on as if it had never stopped.
"""

import time
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from .reduced import LearntForces


class DrawStats(NamedTuple):
    """Statistics of a draw, under ArviZ's names but for `diverging`'s."""

    diverging: bool
    tree_size: int
    depth: int
    energy: float
    model_logp: float
    mean_tree_accept: float
    step_size: float

    @classmethod
    def of(cls, stats: dict) -> "DrawStats":
        """Those of a mapping that may hold more, as plain numbers."""
        return cls(*(kind(stats[name]) for name, kind in cls.__annotations__.items()))


class Draw(NamedTuple):
    """What a step method gives."""

    z: np.ndarray  # (ndim,), a fresh array or the one it started from
    known: tuple[float, np.ndarray]  # (ln p, gradient (ndim,)) there
    stats: DrawStats
    ncall: int  # evaluations


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
    learnt: LearntForces | None = None  # about the reference (mean, cov)
    adapt_weight: float | None = None  # draws that `cov` counts for, where the warm-up adapts the metric
    budget: float = np.inf  # evaluations after which it stops
    least: int = 0  # draws that it takes even so
    checkpoint: str = ""
    checkpoint_seconds: float = 60.0
    began: float = field(default_factory=time.monotonic)  # when its patch was
    identity: str = ""  # options that a check-point must have been made with
