"""The scale of an image's noise: how much wider blank sky scatters than the given uncertainties say."""

import warnings

import numpy as np

BLOCK = 8  # pixels; wider than the correlation that drizzling leaves
MIN_BLOCKS = 12  # independent ones, for a scale good to some 20%
SMOOTH = 2.0  # pixels; width of the filter that finds sources
# Sigma of the smoothed image: lower thresholds cut the noise's own peaks and bias its scatter low
# (at 2.5, by 8% in an image of 200 x 200 pixels)
THRESHOLD = 4.0
GROW = 6  # pixels around what is brighter


def mad_std(values) -> float:
    """Robust standard deviation, 1.4826 times the median absolute deviation."""
    return float(1.4826 * np.median(np.abs(values - np.median(values))))


def blank_pixels(data, ierr) -> np.ndarray:
    """(ny, nx) bool: good pixels that no source reaches, by a smoothed threshold, grown."""
    from scipy.ndimage import binary_dilation, gaussian_filter

    usable = good = ierr > 0
    weight = gaussian_filter(usable.astype(float), SMOOTH)
    smooth = gaussian_filter(np.where(usable, data * ierr, 0.0), SMOOTH) / np.maximum(weight, 1e-3)
    for _ in range(6):
        if np.count_nonzero(good) < BLOCK**2:
            return good
        bright = usable & (smooth - np.median(smooth[good]) > THRESHOLD * mad_std(smooth[good]))
        good = usable & ~binary_dilation(bright, iterations=GROW)
    return good


def measure_noise_scale(data, ierr, block: int = BLOCK) -> float:
    """Factor on the uncertainties that makes sums over blocks of blank pixels scatter as they should.

    Correlated noise averages down slower than white noise: the scatter of sums over `block` x `block`
    pixels, over what independent pixels would give, is the factor by which a white-noise likelihood
    underestimates errors of anything wider than the correlation. Blocks at all places are used, also
    overlapping ones. Falls back to 4 x 4 blocks where blank sky is scarce, and to 1 with a warning
    where there is none.
    """
    blank = blank_pixels(data, ierr)
    for size in (block, 4):
        ratio, count = _block_scatter(data, ierr, blank, size)
        if count >= MIN_BLOCKS:
            return ratio
    warnings.warn("too little blank sky to measure the noise: uncertainties are used as given", stacklevel=2)
    return 1.0


def pixel_scatter(data, ierr) -> float:
    """Scatter of single blank pixels in units of the given uncertainties; NaN without blank sky."""
    blank = blank_pixels(data, ierr)
    return mad_std((data * ierr)[blank]) if np.count_nonzero(blank) >= BLOCK**2 else np.nan


def _block_scatter(data, ierr, blank, size) -> tuple[float, float]:
    """Scatter of block sums over that of white noise, and how many blocks would fit side by side."""
    from scipy.ndimage import uniform_filter

    if not blank.any():
        return 1.0, 0.0
    snr = data * ierr
    snr = np.where(blank, snr - np.median(snr[blank]), 0.0)
    area, edge = size**2, size // 2
    inner = (slice(edge, -edge), slice(edge, -edge))
    total = area * uniform_filter(snr, size, mode="constant")[inner]
    count = area * uniform_filter(blank.astype(float), size, mode="constant")[inner]
    full = count > 0.8 * area
    if not full.any():
        return 1.0, 0.0
    return mad_std(total[full] / np.sqrt(count[full])), full.sum() / area
