"""Fluxes and sizes of peaks, from the pixels of all exposures: a round Gaussian through each one's PSF."""

from dataclasses import dataclass

import numpy as np

from ..geometry import linearize, separation, unit_vectors
from ..parameters import error_col
from ..psf.mixture import evaluate
from .matched import half_size

RHALF_OF_SIGMA = 1.1774  # half-light radius of a round Gaussian in units of its sigma
SIZES = np.array([0.3, 0.6, 1.0, 1.6, 2.5, 4.0, 6.5, 10.0])  # sigmas that are tried, in units of the PSF's


def peak_dtype(bands) -> np.dtype:
    """Row of the table of peaks."""
    fluxes = [name for band in bands for name in (band, error_col(band))]
    return np.dtype([(name, "f8") for name in ("ra", "dec", "snr", "rhalf", *fluxes)])


@dataclass(frozen=True)
class Fits:
    """Peaks (N,) taken for round Gaussians of some half-light radii (Z,) through the PSF."""

    sizes: np.ndarray  # (Z,) arcsec
    gain: np.ndarray  # (Z, N) by how much chi-square falls
    flux: np.ndarray  # (Z, N, B) nJy; 0 without data
    error: np.ndarray  # (Z, N, B) nJy; NaN without data

    def best(self, apart: np.ndarray) -> np.ndarray:
        """Size (N,), an index, that lowers chi-square most, none wider than a quarter of `apart` (arcsec)."""
        allowed = self.sizes[:, None] <= 0.25 * RHALF_OF_SIGMA * apart
        allowed[0] = True
        return np.argmax(np.where(allowed, self.gain, -1.0), axis=0)


def measure(
    peaks, exposures, models, psfstore, bands, sizes, interpolation="nearest", apart=None
) -> np.ndarray:
    """Fill the half-light radius, fluxes and errors (nJy; 0 and NaN without data) of peaks (N,).

    Returns their S/N (N,) against what lies around them, bands added in quadrature.

    apart : (N,) arcsec to the next source, by default the next peak, see `Fits.best`. Fluxes of galaxies
    come out 10 to 40% low (n = 1 to 2): good enough to start from.
    """
    fits = fit_sizes(peaks, exposures, models, psfstore, bands, sizes, interpolation)
    best = fits.best(next_source(peaks) if apart is None else apart), np.arange(len(peaks))
    peaks["rhalf"] = fits.sizes[best[0]]
    for i, band in enumerate(bands):
        peaks[band], peaks[error_col(band)] = fits.flux[best][:, i], fits.error[best][:, i]
    return np.sqrt(fits.gain[best])


def fit_sizes(places, exposures, models, psfstore, bands, sizes, interpolation="nearest") -> Fits:
    """Best fluxes of round Gaussians of `sizes` (half-light radii, arcsec) at places (N,), by ra and dec.

    A constant under each stamp takes up sky and neighbours' wings.
    """
    index = {band: i for i, band in enumerate(bands)}
    sums = np.zeros((len(sizes), len(places), len(bands), 2))
    for exposure, model in zip(exposures, models, strict=True):
        if exposure.band not in index:
            continue
        key = psfstore.resolve(exposure.id, exposure.band, exposure.psf)
        position, scale = linearize(exposure.wcs, places["ra"], places["dec"])
        for i in np.flatnonzero(np.isfinite(position).all(axis=1)):
            mixture = psfstore.mixture(key, *position[i], interpolation)
            for sums_of_size, rhalf in zip(sums, sizes, strict=True):
                wide = _widened(mixture, rhalf / RHALF_OF_SIGMA, scale[i])
                sums_of_size[i, index[exposure.band]] += _stamp_sums(exposure, model, wide, position[i])
    seen = sums[..., 1] > 0
    norm = np.where(seen, sums[..., 1], 1.0)
    gain = np.sum(np.where(seen, np.maximum(sums[..., 0], 0) ** 2 / norm, 0.0), axis=-1)
    flux, error = np.where(seen, sums[..., 0] / norm, 0.0), np.where(seen, norm**-0.5, np.nan)
    return Fits(np.asarray(sizes, "f8"), gain, flux, error)


def _widened(mixture, sigma, scale) -> np.ndarray:
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
    from scipy.spatial import cKDTree  # slow to import

    _, near = cKDTree(xyz).query(xyz, k=2)
    other = rows[np.where(near[:, 0] == np.arange(len(rows)), near[:, 1], near[:, 0])]
    return separation(rows["ra"], rows["dec"], other["ra"], other["dec"])
