"""The scale of an image's noise: how much wider blank sky scatters than the given uncertainties say."""

import warnings

import numpy as np

BLOCK = 8  # pixels; wider than the correlation that drizzling leaves
MIN_BLOCKS = 30


def mad_std(values) -> float:
    """Robust standard deviation, 1.4826 times the median absolute deviation."""
    return float(1.4826 * np.median(np.abs(values - np.median(values))))


def blank_pixels(data, ierr) -> np.ndarray:
    """(ny, nx) bool: good pixels that no source reaches, by a smoothed threshold, grown."""
    from scipy.ndimage import binary_dilation, gaussian_filter

    good = ierr > 0
    snr = np.where(good, data * ierr, 0.0)
    weight = gaussian_filter(good.astype(float), 2.0)
    smooth = gaussian_filter(snr, 2.0) / np.maximum(weight, 1e-3)
    for _ in range(4):
        centre, width = np.median(smooth[good]), mad_std(smooth[good])
        bright = (np.abs(smooth - centre) > 2.5 * width) & (ierr > 0)
        good = (ierr > 0) & ~binary_dilation(bright, iterations=6)
        if np.count_nonzero(good) < BLOCK**2:
            return good
    return good


def measure_noise_scale(data, ierr, block: int = BLOCK) -> float:
    """Factor on the uncertainties that makes sums over blocks of blank pixels scatter as they should.

    Correlated noise averages down slower than white noise: the scatter of sums over `block` x `block`
    pixels, over what independent pixels would give, is the factor by which a white-noise likelihood
    underestimates errors of anything wider than the correlation. Falls back to 4 x 4 blocks where
    blank sky is scarce, and to 1 with a warning where there is none.
    """
    blank = blank_pixels(data, ierr)
    for size in (block, 4):
        ratio, count = _block_scatter(data, ierr, blank, size)
        if count >= MIN_BLOCKS:
            return ratio
    warnings.warn("too little blank sky to measure the noise: uncertainties are used as given", stacklevel=2)
    return 1.0


def _block_scatter(data, ierr, blank, size) -> tuple[float, int]:
    ny, nx = (n // size * size for n in data.shape)
    shape = ny // size, size, nx // size, size
    snr = np.where(blank, data * ierr, 0.0)
    snr = np.where(blank, snr - np.median(snr[blank]), 0.0) if blank.any() else snr
    total = snr[:ny, :nx].reshape(shape).sum(axis=(1, 3))
    count = blank[:ny, :nx].reshape(shape).sum(axis=(1, 3))
    full = count > 0.8 * size**2
    if not full.any():
        return 1.0, 0
    return mad_std(total[full] / np.sqrt(count[full])), int(full.sum())
