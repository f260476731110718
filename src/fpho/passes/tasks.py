"""What a pass hands to a worker for one patch, and what it gets back."""

from dataclasses import dataclass, field

import numpy as np

from ..config import Config
from ..layout import Layout
from .planning import PatchPlan


@dataclass(frozen=True)
class PatchTask:
    """One patch of a pass, complete: a worker needs nothing else but the run's stores."""

    config: Config
    layout: Layout
    stage: str  # optimize, reoptimize or sample
    patch: PatchPlan
    bands: tuple[str, ...]
    active: np.ndarray  # scene rows (S,)
    halo: np.ndarray  # scene rows of sources that are fitted along and not kept
    fixed: np.ndarray  # scene rows
    seed: np.random.SeedSequence
    identity: str = ""  # hash of all that the result depends on
    checkpoint: str = ""  # path of a file for check-points, in the work folder
    cores: int = 1  # processes that the patch may use; results do not depend on it


@dataclass(frozen=True)
class PatchOutcome:
    """Result of a patch."""

    final: np.ndarray  # scene rows (S,) of the active sources, with errors and flags
    log: dict = field(default_factory=dict)  # JSON-able; `files`: paths written, `n_draws`: draws kept
    covs: np.ndarray | None = None  # (n, n) covariance in z, for the next pass
