"""The pixels that all images of a page are shown on, and how images are brought there.

For display: a pixel of the page has the values of the pixel of each image in which its centre lies, so that
noise stays what it is; nothing is interpolated.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..geometry import footprint, inside_image, linearize, offset, pixel_scale, to_pixels
from ..layout import KINDS
from ..products.picture import Picture

STEP = 16  # pixels between places at which coordinates are computed; in between they are linear
MOST_PIXELS = 6.4e7  # of a grid; a larger field is shown with coarser pixels
EDGE = 0.02  # of an image: sources so near its edge may lie outside


@dataclass(frozen=True)
class Grid:
    """A tangential projection (Calabretta & Greisen 2002, section 5.1.3) about the middle of the field.

    ra, dec : of the point of contact, degrees, which is the middle of the image.
    scale : (2, 2), d(x, y) / d(east, north) there, pixels per arcsec.
    shape : (ny, nx).
    """

    ra: float
    dec: float
    scale: np.ndarray
    shape: tuple[int, int]

    @cached_property
    def wcs(self):
        """As astropy has it."""
        from astropy.wcs import WCS

        wcs = WCS(naxis=2)
        wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
        wcs.wcs.crval = [self.ra, self.dec]
        wcs.wcs.crpix = [(self.shape[1] + 1) / 2, (self.shape[0] + 1) / 2]
        wcs.wcs.cd = np.linalg.inv(self.scale) / 3600
        return wcs

    @property
    def pixel(self) -> float:
        """Side of a pixel, arcsec."""
        return float(1 / np.sqrt(abs(np.linalg.det(self.scale))))


def choose_grid(frames, ra, dec) -> Grid:
    """The grid of a page.

    That of the finest image on which all sources lie; where there is none, one with north up, somewhat
    finer than the finest image, that holds all images.

    Parameters
    ----------
    frames : (wcs, shape) of each image. ra, dec : (S,) of the sources, degrees.
    """
    frames = sorted(frames, key=lambda frame: pixel_scale(*frame))
    for wcs, shape in frames:
        if _holds(wcs, shape, ra, dec):
            middle = wcs.pixel_to_world_values((shape[1] - 1) / 2, (shape[0] - 1) / 2)
            _, scale = linearize(wcs, *middle)
            return _bounded(Grid(float(middle[0]), float(middle[1]), scale[0], tuple(map(int, shape))))
    return _bounded(_around(frames))


def _holds(wcs, shape, ra, dec) -> bool:
    return bool(np.all(inside_image(wcs, shape, ra, dec, margin=EDGE * max(shape))))


def _around(frames) -> Grid:
    side = pixel_scale(*frames[0]) / np.sqrt(
        2
    )  # so that no pixel of an image is missed, however it is turned
    corners = np.concatenate([_corners(*frame) for frame in frames])
    ra0 = corners[0, 0]
    east = np.mod(corners[:, 0] - ra0 + 180, 360) - 180
    middle = ra0 + 0.5 * (east.min() + east.max()), 0.5 * (corners[:, 1].min() + corners[:, 1].max())
    scale = np.array([[-1.0, 0.0], [0.0, 1.0]]) / side
    flat = Grid(*middle, scale, (1, 1))
    xy = np.array(flat.wcs.world_to_pixel_values(*corners.T))
    nx, ny = (2 * np.ceil(np.abs(xy).max(axis=1)) + 1).astype(int)
    return Grid(float(np.mod(middle[0], 360)), float(middle[1]), scale, (int(ny), int(nx)))


def _corners(wcs, shape) -> np.ndarray:
    """Positions (4, 2) of the corners of an image, degrees."""
    x, y = np.array([0, 0, shape[1] - 1, shape[1] - 1]), np.array([0, shape[0] - 1, 0, shape[0] - 1])
    return np.stack([np.asarray(v, "f8") for v in wcs.pixel_to_world_values(x, y)], axis=-1)


def _bounded(grid: Grid) -> Grid:
    """With pixels so coarse that there are not too many."""
    factor = np.sqrt(grid.shape[0] * grid.shape[1] / MOST_PIXELS)
    if factor <= 1:
        return grid
    shape = tuple(int(np.ceil(n / factor)) for n in grid.shape)
    return Grid(grid.ra, grid.dec, grid.scale / factor, shape)


@dataclass(frozen=True)
class BandMaps:
    """A band on the grid, each (ny, nx) float32, NaN where there is no pixel.

    data, model : in units of `noise`, the typical sigma of a pixel of the grid (nJy).
    residual : (data - model) in sigma.
    """

    data: np.ndarray
    model: np.ndarray
    residual: np.ndarray
    noise: float


def band_maps(grid: Grid, pictures) -> BandMaps:
    """A band from its images: where several cover a pixel of the grid, means weighted by 1 / sigma^2.

    Mosaics count alone where there are any, since exposures are their parts.
    """
    sums = {kind: np.zeros((3, *grid.shape), "f4") for kind in KINDS}
    used = set()
    for picture in pictures:
        used.add(picture.kind)
        _add(sums[picture.kind], grid, picture)
    total = sums["mosaic"] if "mosaic" in used else sums["exposure"]
    if len(used) == 2:
        gaps = total[0] == 0
        total[:, gaps] = sums["exposure"][:, gaps]
    weight, data, model = total
    known = weight > 0
    noise = float(1 / np.sqrt(np.median(weight[known]))) if known.any() else 1.0
    with np.errstate(divide="ignore", invalid="ignore"):
        mean, model = data / weight, model / weight
        return BandMaps(mean / noise, model / noise, (mean - model) * np.sqrt(weight), noise)


def _add(sums, grid: Grid, picture: Picture, rows: int = 1024) -> None:
    """Add 1 / sigma^2, and data and model times that, of an image to sums on the grid."""
    ratio = (grid.pixel / pixel_scale(picture.wcs, picture.data.shape)) ** 2
    weight = np.asarray(picture.ierr, "f8") ** 2
    good = weight > 0
    weighted = [np.where(good, weight * image, 0) for image in (picture.data, picture.model)]
    ny, nx = picture.data.shape
    for start in range(0, grid.shape[0], rows):
        part = np.s_[start : min(start + rows, grid.shape[0])]
        x, y = pixels_of(grid, picture.wcs, (ny, nx), part.start, part.stop)
        inside = (x >= 0) & (x < nx) & (y >= 0) & (y < ny)
        place = y[inside], x[inside]
        for plane, (image, power) in zip(
            sums, ((weight, -2), (weighted[0], -1), (weighted[1], -1)), strict=True
        ):
            plane[part][inside] += ratio**power * image[place]


def pixels_of(grid: Grid, wcs, shape, start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
    """Pixels (x, y) of an image in which those of the grid's rows lie, each int (stop - start, nx).

    -1 far from the image, where the polynomials of a distortion may lead back into it.
    """
    from scipy.ndimage import map_coordinates

    ny, nx = stop - start, grid.shape[1]
    knots = [np.arange(0, n - 1 + STEP, STEP) for n in (ny, nx)]
    y, x = np.meshgrid(*knots, indexing="ij")
    ra, dec = (np.ravel(values) for values in grid.wcs.pixel_to_world_values(x, y + start))
    margin = 2 * STEP * grid.pixel / pixel_scale(wcs, shape)
    near = footprint(wcs, shape, margin).contains(ra, dec)
    coarse = np.full((x.size, 2), np.nan)
    if near.any():
        coarse[near] = to_pixels(wcs, ra[near], dec[near])
    fine = np.indices((ny, nx), dtype="f4") / STEP
    found = (map_coordinates(one.reshape(x.shape), fine, order=1, output="f8") for one in coarse.T)
    x, y = (np.nan_to_num(np.rint(one), nan=-1).clip(-1, 2**30).astype("i4") for one in found)
    return x, y


def north_of(grid: Grid) -> np.ndarray:
    """Unit vector to the north in pixels (x, y) at the middle of the grid."""
    up = offset(grid.ra, grid.dec, 0.0, 1.0)
    here, there = (np.array(grid.wcs.world_to_pixel_values(*place)) for place in ((grid.ra, grid.dec), up))
    return (there - here) / np.hypot(*(there - here))
