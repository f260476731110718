"""The model image of a catalog on an exposure."""

import numpy as np

from .. import kernel
from ..geometry import linearize
from ..images import ExposureTiles
from ..kernel.arrays import TILE
from .building import place_sources
from .pixels import pixel_arrays
from .remainder import remainder_image
from .tiles import to_image

SOURCES_PER_CALL = 64  # bounds the kernel's list of Gaussians
MARGIN = 30.0  # arcsec around the image in which sources still count
WINGS = 10.0  # and that many half-light radii


def render(
    rows, exposure, psfstore, table, bands, interpolation: str = "nearest", backend: str = "cpu", box=None
) -> np.ndarray:
    """Model of a catalog, (ny, nx) float64 in nJy per pixel, on an exposure or a box of it.

    Parameters
    ----------
    rows : scene rows (S,); those that are not valid, or far outside the image, are left out
    exposure : `Exposure` of one of `bands`
    psfstore, table : `PSFStore` and Sersic table
    bands : names of the flux columns of `rows`
    box : slices (rows, columns) with their ends; the whole image where none is given
    """
    (y0, y1), (x0, x1) = (
        (0, size) if box is None else (box[axis].start, box[axis].stop)
        for axis, size in enumerate(exposure.data.shape)
    )
    shape = y1 - y0, x1 - x0
    rows = rows[rows["is_valid"] & (rows[exposure.band] != 0)]
    rows = rows[reaches(rows, exposure)]
    blank = _blank_tiles(exposure, (y0, y1), (x0, x1))
    image, left = np.zeros((len(blank.data), TILE * TILE)), None
    band, corner, noise = (exposure.band,), (x0, y0), _noise(exposure)
    for start in range(0, len(rows), SOURCES_PER_CALL):
        part = rows[start : start + SOURCES_PER_CALL]
        sources = place_sources([blank], part, psfstore, band, table, interpolation)
        image += kernel.backend(backend).model(pixel_arrays([blank], band, sources), sources.state)
        left = remainder_image(exposure, 0, sources, psfstore, band, corner, shape, noise, left)
    first = blank.tile_x[0], blank.tile_y[0]
    ends = y1 - first[1], x1 - first[0]
    image = to_image(image, blank.tile_x - first[0], blank.tile_y - first[1], ends)[-shape[0] :, -shape[1] :]
    return image if left is None else image + left


def _noise(exposure) -> float:
    """Of a typical good pixel, nJy; 0 where there is none."""
    good = exposure.ierr > 0
    return float(1 / np.median(exposure.ierr[good])) if good.any() else 0.0


def reaches(rows, exposure) -> np.ndarray:
    """Whether sources (S,) lie on the exposure or near enough for their wings to reach it."""
    ny, nx = exposure.data.shape
    if not len(rows):
        return np.zeros(0, bool)
    position, scale = linearize(exposure.wcs, rows["ra"], rows["dec"])
    pixels_per_arcsec = np.sqrt(np.abs(np.linalg.det(scale)))
    margin = (MARGIN + WINGS * rows["rhalf"]) * pixels_per_arcsec
    outside = np.maximum(np.maximum(-position, position - [nx - 1, ny - 1]), 0).max(axis=1)
    with np.errstate(invalid="ignore"):
        return outside < margin  # false where the projection has no such position


def _blank_tiles(exposure, rows, columns) -> ExposureTiles:
    """All tiles of a range of rows and columns, with no data: a model has values under masked pixels, too."""
    (y0, y1), (x0, x1) = rows, columns
    first = y0 - y0 % TILE, x0 - x0 % TILE
    y, x = np.mgrid[first[0] : y1 : TILE, first[1] : x1 : TILE].reshape(2, -1).astype("i4")
    values = np.zeros((len(x), TILE * TILE), "f4")
    return ExposureTiles(
        exposure.id, exposure.band, exposure.wcs, exposure.psf, values, np.ones_like(values), x, y
    )
