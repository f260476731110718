"""Simulation-based calibration: sources drawn from the priors, images by GalSim, fitted, truth ranked."""

from .camera import make_store
from .products import write_products
from .running import run_trials
from .trial import Trial, run_trial

__all__ = ["Trial", "make_store", "run_trial", "run_trials", "write_products"]
