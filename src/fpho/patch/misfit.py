"""Light that the model may get wrong by a part of itself: how much less the pixels of bright sources weigh.

A model that is wrong by a part f of a source's light, alike over all of the source, leaves its flux uncertain
by f, whatever the noise. Variances of single pixels can say that and leave the fit where it is in one way:
all pixels of the source, in all images, are less certain by one factor

    k = 1 + (f S)^2,      S: the source's S/N in the band where it is highest

so that its flux error there is f of its flux, and its other errors grow alike. A variance that follows the
light from pixel to pixel would move the weight to the outskirts: the profile is then fitted there, and total
fluxes of galaxies that are no Sersic profiles go wrong by tens of percent. One that follows the model would
fall with it, and a model that is too small would pay.

S is that of the images, about the catalog's positions, so k is the same in all stages of a run. It ends
smoothly at a few radii of the light.
"""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter

from ..geometry import linearize
from ..kernel.arrays import PatchArrays, SourceArrays
from .noise import footprint_sides
from .tiles import exposure_image

SEEN = 3.0  # sigma of the smoothed image beyond which light is taken for light
NARROWEST = 0.5  # pixel; sigma of the smoothing at least
BLANK = 0.2  # part of the pixels, those farthest from any source, whose median is taken for sky
WIDE = 8.0  # root mean square radii of the light at which the factor ends
SMALL = 1e-2  # k - 1 that is left out


def widen_by_misfit(arrays: PatchArrays, tiles, sources, fraction: float) -> PatchArrays:
    """Weights lowered where the light of sources may be wrong by a `fraction` of itself.

    arrays : with the light of all of them in the data
    tiles : of the same exposures
    sources : (S, 2) their positions in the catalog, ra and dec in degrees
    """
    if not len(sources) or not arrays.n_exposures:
        return arrays
    seen = [look(arrays, e, one, sources) for e, one in enumerate(tiles)]
    squares = np.zeros((arrays.band.max() + 1, len(sources)))
    np.add.at(squares, arrays.band, [one.snr_squared for one in seen])
    gain = fraction**2 * squares.max(axis=0)
    radius = np.max([one.radius for one in seen], axis=0)
    factor = np.concatenate([1 + one.spread(gain, radius) for one in seen])
    return arrays.with_fields(weight=(arrays.weight / factor).astype("f4"))


@dataclass(frozen=True)
class Light:
    """What an exposure shows of S sources."""

    xy: np.ndarray  # (T, 64, 2) its pixels
    places: np.ndarray  # (S, 2) of the sources, pixels
    pixel: np.ndarray  # (S,) pixels per arcsec there
    snr_squared: np.ndarray  # (S,)
    radius: np.ndarray  # (S,) arcsec, root mean square of the light's distance

    def spread(self, gain, radius) -> np.ndarray:
        """(T, 64) sum of gains (S,) within a few radii (S,) of the sources."""
        out = np.zeros(self.xy.shape[:-1])
        for s in np.flatnonzero((gain > SMALL) & (radius > 0)):
            away = np.hypot(*np.moveaxis(self.xy - self.places[s], -1, 0))
            out += gain[s] * np.exp(-((away / (WIDE * radius[s] * self.pixel[s])) ** 4))
        return out


def look(arrays: PatchArrays, e: int, one, sources) -> Light:
    """The light of each source in exposure e, with tiles `one`: in the pixels that are nearest to it."""
    part = slice(arrays.exposure_start[e], arrays.exposure_start[e + 1])
    places, scale = linearize(one.wcs, *sources.T)
    data, weight = arrays.data[part].astype("f8"), arrays.weight[part].astype("f8")
    sigma = max(psf_sigma(arrays, e), NARROWEST)
    smooth, error = smoothed(data, weight, arrays.tile_x[part], arrays.tile_y[part], sigma)
    xy, good, n = np.stack(one.pixels, axis=-1), weight > 0, len(sources)
    from scipy.spatial import cKDTree  # slow to import

    away, owner = cKDTree(places).query(xy)
    sky = np.median(smooth[good & (away >= np.quantile(away[good], 1 - BLANK))])
    lit = good & (smooth - sky > SEEN * error)
    light, owner, away = (smooth - sky)[lit], owner[lit], away[lit]
    squares = weight[lit] * (data[lit] - sky) ** 2 - 1  # noise adds 1
    total = np.bincount(owner, light, n)
    moment = np.bincount(owner, light * away**2, n)
    pixel = np.sqrt(np.abs(np.linalg.det(scale)))
    radius = np.sqrt(moment / np.where(total > 0, total, 1)) / pixel
    return Light(xy, places, pixel, np.maximum(np.bincount(owner, squares, n), 0), radius)


def smoothed(data, weight, tile_x, tile_y, sigma: float) -> tuple[np.ndarray, np.ndarray]:
    """An exposure's tiles (T, 64) smoothed by a round Gaussian of `sigma` pixels, over good pixels only.

    Returns the image and its noise, both (T, 64); 0 and 1 where no good pixel is near.
    """
    x, y = tile_x - tile_x.min(), tile_y - tile_y.min()
    known = weight > 0
    planes = known, np.where(known, data, 0), np.where(known, 1 / np.where(known, weight, 1), 0)
    good, filled, noise = (exposure_image(plane, tile_x, tile_y) for plane in planes)
    share = gaussian_filter(good, sigma, mode="constant")
    light = gaussian_filter(filled, sigma, mode="constant")
    # the square of the kernel is a Gaussian narrower by sqrt(2), of sum 1 / (4 pi sigma^2)
    variance = gaussian_filter(noise, sigma / np.sqrt(2), mode="constant") / (4 * np.pi * sigma**2)
    place = np.arange(64)
    at = y[:, None] + place // 8, x[:, None] + place % 8
    seen = share[at] > 1e-3
    share = np.where(seen, share[at], 1)
    return np.where(seen, light[at] / share, 0), np.where(seen, np.sqrt(variance[at]) / share, 1)


def psf_sigma(arrays: PatchArrays, e: int) -> float:
    """Sigma (pixels) of the round Gaussian with the noise-equivalent area of an exposure's PSF."""
    n = arrays.n_sources
    profile = np.tile([1.0, 0, 0, 0, 0, 0], (n, 1, 1))
    points = SourceArrays(np.ones((n, 8)), profile, np.ones(n, "i4"), np.zeros(arrays.n_exposures))
    return float(np.median(footprint_sides(arrays, e, points)) / np.sqrt(4 * np.pi))
