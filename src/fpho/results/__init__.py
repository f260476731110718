"""Result records of patches, their files, and readers of these."""

from .apertures import Apertures, apertures_of, optimum_apertures
from .misfit import Patterns, patterns, widened_optimum
from .reading import Residuals, Samples
from .record import Result
from .records import FittedPatch, HaloDraws, SamplerSettings, Summary, plain
from .rows import optimum_rows
from .writing import fill_residuals, fill_samples, write_residuals, write_samples, write_to_disk

__all__ = [
    "Apertures",
    "FittedPatch",
    "HaloDraws",
    "Patterns",
    "Residuals",
    "Result",
    "SamplerSettings",
    "Samples",
    "Summary",
    "apertures_of",
    "fill_residuals",
    "fill_samples",
    "optimum_apertures",
    "optimum_rows",
    "patterns",
    "plain",
    "widened_optimum",
    "write_residuals",
    "write_samples",
    "write_to_disk",
]
