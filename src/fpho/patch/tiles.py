"""Pixels of an exposure in tiles of 8 x 8, cut to a region of the sky."""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from ..background.table import background_value, rows_by_exposure
from ..geometry import linearize
from ..images import ExposureTiles, cap_snr, tile_image
from ..kernel.arrays import TILE


def cut_tiles(exposure, region=None) -> ExposureTiles:
    """Tiles of an `Exposure` that have a good pixel inside the circle `region` (None: everywhere)."""
    (x_low, x_high), (y_low, y_high) = _window(exposure, region)
    data, ierr = (
        tile_image(image[y_low:y_high, x_low:x_high].astype("f4")) for image in (exposure.data, exposure.ierr)
    )
    n_across = -(-(x_high - x_low) // TILE)
    index = np.arange(len(data))
    tiles = ExposureTiles(
        id=exposure.id,
        band=exposure.band,
        wcs=exposure.wcs,
        psf=exposure.psf,
        data=data,
        ierr=ierr,
        tile_x=(x_low + TILE * (index % max(n_across, 1))).astype("i4"),
        tile_y=(y_low + TILE * (index // max(n_across, 1))).astype("i4"),
        noise_slope=exposure.noise_slope,
    )
    return keep_region(tiles, region)


def keep_region(tiles: ExposureTiles, region) -> ExposureTiles:
    """Mask the pixels outside the circle `region` (None: nothing), and drop tiles without a good pixel."""
    ierr = tiles.ierr
    if region is not None and len(ierr):
        centre, to_sky = _frame(tiles.wcs, region)
        offset = np.stack(tiles.pixels, axis=-1) - centre  # (T, 64, 2)
        inside = np.sum((offset @ to_sky.T) ** 2, axis=-1) <= region.radius**2
        ierr = np.where(inside, ierr, np.float32(0))
    used = np.any(ierr > 0, axis=1)
    return replace(
        tiles, data=tiles.data[used], ierr=ierr[used], tile_x=tiles.tile_x[used], tile_y=tiles.tile_y[used]
    )


def select_tiles(
    exposures: Iterable, region, bands, *, max_snr=None, tweakbg=None
) -> tuple[ExposureTiles, ...]:
    """Tiles of all exposures (`Exposure` or `ExposureTiles`) of `bands` with a good pixel in the region.

    Exposures without one are dropped. A background table `tweakbg` is subtracted, then the S/N per pixel
    is capped at `max_snr` by raising uncertainties.
    """
    backgrounds = {} if tweakbg is None else rows_by_exposure(tweakbg)
    selected = []
    for exposure in exposures:
        if exposure.band not in bands:
            continue
        tiles = exposure if isinstance(exposure, ExposureTiles) else cut_tiles(exposure, region)
        if isinstance(exposure, ExposureTiles):
            tiles = keep_region(exposure, region)
        if len(tiles.ierr):
            tiles = _subtract(tiles, backgrounds.get(tiles.id))
            selected.append(cap_snr(tiles, max_snr))
    return tuple(selected)


def to_image(values: np.ndarray, tile_x, tile_y, shape) -> np.ndarray:
    """Values on tiles (T, 64) as an image (ny, nx) float64; zero elsewhere, padding cut off."""
    high = [-(-n // TILE) * TILE for n in shape]
    image = np.zeros((high[0] // TILE, high[1] // TILE, TILE, TILE))
    image[tile_y // TILE, tile_x // TILE] = values.reshape(-1, TILE, TILE)
    return image.transpose(0, 2, 1, 3).reshape(high)[: shape[0], : shape[1]]


def exposure_image(values: np.ndarray, tile_x, tile_y) -> np.ndarray:
    """As `to_image`, of the smallest image that holds all tiles."""
    x, y = tile_x - tile_x.min(), tile_y - tile_y.min()
    return to_image(values, x, y, (y.max() + TILE, x.max() + TILE))


def _subtract(tiles: ExposureTiles, row) -> ExposureTiles:
    if row is None or not row["used"]:
        return tiles
    data = tiles.data - background_value(row, *tiles.pixels)
    return replace(tiles, data=np.where(tiles.ierr > 0, data, 0).astype("f4"))


def _frame(wcs, region):
    """Pixel position (2,) of the region's centre, and arcsec (east, north) per pixel (2, 2) there."""
    xy, scale = linearize(wcs, np.array([region.ra]), np.array([region.dec]))
    if not (np.all(np.isfinite(xy)) and np.all(np.isfinite(scale))):
        return np.full(2, np.inf), np.eye(2)  # the region lies outside this projection
    return xy[0], np.linalg.inv(scale[0])


def _window(exposure, region):
    """Pixel ranges ((x_low, x_high), (y_low, y_high)), starting at tiles, that hold the region."""
    ny, nx = exposure.data.shape
    if region is None:
        return (0, nx), (0, ny)
    centre, to_sky = _frame(exposure.wcs, region)
    if not np.all(np.isfinite(centre)):
        return (0, 0), (0, 0)
    scale = np.linalg.inv(to_sky)
    reach = region.radius * np.sqrt(np.sum(scale**2, axis=1))  # half-sizes of the ellipse's box
    low = np.clip(np.floor((centre - reach) / TILE) * TILE, 0, [nx, ny]).astype(int)
    high = np.clip(np.floor((centre + reach) / TILE + 1) * TILE, 0, [nx, ny]).astype(int)
    return (low[0], max(high[0], low[0])), (low[1], max(high[1], low[1]))
