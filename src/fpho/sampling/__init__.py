"""Draws from the posterior of a patch; the only importer of the samplers."""

from .gibbs import gibbs_update
from .lmc import run_lmc

__all__ = ["gibbs_update", "run_lmc"]
