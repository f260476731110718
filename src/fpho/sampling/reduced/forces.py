"""What a chain is told of the reduced posterior that its draws walk on."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .target import ReducedPosterior

ROUGH = 0.6  # sd of the difference of ln p from which some draws follow true forces


@dataclass(frozen=True)
class LearntForces:
    """A reduced posterior about a reference of its own, and how draws walk on it."""

    target: tuple  # see `reduced.make_target`
    mean: np.ndarray  # (ndim,)
    cov: np.ndarray  # (ndim, ndim)
    n_steps: int  # of a trajectory
    hops: int  # trajectories of a draw
    angle: float  # rad, of each
    starts: np.ndarray  # (WALKERS, ndim) draws, in y
    difference: float  # sd of ln p less that of the reduced posterior

    @property
    def rough(self) -> bool:
        """Whether draws are rejected so often that some should follow true forces."""
        return self.difference > ROUGH

    @cached_property
    def posterior(self) -> ReducedPosterior:
        """The reduced posterior about the reference."""
        return ReducedPosterior(self.target, self.mean, self.cov)

    def __getstate__(self):
        return {name: value for name, value in vars(self).items() if name != "posterior"}
