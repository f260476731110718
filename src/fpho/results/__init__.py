"""Result records of patches, their files, and readers of these."""

from .reading import Residuals, Samples
from .record import Result
from .rows import optimum_rows
from .writing import write_residuals, write_samples, write_to_disk

__all__ = [
    "Residuals",
    "Result",
    "Samples",
    "optimum_rows",
    "write_residuals",
    "write_samples",
    "write_to_disk",
]
