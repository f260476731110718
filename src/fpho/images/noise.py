"""The scale of an image's noise: how much wider blank sky scatters than the given uncertainties say."""

import warnings

import numpy as np

from ..robust import mad_std

BLOCK = 8  # pixels; wider than the correlation that drizzling leaves
SIDES = (4, 6, 8, 12, 16)  # pixels, of blocks that tell how noise grows with the scale
SLOPES = (0.0, 0.5)  # of that growth; 1 would be a background that is off as a whole
WAVES = 0.8  # arcsec; what is smooth over this is background, or the halo of a galaxy, and not noise
MIN_BLOCKS = 12  # independent ones, for a scale good to some 20%
SMOOTH = (2.0, 5.0)  # pixels; widths of the filters that find sources, and the wings of large ones
# Sigma of the smoothed image: lower thresholds cut the noise's own peaks and bias its scatter low
# (at 2.5, by 8% in an image of 200 x 200 pixels)
THRESHOLD = 4.0
GROW = 6  # pixels around what is brighter


def blank_pixels(data, ierr) -> np.ndarray:
    """(ny, nx) bool: good pixels that no source reaches, by thresholds in smoothed images, grown."""
    from scipy.ndimage import binary_dilation

    usable = good = ierr > 0
    images = [_smoothed(data * ierr, usable, width) for width in SMOOTH]
    for _ in range(6):
        if np.count_nonzero(good) < BLOCK**2:
            return good
        bright = np.any([one > _level(one[good]) for one in images], axis=0)
        before, good = good, usable & ~binary_dilation(usable & bright, iterations=GROW)
        if np.array_equal(before, good):
            break
    return good


def _level(values) -> float:
    """Beyond which a smoothed value is a source's."""
    middle = np.median(values)
    return middle + THRESHOLD * mad_std(values, about=middle)


def _smoothed(image, usable, width) -> np.ndarray:
    """Gaussian means of the usable pixels."""
    from scipy.ndimage import gaussian_filter

    weight = gaussian_filter(usable.astype(float), width)
    return gaussian_filter(np.where(usable, image, 0.0), width) / np.maximum(weight, 1e-3)


def measure_noise_scale(data, ierr, block: int = BLOCK, waves: float | None = None) -> float:
    """Factor on the uncertainties that makes sums over blocks of blank pixels scatter as they should.

    Correlated noise averages down slower than white noise: the scatter of sums over `block` x `block`
    pixels, over what independent pixels would give, is the factor by which a white-noise likelihood
    underestimates errors of anything wider than the correlation. Blocks at all places are used, also
    overlapping ones. With `waves`, a mean of the blank pixels by a Gaussian of that width (pixels) is
    subtracted first. Falls back to 4 x 4 blocks where blank sky is scarce, and to 1 with a warning where
    there is none.
    """
    blank = blank_pixels(data, ierr)
    snr = _signal(data, ierr, blank, waves)
    for size in (block, 4):
        ratio, count = _block_scatter(snr, blank, size)
        if count >= MIN_BLOCKS:
            return ratio
    warnings.warn("too little blank sky to measure the noise: uncertainties are used as given", stacklevel=2)
    return 1.0


def measure_noise_slope(data, ierr, waves: float | None = None) -> float:
    """Power of the side by which the scatter of sums over square blocks grows beyond that of white noise.

    A fit of ln(scatter / white) by ln(side) over the sides of SIDES that blank sky holds often enough,
    weighted by how many blocks it holds; within SLOPES; `waves` as in `measure_noise_scale`. 0: correlated
    over few pixels, or not at all.
    """
    blank = blank_pixels(data, ierr)
    snr = _signal(data, ierr, blank, waves)
    found = [(size, *_block_scatter(snr, blank, size)) for size in SIDES]
    side, ratio, count = np.array([row for row in found if row[2] >= MIN_BLOCKS]).reshape(-1, 3).T
    if len(side) < 3:
        return 0.0
    x, y = np.log(side), np.log(ratio)
    x, y = x - np.average(x, weights=count), y - np.average(y, weights=count)
    return float(np.clip(np.sum(count * x * y) / np.sum(count * x**2), *SLOPES))


def pixel_scatter(data, ierr, blank=None) -> float:
    """Scatter of single blank pixels in units of the given uncertainties; NaN without blank sky.

    blank : those of `blank_pixels`, where they are known
    """
    blank = blank_pixels(data, ierr) if blank is None else blank
    return mad_std((data * ierr)[blank]) if np.count_nonzero(blank) >= BLOCK**2 else np.nan


def neighbour_correlation(data, ierr, blank=None) -> float:
    """Correlation of blank pixels with their neighbours in x and y; NaN without blank sky.

    0 for a detector's own pixels; drizzled and resampled mosaics have 0.2 to 0.6. blank : those of
    `blank_pixels`, where they are known
    """
    blank = blank_pixels(data, ierr) if blank is None else blank
    snr = _signal(data, ierr, blank, None)
    pairs = [
        (snr[:, 1:] * snr[:, :-1])[blank[:, 1:] & blank[:, :-1]],
        (snr[1:] * snr[:-1])[blank[1:] & blank[:-1]],
    ]
    products = np.concatenate(pairs)
    return float(np.mean(products) / np.var(snr[blank])) if len(products) >= BLOCK**2 else np.nan


def weight_scale(data, ierr, where) -> float:
    """Factor on uncertainties that are known but for one: that of weights, as blank pixels tell it."""
    scatter = pixel_scatter(data, ierr)
    if scatter > 0:
        return scatter
    text = "too little blank sky to find the scale of its weights: taken as inverse variances"
    warnings.warn(f"{where}: {text}", stacklevel=3)
    return 1.0


def _signal(data, ierr, blank, waves) -> np.ndarray:
    """Blank pixels in units of their uncertainties, about their median and without waves; 0 elsewhere."""
    if not blank.any():
        return np.zeros(data.shape)
    snr = data * ierr
    snr = np.where(blank, snr - np.median(snr[blank]), 0.0)
    return snr if waves is None else np.where(blank, snr - _smoothed(snr, blank, waves), 0.0)


def _block_scatter(snr, blank, size) -> tuple[float, float]:
    """Scatter of block sums over that of white noise, and how many blocks would fit side by side."""
    from scipy.ndimage import uniform_filter

    if not blank.any():
        return 1.0, 0.0
    area, edge = size**2, size // 2
    inner = (slice(edge, -edge), slice(edge, -edge))
    total = area * uniform_filter(snr, size, mode="constant")[inner]
    count = area * uniform_filter(blank.astype(float), size, mode="constant")[inner]
    full = count > 0.8 * area
    if not full.any():
        return 1.0, 0.0
    return mad_std(total[full] / np.sqrt(count[full])), full.sum() / area
