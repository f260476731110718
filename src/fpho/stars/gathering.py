"""Stamps of the stars of some images, which of them are of one star, and how bright each is."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import binary_dilation

from ..detect import ALONE, stars_and_others, uneven_sky
from ..geometry import unit_vectors
from ..psf.empirical import Stamps
from ..psf.shining import shining

FEWEST, MOST = 5, 40  # stars of one PSF
SAME = 0.3  # arcsec within which stars of two exposures are one
HALF = (10.0, 9, 26)  # half-size of a stamp: FWHMs, and least and most pixels
AROUND = 3  # pixels around another object that are not used
FWHM_OF_HALF = 1.7  # FWHM over the half-light radius of a PSF


@dataclass(frozen=True)
class Gathered:
    """Stamps (N) of stars. place : (N, 2) pixels of their images. snr : (N,). fwhm : a guess, pixels."""

    stamps: Stamps
    place: np.ndarray
    snr: np.ndarray
    fwhm: float

    @property
    def stars(self) -> int:
        """How many stars there are."""
        return len(np.unique(self.stamps.star))

    def only(self, which) -> "Gathered":
        """Some of the stamps."""
        return Gathered(self.stamps.only(which), self.place[which], self.snr[which], self.fwhm)

    def with_stamps(self, stamps: Stamps) -> "Gathered":
        """The same stars with other stamps of them."""
        return Gathered(stamps, self.place, self.snr, self.fwhm)

    def brightest(self, most: int = MOST) -> "Gathered":
        """Stamps of the brightest stars."""
        names, star = np.unique(self.stamps.star), self.stamps.star
        best = np.array([self.snr[star == one].max() for one in names])
        return self.only(np.isin(star, names[np.argsort(-best, kind="stable")[:most]]))


@dataclass(frozen=True)
class Star:
    """A star in one exposure. seen : of `stars_and_others`. place : (ra, dec), degrees. cut : of `_cut`."""

    seen: np.void
    place: tuple[float, float]
    cut: tuple


def gather(exposures: Iterable, listed=None) -> Gathered | None:
    """Stars of exposures of one band, which are looked at one after the other; None where there is none.

    listed : (ra, dec) of the stars to be taken, degrees (N,) each; None: those on the locus of sizes
    """
    return joined(star for exposure in exposures for star in stars_of(exposure, listed))


def stars_of(exposure, listed=None) -> list[Star]:
    """Stars of one exposure. listed : as of `gather`."""
    stars, labels = stars_and_others(exposure, listed)
    if not len(stars):
        return []
    sky = _sky(exposure, binary_dilation(labels > 0, iterations=AROUND))
    places = zip(*map(np.atleast_1d, exposure.wcs.pixel_to_world_values(stars["x"], stars["y"])), strict=True)
    return [
        Star(star, place, _cut(exposure, labels, star, HALF[2] + 1, sky))
        for star, place in zip(stars, places, strict=True)
    ]


def _sky(exposure, objects) -> np.ndarray:
    """Sky (ny, nx) of pixels where nothing shines, seen as faintly as beside the stars themselves.

    Light of faint galaxies in it would be taken off the wings of stars, where such pixels are not used.
    """
    data = np.where(exposure.ierr > 0, exposure.data - uneven_sky(exposure, objects), 0.0)
    return uneven_sky(exposure, objects | shining(data, exposure.ierr))


def joined(stars: Iterable[Star]) -> Gathered | None:
    """Stamps of stars of exposures of one band; None where there is none that is whole."""
    stars = list(stars)
    if not stars:
        return None
    fwhm = FWHM_OF_HALF * float(np.median([star.seen["half"] for star in stars]))
    half = int(np.clip(np.ceil(HALF[0] * fwhm), *HALF[1:])) + 1
    stamps = _stamps([star.cut for star in stars], half, _same(np.array([star.place for star in stars])))
    place = np.array([(star.seen["x"], star.seen["y"]) for star in stars])
    snr = np.array([star.seen["snr"] for star in stars])
    whole = np.array([star.cut[3] >= half for star in stars])
    return Gathered(stamps, place, snr, fwhm).only(whole) if whole.any() else None


def _cut(exposure, labels, star, half: int, sky):
    """(data, ierr, half-sizes of them, those within the image) around a star; 0 outside of the image.

    Pixels of other objects are not used; what is near the star itself is taken for a part of its image.
    """
    x, y = (int(np.rint(star[name])) for name in ("x", "y"))
    ny, nx = exposure.data.shape
    low, high = (max(0, x - half), max(0, y - half)), (min(nx, x + half + 1), min(ny, y + half + 1))
    inside = slice(low[1], high[1]), slice(low[0], high[0])
    v, u = np.mgrid[inside[0], inside[1]] - np.array([star["y"], star["x"]])[:, None, None]
    other = (labels[inside] != 0) & (labels[inside] != star["label"])
    other = binary_dilation(other, iterations=AROUND) & (np.hypot(u, v) > ALONE * star["half"])
    data, ierr = (np.zeros((2 * half + 1,) * 2) for _ in range(2))
    there = tuple(
        slice(part.start - at + half, part.stop - at + half) for part, at in zip(inside, (y, x), strict=True)
    )
    ierr[there] = np.where(other, 0.0, exposure.ierr[inside])
    data[there] = np.where(ierr[there] > 0, exposure.data[inside] - sky[inside], 0.0)
    return data, ierr, half, min(x, y, nx - 1 - x, ny - 1 - y)


def _stamps(cuts, half: int, star) -> Stamps:
    """The middles of cut-outs."""
    axis = np.arange(-half, half + 1.0)
    x, y = (np.tile(values.ravel(), (len(cuts), 1)) for values in np.meshgrid(axis, axis))

    def middle(part):
        return np.array(
            [
                cut[part][cut[2] - half : cut[2] + half + 1, cut[2] - half : cut[2] + half + 1].ravel()
                for cut in cuts
            ]
        )

    return Stamps(x, y, middle(0), middle(1), star)


def _same(places) -> np.ndarray:
    """Number (N,) of the star at each place (ra, dec): places nearer than SAME are one star."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components
    from scipy.spatial import cKDTree

    xyz = unit_vectors(*places.T)
    pairs = cKDTree(xyz).query_pairs(np.radians(SAME / 3600), output_type="ndarray")
    graph = coo_array((np.ones(len(pairs)), tuple(pairs.T)), shape=(len(places),) * 2)
    return connected_components(graph, directed=False)[1]
