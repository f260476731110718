"""One grid on the sky for images with different pixels: its place, its tiles, and images brought to it."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from astropy.wcs import WCS
from scipy import ndimage

from ..geometry import pixel_scale, to_pixels

STEP = 16  # grid pixels between positions that go through the full WCS; linear in between
TILE = 2048  # grid pixels on a side of what is looked at in one piece, about
MARGIN = 256  # and of what is seen around it, so that a source at its edge is seen whole


@dataclass(frozen=True)
class SkyGrid:
    """A tangent-plane grid, north up."""

    wcs: WCS
    shape: tuple[int, int]  # (ny, nx)
    pixel: float  # arcsec

    def tiles(self, size: int = TILE, margin: int = MARGIN) -> list["Tile"]:
        """Nearly equal tiles that cover the grid, each with a margin of what lies around."""
        (rows, columns) = (_cuts(n, size) for n in self.shape)
        return [Tile(self, core, margin) for core in ((y, x) for y in rows for x in columns)]


@dataclass(frozen=True)
class Tile:
    """A rectangle of the grid: sources belong to the tile whose `core` they lie in."""

    grid: SkyGrid
    core: tuple[slice, slice]  # rows, columns of the grid
    margin: int

    @property
    def start(self) -> tuple[int, int]:
        """Row and column of the grid where the tile begins."""
        return tuple(max(0, part.start - self.margin) for part in self.core)

    @property
    def shape(self) -> tuple[int, int]:
        """(ny, nx) with the margin."""
        ends = (min(n, part.stop + self.margin) for n, part in zip(self.grid.shape, self.core, strict=True))
        return tuple(end - start for end, start in zip(ends, self.start, strict=True))

    def owns(self, x, y) -> np.ndarray:
        """Whether pixels of the tile lie in its core."""
        y, x = np.asarray(y) + self.start[0], np.asarray(x) + self.start[1]
        rows, columns = self.core
        return (rows.start <= y) & (y < rows.stop) & (columns.start <= x) & (x < columns.stop)

    def to_sky(self, x, y):
        """(ra, dec) in degrees of positions in the tile."""
        row, column = self.start
        return self.grid.wcs.wcs_pix2world(np.asarray(x) + column, np.asarray(y) + row, 0)

    def positions(self, exposure):
        """Pixel positions (x, y) of the exposure at all pixels of the tile, each (ny, nx)."""
        ny, nx = self.shape
        y, x = np.meshgrid(np.arange(0, ny + STEP, STEP), np.arange(0, nx + STEP, STEP), indexing="ij")
        coarse = to_pixels(exposure.wcs, *self.to_sky(x.ravel(), y.ravel())).T
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
    return SkyGrid(wcs, shape, pixel)


def cut_out(x, y, shape, pad: int):
    """(rows, columns) of an image of `shape` that positions (x, y) reach, `pad` pixels more; None: none."""
    known = np.isfinite(x) & np.isfinite(y)
    if not known.any():
        return None
    cut = []
    for values, n in ((y[known], shape[0]), (x[known], shape[1])):
        low, high = np.clip([values.min(), values.max()], -1e7, 1e7)
        cut.append(slice(max(0, int(low) - pad), min(n, int(high) + pad + 2)))
    return None if any(part.start >= part.stop for part in cut) else tuple(cut)


def resample(image: np.ndarray, x: np.ndarray, y: np.ndarray, order: int) -> np.ndarray:
    """`image` at pixel positions (x, y), zero outside; splines of `order`, since sums of w r P are smooth."""
    return ndimage.map_coordinates(image, [y, x], order=order, mode="constant", cval=0.0)


def _cuts(n: int, size: int) -> list[slice]:
    edges = np.linspace(0, n, -(-n // size) + 1).astype(int)
    return [slice(int(low), int(high)) for low, high in pairwise(edges)]


def _corners(exposure):
    """(ra, dec) of points along the image's border, and the pixel scale in arcsec at its centre."""
    ny, nx = exposure.data.shape
    t = np.linspace(0, 1, 9)
    x = np.concatenate([t, t, 0 * t, 0 * t + 1]) * (nx - 1)
    y = np.concatenate([0 * t, 0 * t + 1, t, t]) * (ny - 1)
    ra, dec = exposure.wcs.pixel_to_world_values(x, y)
    return np.asarray(ra), np.asarray(dec), pixel_scale(exposure.wcs, exposure.data.shape)
