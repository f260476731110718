"""Light that the model may get wrong by a part of itself: how much it raises the variance of pixels.

An error f m that is the same over a source's A pixels moves its flux by f; errors that are independent from
pixel to pixel would average down to f / sqrt(A). So the variance of a pixel grows by A (f m)^2: then no
source's flux is better known than to about f (half of f to f), and its brightest pixels no longer outweigh
the others.

The light m is that of the images, smoothed by the core of their PSF, and A is the area of that light, never
the model's: a variance that followed the model would fall with it, and a model that is too small would pay.
Which source a pixel's light counts for is told by the catalog's positions, so the variance is the same in all
stages of a run.
"""

import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.spatial import cKDTree

from ..geometry import linearize
from ..kernel.arrays import PatchArrays, SourceArrays
from .noise import footprint_sides
from .tiles import to_image

SEEN = 3.0  # sigma of the smoothed image beyond which light is taken for light
NARROWEST = 0.5  # pixel; sigma of the smoothing at least
BLANK = 0.2  # part of the pixels, those farthest from any source, whose median is taken for sky


def widen_by_misfit(arrays: PatchArrays, tiles, sources, fraction: float) -> PatchArrays:
    """Weights lowered where the light of sources may be wrong by a `fraction` of itself.

    arrays : with the light of all of them in the data
    tiles : of the same exposures
    sources : (S, 2) their positions in the catalog, ra and dec in degrees
    """
    if not len(sources) or not arrays.n_exposures:
        return arrays
    variance = np.zeros(arrays.weight.shape)
    for e, one in enumerate(tiles):
        part = slice(arrays.exposure_start[e], arrays.exposure_start[e + 1])
        places, _ = linearize(one.wcs, *sources.T)
        sigma = max(psf_sigma(arrays, e), NARROWEST)
        variance[part] = misfit_variance(one.pixels, arrays, part, places, sigma, fraction)
    return arrays.with_fields(weight=(arrays.weight / (1 + arrays.weight * variance)).astype("f4"))


def misfit_variance(pixels, arrays: PatchArrays, part, places, sigma: float, fraction: float) -> np.ndarray:
    """Variance (T, 64) that an exposure's pixels gain.

    pixels : x and y (T, 64); part : the exposure's tiles; places (S, 2) of the sources, pixels; sigma of the
    smoothing, pixels
    """
    data, weight = arrays.data[part], arrays.weight[part]
    light, error = smoothed(data, weight, arrays.tile_x[part], arrays.tile_y[part], sigma)
    away, owner = cKDTree(places).query(np.stack(pixels, axis=-1))
    good = weight > 0
    far = good & (away >= np.quantile(away[good], 1 - BLANK))
    light = light - np.median(light[far])
    light = np.where(good & (light > SEEN * error), light, 0)
    total, square = (np.bincount(owner[good], power[good], len(places)) for power in (light, light**2))
    area = np.where(square > 0, total**2 / np.where(square > 0, square, 1), 0)
    return area[owner] * (fraction * light) ** 2


def smoothed(data, weight, tile_x, tile_y, sigma: float) -> tuple[np.ndarray, np.ndarray]:
    """An exposure's tiles (T, 64) smoothed by a round Gaussian of `sigma` pixels, over good pixels only.

    Returns the image and its noise, both (T, 64); 0 and 1 where no good pixel is near.
    """
    x, y = tile_x - tile_x.min(), tile_y - tile_y.min()
    shape = (y.max() + 8, x.max() + 8)
    good = to_image(weight > 0, x, y, shape)
    filled = to_image(np.where(weight > 0, data, 0), x, y, shape)
    noise = to_image(np.where(weight > 0, 1 / np.where(weight > 0, weight, 1), 0), x, y, shape)
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
