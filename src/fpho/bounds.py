"""Allowed ranges of source parameters, one row per source."""

import numpy as np

from .config import Bounds
from .parameters import error_col, q_names

FALLBACK_PIXEL = 0.1  # arcsec; only when neither the options nor the caller know the pixels


def make_bounds(
    rows, bands, options: Bounds | None = None, pixscale: float | None = None, flux_noise=None
) -> np.ndarray:
    """Bounds of scene rows (S,): structured, a field (lower, upper) for each name of `q_names(bands)`.

    Fluxes (nJy) get wide ranges: `n_sig_flux` uncertainties, and at least `maxfluxfactor` times the flux
    (or the typical flux of the band) to either side. `pixscale` (arcsec) is the coarsest of the images;
    `flux_noise` (S, B) what their pixels say of the uncertainties (nJy), where it is larger than the rows'.
    Held parameters have lower = upper: shapes of point sources, and what `options.held` names.
    """
    options = options or Bounds()
    bounds = np.zeros(len(rows), [(name, "f8", (2,)) for name in q_names(bands)])
    for b, band in enumerate(bands):
        error = rows[error_col(band)]
        error = error if flux_noise is None else np.fmax(error, flux_noise[:, b])
        bounds[band] = _flux_bounds(rows[band], error, options)
    half = options.dpos or options.n_pix * (options.pixscale or pixscale or FALLBACK_PIXEL)
    half_ra = half / 3600 / np.cos(np.radians(rows["dec"]))
    bounds["ra"] = np.stack([rows["ra"] - half_ra, rows["ra"] + half_ra], axis=-1)
    bounds["dec"] = np.stack([rows["dec"] - half / 3600, rows["dec"] + half / 3600], axis=-1)
    ranges = {
        "q": options.sqrtq_range,
        "pa": options.pa_range,
        "sersic": options.sersic_range,
        "rhalf": options.rhalf_range,
    }
    for name, limits in ranges.items():
        bounds[name] = np.where(rows["is_point"][:, None], _held(rows, name), limits)
    for name in options.held:
        bounds[name] = _held(rows, name)
    return bounds


def _held(rows, name) -> np.ndarray:
    return np.stack([rows[name], rows[name]], axis=-1)


def _flux_bounds(flux, error, options) -> np.ndarray:
    finite = np.abs(flux[np.isfinite(flux)])
    typical = np.median(finite) if len(finite) else 1.0
    half = options.maxfluxfactor * np.maximum(np.abs(flux), max(typical, 1e-3))
    half = np.fmax(half, options.n_sig_flux * error)
    lower = flux - half if options.minflux is None else np.full(len(flux), options.minflux)
    return np.stack([lower, flux + half], axis=-1)
