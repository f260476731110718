"""Result records of patches, their files, and readers of these."""

from .reading import Residuals, Samples
from .record import Result
from .records import FittedPatch, HaloDraws, SamplerSettings, Summary, plain
from .rows import optimum_rows
from .writing import write_residuals, write_samples, write_to_disk

__all__ = [
    "FittedPatch",
    "HaloDraws",
    "Residuals",
    "Result",
    "SamplerSettings",
    "Samples",
    "Summary",
    "optimum_rows",
    "plain",
    "write_residuals",
    "write_samples",
    "write_to_disk",
]
