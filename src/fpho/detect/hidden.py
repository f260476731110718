"""Peaks on what is masked. In its middle stands a source whose core is saturated; off it, one sees a rim."""

import numpy as np
from scipy import ndimage

from ..geometry import inside_image, to_pixels
from .grid import resample

CORE = 3.0  # sigmas of the PSF: a mask no larger than that hides no more than a core
MIDDLE = 0.5  # of a mask's radius: nearer to its middle, light on all sides makes the peak


def hidden(tile, exposures, x, y, core: float) -> np.ndarray:
    """Which positions (N,) of a tile lie on pixels that are masked in all exposures, off the mask's middle.

    core : sigma of the PSF, pixels of the tile
    """
    out = _masked(exposures, *tile.to_sky(x, y)) if len(x) else np.zeros(0, bool)
    if out.any():  # seldom
        patch, count = _patches(tile, exposures)
        place = np.stack([y[out], x[out]], axis=1)
        row, column = np.clip(np.round(place).astype(int), 0, np.array(tile.shape) - 1).T
        number = patch[row, column]
        area = np.bincount(patch.ravel(), minlength=count + 1)[number]
        middle = np.reshape(ndimage.center_of_mass(patch > 0, patch, number), (-1, 2))
        radius = np.sqrt(area / np.pi)
        off = np.hypot(*(place - middle).T)
        out[out] = (number > 0) & (radius > CORE * core) & (off > MIDDLE * radius)
    return out


def _masked(exposures, ra, dec) -> np.ndarray:
    """Positions (N,) that lie on exposures, and on a good pixel of none."""
    covered, good = np.zeros(len(ra), bool), np.zeros(len(ra), bool)
    for exposure in exposures:
        inside = inside_image(exposure.wcs, exposure.data.shape, ra, dec)
        column, row = np.round(to_pixels(exposure.wcs, ra[inside], dec[inside])).astype(int).T
        ny, nx = exposure.data.shape
        covered |= inside
        good[inside] |= exposure.ierr[np.clip(row, 0, ny - 1), np.clip(column, 0, nx - 1)] > 0
    return covered & ~good


def _patches(tile, exposures) -> tuple[np.ndarray, int]:
    """Number (ny, nx) of the mask that each pixel of a tile is of, 0: of none; and how many there are."""
    covered, good = np.zeros(tile.shape, bool), np.zeros(tile.shape, bool)
    for exposure in exposures:
        place = tile.positions(exposure)
        covered |= resample(np.ones(exposure.data.shape, "f4"), *place, 1) > 0.5
        good |= resample((exposure.ierr > 0).astype("f4"), *place, 1) > 0.5
    return ndimage.label(covered & ~good)
