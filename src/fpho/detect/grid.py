"""One grid on the sky for images with different pixels: where it lies, and images brought to it."""

from dataclasses import dataclass

import numpy as np
from astropy.wcs import WCS
from scipy import ndimage

from ..errors import InputError
from ..geometry import pixel_scale, to_pixels

STEP = 16  # grid pixels between positions that go through the full WCS; linear in between
MAX_PIXELS = 4e8


@dataclass(frozen=True)
class SkyGrid:
    """A tangent-plane grid, north up."""

    wcs: WCS
    shape: tuple[int, int]  # (ny, nx)
    pixel: float  # arcsec

    def positions(self, exposure):
        """Pixel positions (x, y) of the exposure at all grid pixels, each (ny, nx)."""
        ny, nx = self.shape
        y, x = np.meshgrid(np.arange(0, ny + STEP, STEP), np.arange(0, nx + STEP, STEP), indexing="ij")
        ra, dec = self.wcs.wcs_pix2world(x.ravel(), y.ravel(), 0)
        coarse = to_pixels(exposure.wcs, ra, dec).T
        where = np.mgrid[0:ny, 0:nx] / STEP
        return [ndimage.map_coordinates(np.reshape(values, x.shape), where, order=1) for values in coarse]


def common_grid(exposures) -> SkyGrid:
    """The grid that covers all exposures with the finest of their pixels."""
    corners = [_corners(exposure) for exposure in exposures]
    pixel = min(scale for _, _, scale in corners)
    ra, dec = (np.concatenate([corner[i] for corner in corners]) for i in (0, 1))
    centre = ra[0] + np.mean((ra - ra[0] + 180) % 360 - 180), np.mean(dec)
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval = centre
    wcs.wcs.cdelt = [-pixel / 3600, pixel / 3600]
    wcs.wcs.crpix = [1, 1]
    x, y = wcs.wcs_world2pix(ra, dec, 0)
    wcs.wcs.crpix = [1 - np.floor(x.min()), 1 - np.floor(y.min())]
    shape = int(np.ceil(np.ptp(y))) + 2, int(np.ceil(np.ptp(x))) + 2
    if np.prod(shape, dtype=float) > MAX_PIXELS:
        found = f"the exposures span {shape[1]} x {shape[0]} pixels of {pixel:.3g} arcsec"
        raise InputError("detection", found, "Detect on fewer images, such as mosaics of one field")
    return SkyGrid(wcs, shape, pixel)


def resample(image: np.ndarray, x: np.ndarray, y: np.ndarray, order: int) -> np.ndarray:
    """`image` at pixel positions (x, y), zero outside; splines of `order`, since sums of w r P are smooth."""
    return ndimage.map_coordinates(image, [y, x], order=order, mode="constant", cval=0.0)


def _corners(exposure):
    """(ra, dec) of points along the image's border, and the pixel scale in arcsec at its centre."""
    ny, nx = exposure.data.shape
    t = np.linspace(0, 1, 9)
    x = np.concatenate([t, t, 0 * t, 0 * t + 1]) * (nx - 1)
    y = np.concatenate([0 * t, 0 * t + 1, t, t]) * (ny - 1)
    ra, dec = exposure.wcs.pixel_to_world_values(x, y)
    return np.asarray(ra), np.asarray(dec), pixel_scale(exposure.wcs, exposure.data.shape)
