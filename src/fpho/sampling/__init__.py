"""Draws from the posterior of a patch; the only importer of the samplers."""

from .lmc import run_lmc
from .redrawn import redraw

__all__ = ["redraw", "run_lmc"]
