"""Places on the sky and in pixels: circles, separations, and the local linear WCS of a source."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

ARCSEC = 3600.0
FEW = 500  # circles that are all looked at, sooner than others are sorted
STEP = 0.2  # arcsec; step of the central differences, small against distortion, large against round-off


@dataclass(frozen=True)
class CircularRegion:
    """A circle on the sky: `ra`, `dec` in degrees (ICRS), `radius` in arcsec."""

    ra: float
    dec: float
    radius: float

    def separation(self, ra, dec) -> np.ndarray:
        """Distance of positions (degrees) from the centre, arcsec."""
        return separation(self.ra, self.dec, ra, dec)

    def contains(self, ra, dec) -> np.ndarray:
        """Whether positions (degrees) lie within the circle."""
        return self.separation(ra, dec) <= self.radius


class Circles:
    """Many circles on the sky, of which those are found that meet another."""

    def __init__(self, circles: Iterable[CircularRegion]):
        rows = [(one.ra, one.dec, one.radius) for one in circles]
        self.ra, self.dec, self.radius = np.array(rows, "f8").reshape(-1, 3).T
        self._tree = None

    def meeting(self, region: CircularRegion) -> np.ndarray:
        """Indices, in order, of the circles that meet one; more of them elsewhere cost nothing."""
        near = self._candidates(region) if len(self.ra) > FEW else np.arange(len(self.ra))
        apart = separation(region.ra, region.dec, self.ra[near], self.dec[near])
        return near[apart <= self.radius[near] + region.radius]

    def _candidates(self, region: CircularRegion) -> np.ndarray:
        """Those that would meet it if all were as large as the largest."""
        if self._tree is None:
            from scipy.spatial import cKDTree  # slow to import

            self._tree = cKDTree(unit_vectors(self.ra, self.dec))
        reach = np.radians((self.radius.max() + region.radius) / ARCSEC)
        chord = 2 * np.sin(min(reach, np.pi) / 2) + 1e-12
        found = self._tree.query_ball_point(unit_vectors(region.ra, region.dec), chord)
        return np.array(sorted(found), int)


def unit_vectors(ra, dec) -> np.ndarray:
    """Unit vectors (..., 3) of positions in degrees."""
    ra, dec = np.radians(ra), np.radians(dec)
    return np.stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec) + 0 * ra], axis=-1)


def separation(ra0, dec0, ra, dec) -> np.ndarray:
    """Angular separation in arcsec of positions in degrees; accurate for small ones (haversine formula)."""
    half = 0.5 * np.radians(np.asarray(dec) - dec0), 0.5 * np.radians(np.asarray(ra) - ra0)
    cosines = np.cos(np.radians(dec)) * np.cos(np.radians(dec0))
    chord = np.sqrt(np.sin(half[0]) ** 2 + cosines * np.sin(half[1]) ** 2)
    return np.degrees(2 * np.arcsin(np.minimum(chord, 1.0))) * ARCSEC


def offset(ra, dec, east, north):
    """Positions (ra, dec) in degrees, moved by `east` and `north` arcsec (tangent-plane, small offsets)."""
    dec_new = np.asarray(dec, "f8") + np.asarray(north) / ARCSEC
    return np.asarray(ra, "f8") + np.asarray(east) / ARCSEC / np.cos(np.radians(dec)), dec_new


def linearize(wcs, ra, dec) -> tuple[np.ndarray, np.ndarray]:
    """Pixel positions and the local linear WCS at positions on the sky, distortion included.

    Parameters
    ----------
    wcs : object with `world_to_pixel_values` (degrees to zero-indexed pixels)
    ra, dec : (S,) degrees

    Returns
    -------
    xy : (S, 2) pixels
    scale : (S, 2, 2), D = d(x, y) / d(east, north) in pixel per arcsec, by central differences
    """
    ra, dec = np.atleast_1d(np.asarray(ra, "f8")), np.atleast_1d(np.asarray(dec, "f8"))
    steps = np.array([[0, 0], [STEP, 0], [-STEP, 0], [0, STEP], [0, -STEP]])
    shifted = [offset(ra, dec, east, north) for east, north in steps]
    sky = np.array(shifted).transpose(1, 0, 2).reshape(2, -1)  # (2, 5 S)
    if not sky.shape[1]:
        return np.zeros((0, 2)), np.zeros((0, 2, 2))
    xy = to_pixels(wcs, *sky).reshape(5, -1, 2)
    east, north = (xy[1] - xy[2]) / (2 * STEP), (xy[3] - xy[4]) / (2 * STEP)
    return xy[0], np.stack([east, north], axis=-1)


def to_pixels(wcs, ra, dec) -> np.ndarray:
    """Zero-indexed pixels (S, 2); NaN where the projection has no such place or does not converge."""
    from astropy.wcs import NoConvergence

    try:
        x, y = wcs.world_to_pixel_values(ra, dec)
    except NoConvergence as error:
        best = np.array(error.best_solution)
        for bad in (error.divergent, error.slow_conv):
            if bad is not None:
                best[bad] = np.nan
        return best
    return np.stack([np.asarray(x, "f8"), np.asarray(y, "f8")], axis=-1)


def pixel_scale(wcs, shape) -> float:
    """Side of a pixel in arcsec at the centre of an image of `shape` (ny, nx): root of its area."""
    ra, dec = wcs.pixel_to_world_values(0.5 * (shape[1] - 1), 0.5 * (shape[0] - 1))
    _, scale = linearize(wcs, ra, dec)
    return float(1 / np.sqrt(abs(np.linalg.det(scale[0]))))


def footprint(wcs, shape, margin: float = 0.0) -> CircularRegion:
    """The circle on the sky around an image of `shape` (ny, nx), with a margin in pixels."""
    low, high = -0.5 - margin, np.array([shape[1], shape[0]]) - 0.5 + margin
    x, y = (np.array([low, 0.5 * (low + end), end]) for end in high)
    x, y = (grid.ravel() for grid in np.meshgrid(x, y))
    ra, dec = (np.asarray(values, "f8") for values in wcs.pixel_to_world_values(x, y))
    radius = np.nanmax(separation(ra[4], dec[4], ra, dec))
    return CircularRegion(float(ra[4]), float(dec[4]), float(1.01 * radius))


def inside_image(wcs, shape, ra, dec, margin: float = 0.0) -> np.ndarray:
    """Whether positions (S,) in degrees fall on an image of `shape` (ny, nx), with a margin in pixels.

    Places far from the image are left out before the projection: there the polynomials of a distortion
    mean nothing and may lead back into the image.
    """
    ra, dec = np.atleast_1d(ra), np.atleast_1d(dec)
    near = footprint(wcs, shape, margin).contains(ra, dec)
    xy = np.full((len(ra), 2), np.nan)
    if near.any():
        xy[near] = to_pixels(wcs, ra[near], dec[near])
    size = np.array([shape[1], shape[0]])
    with np.errstate(invalid="ignore"):
        return np.all((xy >= -0.5 - margin) & (xy <= size - 0.5 + margin), axis=-1)


def tile_pixels(tile_x, tile_y) -> tuple[np.ndarray, np.ndarray]:
    """(x, y), each (T, 64) int: zero-indexed pixels of tiles of 8 x 8 that start at tile_x, tile_y (T,)."""
    place = np.arange(64)
    return np.asarray(tile_x)[:, None] + place % 8, np.asarray(tile_y)[:, None] + place // 8
