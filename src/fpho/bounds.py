"""Allowed ranges of source parameters, one row per source."""

import numpy as np

from .config import Bounds
from .models import MODELS, models_of, parameters_of
from .parameters import POSITION_COLS, error_col, first_position

UNIFORM = np.sqrt(3)  # half-width of a uniform distribution over its standard deviation
FALLBACK_PIXEL = 0.1  # arcsec; only when neither the options nor the caller know the pixels


def make_bounds(
    rows,
    bands,
    options: Bounds | None = None,
    pixscale: float | None = None,
    flux_noise=None,
    models=None,
    typical_noise=None,
) -> np.ndarray:
    """Bounds of scene rows (S,): structured, a field (lower, upper) for each parameter in the order of q.

    The box of a position is that of the run: its middle is the catalog's position, whatever stage it is.
    Fluxes (nJy) get wide ranges: `n_sig_flux` uncertainties, and at least `maxfluxfactor` times the flux
    (or the typical flux of the band) to either side. `pixscale` (arcsec) is the coarsest of the images;
    `flux_noise` (S, B) what their pixels say of the uncertainties (nJy), where it is larger than the rows';
    NaN where no pixel sees a source, so that bounds and posterior restate the row's uncertainty, or that of
    `typical_noise` (S, B) where it is larger, and do not widen from stage to stage.
    `models` (S,) the sources' models, those that the rows name when None.
    Held parameters have lower = upper: those that a source's model does not have, such as the shapes of point
    sources, and what `options.held` names.
    """
    options = options or Bounds()
    models = models_of(rows) if models is None else models
    parameters = parameters_of([*MODELS, *models])
    bounds = np.zeros(len(rows), [(n, "f8", (2,)) for n in (*bands, *POSITION_COLS, *parameters)])
    for b, band in enumerate(bands):
        half = options.n_sig_flux * rows[error_col(band)]
        if flux_noise is not None:
            half = np.fmax(half, options.n_sig_flux * flux_noise[:, b])
        if typical_noise is not None:
            unseen = np.fmax(UNIFORM * rows[error_col(band)], options.n_sig_flux * typical_noise[:, b])
            half = np.where(np.isnan(flux_noise[:, b]), unseen, half)
        bounds[band] = _flux_bounds(rows[band], half, options)
    half = options.dpos or options.n_pix * (options.pixscale or pixscale or FALLBACK_PIXEL)
    ra, dec = first_position(rows)
    half_ra = half / 3600 / np.cos(np.radians(dec))
    bounds["ra"] = np.stack([ra - half_ra, ra + half_ra], axis=-1)
    bounds["dec"] = np.stack([dec - half / 3600, dec + half / 3600], axis=-1)
    for name, parameter in parameters.items():
        limits = getattr(options, parameter.option) if parameter.option else parameter.range
        has = np.array([name in model.names for model in models], bool)
        bounds[name] = np.where(has[:, None], limits, _held(rows, name))
    for name in options.held:
        bounds[name] = _held(rows, name)
    return bounds


def _held(rows, name) -> np.ndarray:
    return np.stack([rows[name], rows[name]], axis=-1)


def _flux_bounds(flux, least, options) -> np.ndarray:
    """(S, 2) bounds to both sides of fluxes (S,), by their size and by `least` (S,)."""
    finite = np.abs(flux[np.isfinite(flux)])
    typical = np.median(finite) if len(finite) else 1.0
    half = options.maxfluxfactor * np.maximum(np.abs(flux), max(typical, 1e-3))
    half = np.fmax(half, least)
    lower = flux - half if options.minflux is None else np.full(len(flux), options.minflux)
    return np.stack([lower, flux + half], axis=-1)
