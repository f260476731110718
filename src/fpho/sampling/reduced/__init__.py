"""The posterior of a patch from a few pixels of each source, and trajectories along its forces."""

from .basis import reduce
from .forces import LearntForces
from .target import ReducedPosterior, TruePosterior, can_be_reduced, make_target

__all__ = ["LearntForces", "ReducedPosterior", "TruePosterior", "can_be_reduced", "make_target", "reduce"]
