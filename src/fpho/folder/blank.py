"""What blank sky says of an image's noise."""

from dataclasses import dataclass

import numpy as np

from ..images import Exposure, blank_pixels, neighbour_correlation, pixel_scatter

SIDE = 2048  # pixels of the middle of an image, which says as much as all of it


@dataclass(frozen=True)
class BlankSky:
    """Noise of single blank pixels; NaN where there is too little blank sky.

    scatter : in units of the given uncertainties. correlation : of a pixel with its neighbours
    """

    scatter: float
    correlation: float


def blank_sky(exposure: Exposure) -> BlankSky:
    """Of the middle of a large image; of all of it where no sky is blank there."""
    middle = tuple(slice(max(0, (n - SIDE) // 2), (n + SIDE) // 2) for n in exposure.data.shape)
    sky = _of(exposure.data[middle], exposure.ierr[middle])
    whole = exposure.data[middle].shape == exposure.data.shape
    return sky if whole or np.isfinite(sky.scatter) else _of(exposure.data, exposure.ierr)


def _of(data, ierr) -> BlankSky:
    blank = blank_pixels(data, ierr)
    return BlankSky(pixel_scatter(data, ierr, blank), neighbour_correlation(data, ierr, blank))
