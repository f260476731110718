"""The structure of a field's galaxies: what the last optima tell of it, and what draws are made with."""

from functools import lru_cache

import numpy as np

from ..results.structure import learnt, read_structure
from .files import FitFiles
from .results import FoundOptimum


def learnt_structure(optima: list[FoundOptimum], n_bands: int) -> tuple[np.ndarray, np.ndarray]:
    """What optima tell of the structure of a field's galaxies, see `results.structure.learnt`."""
    told: dict[int, tuple] = {}
    for one in optima:
        told |= dict(zip(one.active, one.structure, strict=False))  # none where it was not measured
    return learnt(told.values(), n_bands)


@lru_cache(maxsize=4)
def known_structure(files: FitFiles, bands: tuple[str, ...]) -> np.ndarray | None:
    """Shares (K, B) of the files of a pass, read once; None where nothing is known."""
    return read_structure(files.structure, bands)
