"""Final scene rows of a patch: values, flux errors and flags, from an optimum or from draws."""

import numpy as np

from ..flags import Flag
from ..models import ANGLE, PARAMETERS, POSITIVE, RATIO
from ..parameters import POSITION_COLS, ellipticity, error_col, fill_rows, from_ellipticity, q_names
from .fit import fit_quality
from .light import light_outside, too_much_outside

EDGE = 0.01  # of the range (sizes: of its log): nearer to a bound than this is at it
DOMINATED = 0.9  # posterior sd of a shape in units of its prior's
OURS = (
    Flag.OPTIMIZE_FAILED
    | Flag.AT_BOUND
    | Flag.PRIOR_DOMINATED
    | Flag.NOT_CONVERGED
    | Flag.DIVERGENCES
    | Flag.HARD_POSTERIOR
    | Flag.NO_DATA
    | Flag.MISSING_BAND
    | Flag.POOR_FIT
    | Flag.LIGHT_OUTSIDE
)


def optimum_rows(model, optimum, active) -> np.ndarray:
    """Scene rows (S,) at an optimum, flux errors from the marginal covariance (nJy)."""
    rows = fill_rows(active, optimum.q, model.bands, model.reference)
    error = np.sqrt(np.diag(optimum.covariance))
    _set_errors(rows, model.plan, lambda i, unit: unit * error[i])
    own = np.zeros(len(rows), int) if optimum.converged else np.full(len(rows), int(Flag.OPTIMIZE_FAILED))
    return _flagged(rows, active, model, optimum.q, error, own)


def sampled_rows(model, chain, z, active, flags: int) -> tuple[np.ndarray, np.ndarray]:
    """(scene rows, q) at the medians of draws: chain (N, P) in q's order, z (N, ndim).

    A shape's median is that of the ellipticity's components, so q and pa belong together.
    """
    q = np.median(chain, axis=0)
    names, n_sources = q_names(model.bands), len(active)
    block = q[: n_sources * len(names)].reshape(n_sources, len(names))
    draws = chain[:, : block.size].reshape(len(chain), n_sources, len(names))
    for k in [k for k, name in enumerate(names) if name in PARAMETERS and PARAMETERS[name].kind == RATIO]:
        middle = np.median(np.stack(ellipticity(draws[..., k], draws[..., k + 1])), axis=1)
        shape = np.stack(from_ellipticity(*middle), axis=-1)
        free = model.plan.index[:, k] >= 0
        block[free, k : k + 2] = shape[free]
    rows = fill_rows(active, q, model.bands, model.reference)
    spread = z.std(axis=0)
    _set_errors(rows, model.plan, lambda i, unit: unit * spread[i])
    own = np.full(len(rows), flags)
    return _flagged(rows, active, model, q, spread, own), q


def _set_errors(rows, plan, error) -> None:
    for s, index in enumerate(plan.index):
        for b, band in enumerate(plan.columns[: plan.n_bands]):
            free = index[b] >= 0
            rows[error_col(band)][s] = error(index[b], plan.unit[s, b]) if free else np.nan


def _flagged(rows, active, model, q, spread, own) -> np.ndarray:
    """Rows with flags: those of other stages stay, ours are set anew."""
    flags = (active["flags"] & ~int(OURS)) | own
    flags |= _at_bound(rows, model) | _dominated(model.plan, spread, len(rows))
    flags |= _without_data(model)
    flux, error = (np.stack([rows[of(b)] for b in model.bands], axis=-1) for of in (str, error_col))
    extrapolated = too_much_outside(light_outside(model, q), flux, error)
    flags |= np.where(extrapolated, int(Flag.LIGHT_OUTSIDE), 0)
    rows["flags"] = flags | np.where(fit_quality(model, q).poor, int(Flag.POOR_FIT), 0)
    return rows


def _at_bound(rows, model) -> np.ndarray:
    """AT_BOUND where a free shape or position lies at the edge of its range; a round source does not."""
    flags = np.zeros(len(rows), int)
    for name in (*POSITION_COLS, *PARAMETERS):
        kind = PARAMETERS[name].kind if name in PARAMETERS else None
        if kind == ANGLE:
            continue
        low, high = model.bounds[name].T
        value = rows[name]
        if kind == POSITIVE:
            with np.errstate(divide="ignore"):
                low, high, value = np.log(low), np.log(high), np.log(value)
        with np.errstate(divide="ignore", invalid="ignore"):
            place = (value - low) / (high - low)
        at = (place < EDGE) | ((place > 1 - EDGE) & ((kind != RATIO) | (high < 1)))
        free = model.plan.index[:, model.plan.column(name)] >= 0
        flags[free & at] |= int(Flag.AT_BOUND)
    return flags


def _dominated(plan, spread, n_sources) -> np.ndarray:
    """PRIOR_DOMINATED where a coordinate of index or size is as wide as its prior, which has width 1."""
    flags = np.zeros(n_sources, int)
    for i, (s, name) in enumerate(plan.names()):
        if name in PARAMETERS and PARAMETERS[name].kind == POSITIVE and spread[i] > DOMINATED:
            flags[s] |= int(Flag.PRIOR_DOMINATED)
    return flags


def _without_data(model) -> np.ndarray:
    """MISSING_BAND and NO_DATA, by the exposures whose good pixels come near a source."""
    near = model.near_pixels()  # (E, S)
    flags = np.zeros(near.shape[1], int)
    seen = np.array([near[model.arrays.band == b].any(axis=0) for b in range(len(model.bands))])
    flags[~seen.all(axis=0)] |= int(Flag.MISSING_BAND)
    flags[~seen.any(axis=0)] |= int(Flag.NO_DATA)
    return flags
