"""What a chain is told of the reduced posterior that its draws walk on."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .target import ReducedPosterior

ROUGH = 0.6  # sd of the difference of ln p from which some draws follow true forces
REJECTED, LEAST_REJECTED = 0.56, 0.01  # share of draws that is rejected, for each unit of the difference
CALL = 10.0  # coordinates with which a draw costs what a call does
MOST_AHEAD = 16


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

    @property
    def ahead(self) -> int:
        """Draws through which a chain walks on before they are tested: rejections waste some, calls cost."""
        if self.rough:
            return 1  # it is drawn for each of them whether it follows true forces
        rejected = REJECTED * self.difference + LEAST_REJECTED
        return int(np.clip((2 * CALL / (len(self.mean) * rejected)) ** 0.5, 1, MOST_AHEAD))

    @cached_property
    def posterior(self) -> ReducedPosterior:
        """The reduced posterior about the reference."""
        return ReducedPosterior(self.target, self.mean, self.cov)

    def __getstate__(self):
        return {name: value for name, value in vars(self).items() if name != "posterior"}
