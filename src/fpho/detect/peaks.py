"""Significant peaks in the sum of matched-filter images, and their fluxes in every band."""

import logging
from dataclasses import dataclass

import numpy as np

from ..geometry import linearize
from ..parameters import error_col
from .grid import common_grid, resample
from .matched import core_variance, filter_exposure, half_size, psf_stamp

log = logging.getLogger("fpho")
SIGMA_OF_RHALF = 1.1774  # half-light radius of a round Gaussian in units of its sigma
CONTRAST = 0.02  # a peak in another's flank is its own from this fraction of the flux on


@dataclass(frozen=True)
class Detection:
    """Maps on the common grid, and what was found on them."""

    grid: object
    snr: np.ndarray  # (ny, nx) S/N of a point source, known sources' errors counted as noise
    peaks: np.ndarray  # (N,) structured: ra, dec, snr, rhalf and by band flux and error (nJy)


def peak_dtype(bands) -> np.dtype:
    """Row of the table of peaks."""
    fluxes = [name for band in bands for name in (band, error_col(band))]
    return np.dtype([(name, "f8") for name in ("ra", "dec", "snr", "rhalf", *fluxes)])


def find_peaks(
    exposures,
    models,
    psfstore,
    bands,
    *,
    nsigma: float,
    sum_bands=None,
    model_error: float = 0.0,
    rhalf: float | None = None,
    interpolation: str = "nearest",
) -> Detection:
    """Sources in the residuals of `exposures`.

    Parameters
    ----------
    exposures : list of `Exposure`
    models : list of (ny, nx) float: model of all known sources on each
    nsigma : threshold in S/N of a point source, in the sum over exposures and bands
    sum_bands : bands that are added up (weighted by their inverse variances); all when None
    model_error : fraction of the known sources' light that their models may be wrong by, at any place
    rhalf : half-light radius (arcsec) assumed for the fluxes; None: measured from the peak's area
    """
    used = set(bands if sum_bands is None else sum_bands)
    grid = common_grid(exposures)
    total, norm, known = (np.zeros(grid.shape) for _ in range(3))
    core = []
    for exposure, model in zip(exposures, models, strict=True):
        if exposure.band not in used:
            continue
        maps = filter_exposure(exposure, model, psfstore, interpolation)
        x, y = grid.positions(exposure)
        total += resample(maps.total, x, y, 3)
        norm += np.maximum(resample(maps.norm, x, y, 1), 0)
        known += np.maximum(resample(maps.known, x, y, 1), 0)
        core.append(_core_arcsec(exposure, psfstore, interpolation))
    snr = significance(total, norm, model_error * known)
    found = _peaks(snr, nsigma)
    size = (
        np.full(len(found), rhalf) if rhalf is not None else _sizes(snr, found, grid.pixel, np.median(core))
    )
    peaks = np.zeros(len(found), peak_dtype(bands))
    if len(found):
        peaks["ra"], peaks["dec"] = grid.wcs.wcs_pix2world(found[:, 0], found[:, 1], 0)
        peaks["snr"], peaks["rhalf"] = found[:, 2], size
        measure(peaks, exposures, models, psfstore, bands, interpolation)
    return Detection(grid, snr, peaks)


def significance(total, norm, systematic) -> np.ndarray:
    """S/N (ny, nx); noise is scaled up where the blank sky scatters by more than its errors say."""
    covered = norm > 1e-6 * norm.max() if norm.size else norm > 0
    variance = np.where(covered, norm, 1.0)
    blank = covered & (systematic**2 < 0.1 * variance)
    plain = np.where(covered, total / np.sqrt(variance), 0.0)
    scatter = 1.4826 * np.median(np.abs(plain[blank])) if np.any(blank) else 1.0
    scale = max(1.0, scatter)
    if scale > 1.1:
        log.info("detection: blank sky scatters by %.2f of its errors (correlated noise)", scale)
    return np.where(covered, total / np.sqrt(scale**2 * variance + systematic**2), 0.0)


def measure(peaks, exposures, models, psfstore, bands, interpolation="nearest") -> None:
    """Fill the flux and error (nJy; 0 and NaN without data) of peaks (N,) in every band.

    A matched filter for points sees 2 p / (2 p + s) of the light of a source of variance s, with p the
    PSF's: exact for Gaussians, and good enough to start from.
    """
    sums = {band: np.zeros((len(peaks), 2)) for band in bands}
    for exposure, model in zip(exposures, models, strict=True):
        if exposure.band not in sums:
            continue
        key = psfstore.resolve(exposure.id, exposure.band, exposure.psf)
        position, scale = linearize(exposure.wcs, peaks["ra"], peaks["dec"])
        for i, (xy, matrix) in enumerate(zip(position, scale, strict=True)):
            mixture = psfstore.mixture(key, *xy, interpolation)
            extent = (peaks["rhalf"][i] / SIGMA_OF_RHALF) ** 2 * abs(np.linalg.det(matrix))
            growth = 1 + extent / (2 * core_variance(mixture))
            sums[exposure.band][i] += _stamp_sums(exposure, model, mixture, xy) / [growth, growth**2]
    for band, values in sums.items():
        seen = values[:, 1] > 0
        norm = np.where(seen, values[:, 1], 1.0)
        peaks[band] = np.where(seen, values[:, 0] / norm, 0.0)
        peaks[error_col(band)] = np.where(seen, norm**-0.5, np.nan)


def _stamp_sums(exposure, model, mixture, xy) -> np.ndarray:
    """(sum of w r P, sum of w P^2) of a point source at pixel xy."""
    ny, nx = exposure.data.shape
    half = half_size(mixture)
    if not (np.all(np.isfinite(xy)) and np.all(np.abs(xy) < 1e7)):
        return np.zeros(2)
    xc, yc = np.round(xy).astype(int)
    x_low, x_high = max(0, xc - half), min(nx, xc + half + 1)
    y_low, y_high = max(0, yc - half), min(ny, yc + half + 1)
    if x_low >= x_high or y_low >= y_high:
        return np.zeros(2)
    cut = slice(y_low, y_high), slice(x_low, x_high)
    stamp = psf_stamp(mixture, xy[0] - xc, xy[1] - yc, half)
    stamp = stamp[y_low - yc + half : y_high - yc + half, x_low - xc + half : x_high - xc + half]
    weight = exposure.ierr[cut].astype("f8") ** 2
    residual = exposure.data[cut] - model[cut]
    return np.array([np.sum(weight * residual * stamp), np.sum(weight * stamp**2)])


def _peaks(snr, nsigma) -> np.ndarray:
    """Peaks (N, 3): x, y on the grid, S/N; brightest first."""
    from photutils.segmentation import deblend_sources, detect_sources

    if not np.any(snr > nsigma):
        return np.zeros((0, 3))
    segments = detect_sources(snr, nsigma, 1)
    if segments is None:
        return np.zeros((0, 3))
    segments = deblend_sources(snr, segments, 4, contrast=CONTRAST, progress_bar=False)
    found = []
    for label, window in zip(segments.labels, segments.slices, strict=True):
        inside = np.where(segments.data[window] == label, snr[window], -np.inf)
        y, x = np.unravel_index(np.argmax(inside), inside.shape)
        found.append(_refine(snr, x + window[1].start, y + window[0].start))
    return np.array(sorted(found, key=lambda peak: -peak[2]))


def _refine(image, x, y):
    """Parabola through a peak and its neighbours: (x, y, value)."""
    ny, nx = image.shape
    if not (0 < x < nx - 1 and 0 < y < ny - 1):
        return float(x), float(y), float(image[y, x])
    shifts = []
    for low, high in ((image[y, x - 1], image[y, x + 1]), (image[y - 1, x], image[y + 1, x])):
        bend = low - 2 * image[y, x] + high
        shifts.append(float(np.clip(0.5 * (low - high) / bend, -0.5, 0.5)) if bend < 0 else 0.0)
    return x + shifts[0], y + shifts[1], float(image[y, x])


def _sizes(snr, found, pixel, core) -> np.ndarray:
    """Half-light radii (arcsec) from the area above half the peak.

    A round Gaussian of variance v is above half its height inside radius^2 = 2 ln 2 v; PSF and filter add
    `core` (arcsec^2) each.
    """
    ny, nx = snr.shape
    sizes = []
    for x, y, peak in found:
        reach = int(np.ceil(30 * np.sqrt(core) / pixel))
        xc, yc = round(x), round(y)
        rows, columns = np.mgrid[
            max(0, yc - reach) : min(ny, yc + reach + 1), max(0, xc - reach) : min(nx, xc + reach + 1)
        ]
        area = _connected(snr[rows, columns] > 0.5 * peak, yc - rows[0, 0], xc - columns[0, 0])
        variance = area / (2 * np.pi * np.log(2)) * pixel**2
        sizes.append(SIGMA_OF_RHALF * np.sqrt(max(variance - 2 * core, 0.01 * core)))
    return np.array(sizes)


def _connected(mask, row, column) -> int:
    from scipy import ndimage

    labels, _ = ndimage.label(mask)
    return int(np.sum(labels == labels[row, column]))


def _core_arcsec(exposure, psfstore, interpolation) -> float:
    """Variance of the PSF's core, arcsec^2."""
    ny, nx = exposure.data.shape
    centre = (nx - 1) / 2, (ny - 1) / 2
    ra, dec = exposure.wcs.pixel_to_world_values(*centre)
    _, scale = linearize(exposure.wcs, np.atleast_1d(ra), np.atleast_1d(dec))
    key = psfstore.resolve(exposure.id, exposure.band, exposure.psf)
    return core_variance(psfstore.mixture(key, *centre, interpolation)) / abs(np.linalg.det(scale[0]))
