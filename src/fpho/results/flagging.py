"""Flags of a patch's sources, from an optimum or from draws; what each means: `fpho.flags`."""

import numpy as np

from ..flags import Flag
from ..models import ANGLE, PARAMETERS, POSITIVE, RATIO
from ..parameters import POSITION_COLS, q_names, wrap_degrees
from .fit import fit_quality
from .light import light_outside, too_much_outside

EDGE = 0.01  # of the range (sizes: of its log): nearer to a bound than this is at it
AT_EDGE = 0.16  # share of the draws there
DOMINATED = 0.9  # posterior sd of a shape in units of its prior's
PULLED = 3.0  # of a prior's sd
CENTRE, NEAR = 1.0, 3.0  # pixels from a source within which a good one must be
INDEX = "sersic"  # its own flag: below S/N 10 or so an image says nothing about it
OURS = (
    Flag.OPTIMIZE_FAILED
    | Flag.AT_BOUND
    | Flag.PRIOR_DOMINATED
    | Flag.INDEX_FROM_PRIOR
    | Flag.PRIOR_PULLED
    | Flag.NOT_CONVERGED
    | Flag.DIVERGENCES
    | Flag.HARD_POSTERIOR
    | Flag.NO_DATA
    | Flag.MISSING_BAND
    | Flag.POOR_FIT
    | Flag.LIGHT_OUTSIDE
)


def flags_of_sources(model, rows, active, q, spread, own, chain=None) -> np.ndarray:
    """(S,) flags: those of other stages stay, ours are set anew.

    Parameters
    ----------
    model : `Posterior`
    rows, active : scene rows (S,), fitted and before
    q : (P,) the fitted values; spread : (ndim,) standard deviations in z
    own : (S,) or int, flags that are known from the search or the sampler
    chain : (N, P) draws in the order of q; None for an optimum
    """
    flags = (active["flags"] & ~int(OURS)) | own
    flags |= _at_bound(model, rows, q[None] if chain is None else chain)
    flags |= _from_prior(model, spread, len(rows)) | _pulled(model, rows, q) | _without_data(model)
    extrapolated = too_much_outside(light_outside(model, q), rows, model.bands)
    flags |= np.where(extrapolated, int(Flag.LIGHT_OUTSIDE), 0)
    return flags | np.where(fit_quality(model, q).poor, int(Flag.POOR_FIT), 0)


def _at_bound(model, rows, vectors) -> np.ndarray:
    """AT_BOUND where a free shape or position lies at the edge of its range; a round source does not.

    vectors : (N, P), one value or draws: a posterior that piles up at a bound has its median beside it.
    A flux is at its bound from where its flat prior ends.
    """
    kinds, middle, half = (model.plan.flux_prior[..., k] for k in range(3))
    fluxes = np.stack([rows[band] for band in model.bands], axis=-1)
    beyond = (model.plan.index[:, : len(model.bands)] >= 0) & (kinds == 0)
    beyond &= np.abs(fluxes - middle) > half
    flags = np.where(beyond.any(axis=1), int(Flag.AT_BOUND), 0)
    names = q_names(model.bands)
    values = vectors[:, : len(rows) * len(names)].reshape(len(vectors), len(rows), len(names))
    for name in (*POSITION_COLS, *PARAMETERS):
        kind = PARAMETERS[name].kind if name in PARAMETERS else None
        if kind == ANGLE:
            continue
        low, high = model.bounds[name].T
        value = values[..., names.index(name)]
        if name in POSITION_COLS:  # offsets from the reference, as in q
            origin = model.reference[POSITION_COLS.index(name)]
            low, high = wrap_degrees(low - origin), wrap_degrees(high - origin)
        if kind == POSITIVE:
            with np.errstate(divide="ignore"):
                low, high, value = np.log(low), np.log(high), np.log(value)
        with np.errstate(divide="ignore", invalid="ignore"):
            place = (value - low) / (high - low)
        below, above = place < EDGE, (place > 1 - EDGE) & ((kind != RATIO) | (high < 1))
        at = (below.mean(axis=0) > AT_EDGE) | (above.mean(axis=0) > AT_EDGE)
        free = model.plan.index[:, model.plan.column(name)] >= 0
        flags[free & at] |= int(Flag.AT_BOUND)
    return flags


def _from_prior(model, spread, n_sources) -> np.ndarray:
    """PRIOR_DOMINATED and INDEX_FROM_PRIOR where a coordinate is as wide as its prior."""
    flags = np.zeros(n_sources, int)
    share = spread / model.prior_width
    for i, (s, name) in enumerate(model.plan.names()):
        if name in PARAMETERS and PARAMETERS[name].kind == POSITIVE and share[i] > DOMINATED:
            flags[s] |= int(Flag.INDEX_FROM_PRIOR if name == INDEX else Flag.PRIOR_DOMINATED)
    return flags


def _pulled(model, rows, q) -> np.ndarray:
    """PRIOR_PULLED where a flux, or the background of an exposure with the source, is far from its prior.

    Flat priors of fluxes end in a bound, which is another flag.
    """
    plan = model.plan
    kinds, middle, scale = (plan.flux_prior[..., k] for k in range(3))
    fluxes = np.stack([rows[band] for band in model.bands], axis=-1)
    free = (plan.index[:, : len(model.bands)] >= 0) & (kinds > 0)
    pulled = (free & (np.abs(fluxes - middle) > PULLED * scale)).any(axis=1)
    n_terms = len(plan.sky_unit)
    if n_terms:
        far = np.abs(q[-n_terms:]) * np.sqrt(plan.sky_curvature) > PULLED
        pulled |= (model.near_pixels(NEAR) & far[:, None]).any(axis=0)
    return np.where(pulled, int(Flag.PRIOR_PULLED), 0)


def _without_data(model) -> np.ndarray:
    """MISSING_BAND: no good pixel near in a band; NO_DATA: none at the source's place in any exposure."""
    near, centre = model.near_pixels(NEAR), model.near_pixels(CENTRE)  # (E, S)
    seen = np.array([near[model.arrays.band == b].any(axis=0) for b in range(len(model.bands))])
    flags = np.where(seen.all(axis=0), 0, int(Flag.MISSING_BAND))
    return flags | np.where(centre.any(axis=0), 0, int(Flag.NO_DATA))
