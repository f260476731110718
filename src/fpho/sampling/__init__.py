"""Draws from the posterior of a patch; the only importer of the samplers."""

from .lmc import run_lmc

__all__ = ["run_lmc"]
