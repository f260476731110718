"""Allowed ranges of source parameters, one row per source."""

import numpy as np

from .config import Bounds
from .models import MODELS, models_of, parameters_of
from .parameters import error_col, first_position

UNIFORM = np.sqrt(3)  # half-width of a uniform distribution over its standard deviation
FALLBACK_PIXEL = 0.1  # arcsec; only when neither the options nor the caller know the pixels


def make_bounds(
    rows,
    bands,
    options: Bounds | None = None,
    pixscale: float | None = None,
    flux_noise=None,
    typical_noise=None,
    models=None,
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
    half = options.dpos or options.n_pix * (options.pixscale or pixscale or FALLBACK_PIXEL)
    found = _flux_bounds(rows, bands, options, flux_noise, typical_noise) | _position_bounds(rows, half)
    models = models_of(rows) if models is None else models
    for name, parameter in parameters_of([*MODELS, *models]).items():
        limits = getattr(options, parameter.option) if parameter.option else parameter.range
        has = np.array([name in model.names for model in models], bool)
        found[name] = np.where(has[:, None], limits, _held(rows, name))
    bounds = np.zeros(len(rows), [(name, "f8", (2,)) for name in found])
    for name, limits in found.items():
        bounds[name] = _held(rows, name) if name in options.held else limits
    return bounds


def _held(rows, name) -> np.ndarray:
    return np.stack([rows[name], rows[name]], axis=-1)


def _flux_bounds(rows, bands, options, noise, typical) -> dict[str, np.ndarray]:
    """(S, 2) by band, as wide as the rows' errors, `noise` and `typical` (S, B) ask for."""
    found = {}
    for b, band in enumerate(bands):
        half = options.n_sig_flux * rows[error_col(band)]
        if noise is not None:
            half = np.fmax(half, options.n_sig_flux * noise[:, b])
        if typical is not None:
            unseen = np.fmax(UNIFORM * rows[error_col(band)], options.n_sig_flux * typical[:, b])
            half = np.where(np.isnan(noise[:, b]), unseen, half)
        found[band] = _around(rows[band], half, options)
    return found


def _position_bounds(rows, half: float) -> dict[str, np.ndarray]:
    """(S, 2) of ra and dec, `half` (arcsec) to each side of the catalog's positions."""
    ra, dec = first_position(rows)
    half_ra = half / 3600 / np.cos(np.radians(dec))
    return {
        "ra": np.stack([ra - half_ra, ra + half_ra], axis=-1),
        "dec": np.stack([dec - half / 3600, dec + half / 3600], axis=-1),
    }


def _around(flux, least, options) -> np.ndarray:
    """(S, 2) bounds to both sides of fluxes (S,), by their size and by `least` (S,)."""
    finite = np.abs(flux[np.isfinite(flux)])
    typical = np.median(finite) if len(finite) else 1.0
    half = options.maxfluxfactor * np.maximum(np.abs(flux), max(typical, 1e-3))
    half = np.fmax(half, least)
    lower = flux - half if options.minflux is None else np.full(len(flux), options.minflux)
    return np.stack([lower, flux + half], axis=-1)
