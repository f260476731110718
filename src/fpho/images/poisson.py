"""Error maps that follow the noise of their own pixels, and what to put in their place.

Where the Poisson part of a pixel's variance was estimated from its own noisy counts (HST flt and flc, JWST
cal, spectroscopic reductions), pixels that fluctuate down get larger weights than those that fluctuate up,
and weighted fluxes come out low: by about sum(m w) g / sum(m^2 w) for a source of image m, weights w and a
variance that grows by g with the counts (Wheaton et al. 1995, ApJ 438, 322). The part of the variance that
follows the data is then taken from the neighbours of each pixel (a quadratic through 5 x 5 pixels without
the middle one), which know as much of the source and nothing of the pixel's own noise.
"""

import logging
from dataclasses import replace

import numpy as np

from .noise import blank_pixels

log = logging.getLogger("fpho")
REACH = 2  # pixels
CORRELATED = 0.15  # of variance and data in blank pixels; 0 where variances are expected ones
ALONE = 0.9  # the variance is a function of the data alone, such as max(counts, 0): all of it is taken so
SIGNIFICANT = 5.0  # sigma of that
LOWEST = 0.25  # of the typical variance: the smallest that a pixel is given
MIN_PIXELS = 200
PIXELS = 300  # of a faint source: its flux is low by gain / sigma times the root of that, in its own errors
MATTERS = 0.1  # sigma, of that
LARGEST = 1024  # pixels on a side: in an image's middle it is seen whether errors follow the data
CLIP = 5.0


def with_expected_errors(exposure):
    """The exposure with errors that do not follow their own pixels' noise; as it is where they do not."""
    data, good = exposure.data.astype("f8"), exposure.ierr > 0
    sigma = np.divide(1.0, exposure.ierr, out=np.zeros(data.shape), where=good)
    gain, correlation = gain_of(*(_middle(plane) for plane in (data, sigma, good)))
    if gain == 0:
        return exposure
    low = gain / np.median(sigma[good]) * np.sqrt(PIXELS)
    text = "fluxes of faint sources would be some %.1f sigma low: that part is taken from neighbouring pixels"
    log.warning(f"%s: errors follow the noise of their own pixels; {text}", exposure.id, low)
    variance = sigma**2
    new = variance - (_own(variance, good) if correlation > ALONE else gain * _own(data, good))
    lowest = np.minimum(LOWEST * np.median(variance[good]), variance)
    ierr = np.divide(1.0, np.sqrt(np.maximum(new, lowest)), out=np.zeros(data.shape), where=good)
    return replace(exposure, ierr=ierr.astype("f4"))


def gain_of(data, sigma, good) -> tuple[float, float]:
    """(growth of a pixel's variance with its value, their correlation) in blank pixels; (0, 0) where none."""
    ierr = np.divide(1.0, sigma, out=np.zeros(data.shape), where=good)
    filled = np.where(good, data, 0.0)
    blank = blank_pixels(filled, ierr)
    value, variance = _own(filled, good), _own(np.where(good, sigma, 0.0) ** 2, good)
    blank &= (np.abs(value * ierr) < CLIP) & (_count(good) > 0)
    count = np.count_nonzero(blank)
    if count < MIN_PIXELS:
        return 0.0, 0.0
    x, y = value[blank] - value[blank].mean(), variance[blank] - variance[blank].mean()
    usual = np.abs(y) <= CLIP * np.std(y)
    x, y = x[usual], y[usual]
    if not np.std(y) > 1e-6 * np.median(sigma[good]) ** 2:
        return 0.0, 0.0
    correlation = float(np.mean(x * y) / (np.std(x) * np.std(y)))
    if correlation < CORRELATED or correlation * np.sqrt(len(x)) < SIGNIFICANT:
        return 0.0, 0.0
    gain = float(np.mean(x * y) / np.mean(x**2))
    matters = gain * np.sqrt(PIXELS) > MATTERS * np.median(sigma[good])
    return (gain, correlation) if matters else (0.0, 0.0)


def _own(image, good) -> np.ndarray:
    """What a pixel has over its neighbours; 0 where it has none."""
    from scipy.ndimage import convolve

    kernel = _kernel()
    whole = convolve(good.astype("f8"), np.ones((5, 5)), mode="constant") == 25
    smooth = convolve(np.where(good, image, 0.0), kernel, mode="nearest")
    near = np.abs(kernel)
    count = convolve(good.astype("f8"), near, mode="constant")
    mean = convolve(np.where(good, image, 0.0), near, mode="constant") / np.maximum(count, 1e-12)
    return np.where(count > 0, image - np.where(whole, smooth, mean), 0.0) * good


def _middle(plane):
    """The middle of an image, up to LARGEST pixels on a side."""
    low = [max(0, (n - LARGEST) // 2) for n in plane.shape]
    return plane[tuple(slice(start, start + LARGEST) for start in low)]


def _count(good):
    from scipy.ndimage import uniform_filter

    return uniform_filter(good.astype("f8"), 2 * REACH + 1, mode="constant") - good / (2 * REACH + 1) ** 2


def _kernel() -> np.ndarray:
    """Value at the middle of a quadratic through the other pixels of 5 x 5, as weights (5, 5)."""
    y, x = (axis.ravel() for axis in np.mgrid[-REACH : REACH + 1, -REACH : REACH + 1])
    others = (x != 0) | (y != 0)
    terms = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1)[others].astype(float)
    weights = np.zeros(len(x))
    weights[others] = np.linalg.pinv(terms)[0]
    return weights.reshape(2 * REACH + 1, -1)
