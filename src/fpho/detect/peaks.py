"""Significant peaks in the sum of matched-filter images, and their fluxes in every band."""

import logging
from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from ..geometry import linearize, separation, unit_vectors
from ..parameters import error_col
from ..psf.mixture import evaluate
from ..robust import mad_std
from .grid import common_grid, resample
from .matched import core_variance, filter_exposure, half_size
from .summits import summits

log = logging.getLogger("fpho")
RHALF_OF_SIGMA = 1.1774  # half-light radius of a round Gaussian in units of its sigma
SIZES = np.array([0.3, 0.6, 1.0, 1.6, 2.5, 4.0, 6.5, 10.0])  # sigmas that are tried, in units of the PSF's
MIN_PROMINENCE = 3.0  # sigma that a peak must stand above the saddle towards a higher one
PROMINENCE = 0.1  # and part of the saddle's height
CONTRAST = 0.02  # a fainter peak beside a bright one is taken for a feature of its PSF
WINGS = 12.0  # sigmas of the PSF's core: how far "beside" is


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
    rhalf : half-light radius (arcsec) assumed for the fluxes; None: the best of a few
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
    found = _peaks(snr, nsigma, np.sqrt(np.median(core)) / grid.pixel)
    peaks = np.zeros(len(found), peak_dtype(bands))
    if len(found):
        sizes = [rhalf] if rhalf is not None else SIZES * np.sqrt(np.median(core)) * RHALF_OF_SIGMA
        peaks["ra"], peaks["dec"] = grid.wcs.wcs_pix2world(found[:, 0], found[:, 1], 0)
        peaks["snr"] = found[:, 2]
        local = measure(peaks, exposures, models, psfstore, bands, sizes, interpolation)
        peaks = peaks[local >= nsigma]  # the others are bumps on what is wide: galaxies' wings, sky
    return Detection(grid, snr, peaks)


def significance(total, norm, systematic) -> np.ndarray:
    """S/N (ny, nx); noise is scaled up where the blank sky scatters by more than its errors say."""
    covered = norm > 1e-6 * norm.max() if norm.size else norm > 0
    variance = np.where(covered, norm, 1.0)
    blank = covered & (systematic**2 < 0.1 * variance)
    plain = np.where(covered, total / np.sqrt(variance), 0.0)
    scatter = mad_std(plain[blank], about=0.0) if np.any(blank) else 1.0
    scale = max(1.0, scatter)
    if scale > 1.1:
        log.info("detection: blank sky scatters by %.2f of its errors (correlated noise)", scale)
    return np.where(covered, total / np.sqrt(scale**2 * variance + systematic**2), 0.0)


def measure(
    peaks, exposures, models, psfstore, bands, sizes, interpolation="nearest", apart=None
) -> np.ndarray:
    """Fill the half-light radius, fluxes and errors (nJy; 0 and NaN without data) of peaks (N,).

    Returns their S/N (N,) against what lies around them, bands added in quadrature.

    A source is taken for a round Gaussian of one of `sizes` (half-light radii, arcsec): the one whose
    fluxes lower chi-square most, and no wider than a quarter of the way to the next source, `apart` (N,)
    arcsec, by default the next peak. A constant under
    each stamp takes up sky and neighbours' wings. Fluxes of galaxies come out 10 to 40% low (n = 1 to 2):
    good enough to start from.
    """
    index = {band: i for i, band in enumerate(bands)}
    sums = np.zeros((len(sizes), len(peaks), len(bands), 2))
    for exposure, model in zip(exposures, models, strict=True):
        if exposure.band not in index:
            continue
        key = psfstore.resolve(exposure.id, exposure.band, exposure.psf)
        position, scale = linearize(exposure.wcs, peaks["ra"], peaks["dec"])
        for i in np.flatnonzero(np.isfinite(position).all(axis=1)):
            mixture = psfstore.mixture(key, *position[i], interpolation)
            for sums_of_size, rhalf in zip(sums, sizes, strict=True):
                wide = _widen(mixture, rhalf / RHALF_OF_SIGMA, scale[i])
                sums_of_size[i, index[exposure.band]] += _stamp_sums(exposure, model, wide, position[i])
    seen = sums[..., 1] > 0
    norm = np.where(seen, sums[..., 1], 1.0)
    gain = np.sum(np.where(seen, np.maximum(sums[..., 0], 0) ** 2 / norm, 0.0), axis=-1)
    apart = next_source(peaks) if apart is None else apart
    allowed = np.asarray(sizes)[:, None] <= 0.25 * RHALF_OF_SIGMA * apart
    allowed[0] = True
    best = np.argmax(np.where(allowed, gain, -1.0), axis=0), np.arange(len(peaks))
    peaks["rhalf"] = np.asarray(sizes)[best[0]]
    flux, error = np.where(seen, sums[..., 0] / norm, 0.0)[best], np.where(seen, norm**-0.5, np.nan)[best]
    for band, i in index.items():
        peaks[band], peaks[error_col(band)] = flux[:, i], error[:, i]
    return np.sqrt(gain[best])


def _widen(mixture, sigma, scale) -> np.ndarray:
    """PSF (J, 6) convolved with a Gaussian of `sigma` arcsec, given D = pixel per arcsec (2, 2)."""
    spread = sigma**2 * scale @ scale.T
    return mixture + np.array([0, 0, 0, spread[0, 0], spread[1, 1], spread[0, 1]])


def _stamp_sums(exposure, model, mixture, xy) -> np.ndarray:
    """(sum of w r P, sum of w P^2) over the pixels around `xy`, with P the mixture there less its mean."""
    ny, nx = exposure.data.shape
    half = half_size(mixture)
    xc, yc = np.round(np.clip(xy, -1e7, 1e7)).astype(int)
    x_low, x_high = max(0, xc - half), min(nx, xc + half + 1)
    y_low, y_high = max(0, yc - half), min(ny, yc + half + 1)
    if x_low >= x_high or y_low >= y_high:
        return np.zeros(2)
    cut = slice(y_low, y_high), slice(x_low, x_high)
    y, x = np.mgrid[cut].astype("f8")
    stamp = evaluate(mixture, x - xy[0], y - xy[1])
    weight = exposure.ierr[cut].astype("f8") ** 2
    residual = exposure.data[cut] - model[cut]
    if not np.any(weight):
        return np.zeros(2)
    stamp = stamp - np.average(stamp, weights=weight)  # the constant, projected out
    return np.array([np.sum(weight * residual * stamp), np.sum(weight * stamp**2)])


def next_source(rows) -> np.ndarray:
    """Distance (arcsec) from each of some rows (N,), by ra and dec, to the next; infinite without one."""
    if len(rows) < 2:
        return np.full(len(rows), np.inf)
    xyz = unit_vectors(rows["ra"], rows["dec"])
    _, near = cKDTree(xyz).query(xyz, k=2)
    other = rows[np.where(near[:, 0] == np.arange(len(rows)), near[:, 1], near[:, 0])]
    return separation(rows["ra"], rows["dec"], other["ra"], other["dec"])


def core_size(exposures, psfstore, interpolation="nearest") -> float:
    """Typical sigma of the PSF's core in the images, arcsec."""
    return float(np.sqrt(np.median([_core_arcsec(one, psfstore, interpolation) for one in exposures])))


def _peaks(snr, nsigma, reach) -> np.ndarray:
    """Peaks (N, 3): x, y on the grid, S/N; brightest first. `reach` is the core's sigma in grid pixels."""
    x, y, prominence = summits(snr, nsigma)
    height = snr[y, x]
    own = prominence >= np.maximum(MIN_PROMINENCE, PROMINENCE * (height - prominence))
    x, y, height = x[own], y[own], height[own]
    kept: list[int] = []
    for i in range(len(x)):  # highest first
        near = [j for j in kept if np.hypot(x[i] - x[j], y[i] - y[j]) < WINGS * reach]
        if not any(height[i] < CONTRAST * height[j] for j in near):
            kept.append(i)
    return np.array([_refine(snr, x[i], y[i]) for i in kept]).reshape(-1, 3)


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


def _core_arcsec(exposure, psfstore, interpolation) -> float:
    """Variance of the PSF's core, arcsec^2."""
    ny, nx = exposure.data.shape
    centre = (nx - 1) / 2, (ny - 1) / 2
    ra, dec = exposure.wcs.pixel_to_world_values(*centre)
    _, scale = linearize(exposure.wcs, np.atleast_1d(ra), np.atleast_1d(dec))
    key = psfstore.resolve(exposure.id, exposure.band, exposure.psf)
    return core_variance(psfstore.mixture(key, *centre, interpolation)) / abs(np.linalg.det(scale[0]))
