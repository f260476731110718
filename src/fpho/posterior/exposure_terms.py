"""Terms of an exposure that are fitted with its sources: one value for each exposure, linear, normal prior.

The background is the only one so far. Its slope of chi-square comes from the kernel as one number for each
exposure. Terms come after the sources, in z as in q.
"""

from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

STEP = 0.1  # of the pixels' noise: what a coordinate of 1 stands for


@dataclass(frozen=True)
class ExposureTerms:
    """E terms of one name, or none.

    `unit` (E,): nJy per pixel for a coordinate of 1; `curvature` (E,) of the prior, (nJy per pixel)^-2.
    """

    name: str = "background"
    unit: np.ndarray = field(default_factory=lambda: np.zeros(0))
    curvature: np.ndarray = field(default_factory=lambda: np.zeros(0))


def background_terms(noise, sigma: float) -> ExposureTerms:
    """A constant for each exposure with `noise` (E,) nJy per pixel; prior normal about 0, `sigma` noises."""
    noise = np.asarray(noise, "f8")
    return ExposureTerms(unit=STEP * noise, curvature=1 / (sigma * noise) ** 2)


def pixel_noise(arrays) -> np.ndarray:
    """Median noise of a good pixel in each exposure (E,), nJy."""
    start = arrays.exposure_start
    weights = [arrays.weight[a:b] for a, b in pairwise(start)]
    return np.array([1 / np.sqrt(np.median(w[w > 0])) if np.any(w > 0) else 1.0 for w in weights])
