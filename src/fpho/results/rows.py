"""Final scene rows of a patch: values, flux errors and flags, from an optimum or from draws."""

import numpy as np

from ..flags import Flag
from ..models import PARAMETERS, RATIO
from ..parameters import ellipticity, error_col, fill_rows, from_ellipticity, q_names
from .flagging import NEAR, flags_of_sources

UNINFORMED = 0.5  # of the standard deviation of a uniform prior: a larger error is the prior's


def optimum_rows(model, optimum, active) -> np.ndarray:
    """Scene rows (S,) at an optimum, flux errors from the marginal covariance (nJy).

    Fluxes that the pixels say nothing of stay what they were: they would wander from stage to stage.
    """
    error = np.sqrt(np.diag(optimum.covariance))
    rows = filled_rows(model, active, optimum.q, error)
    own = np.zeros(len(rows), int) if optimum.converged else np.full(len(rows), int(Flag.OPTIMIZE_FAILED))
    rows["flags"] = flags_of_sources(model, rows, active, optimum.q, error, own)
    for b, band in enumerate(model.bands):
        rows[band] = np.where(_unmeasured(model, rows, b, band), active[band], rows[band])
    return rows


def _unmeasured(model, rows, b: int, band: str) -> np.ndarray:
    """(S,) whether no good pixel is near in a band and the flux's error is that of its bounds."""
    near = model.near_pixels(NEAR)[model.arrays.band == b].any(axis=0)
    spread = np.ptp(model.bounds[band], axis=-1) / np.sqrt(12)
    return ~near & (rows[error_col(band)] > UNINFORMED * spread)


def medians(model, chain) -> np.ndarray:
    """q (P,) at the medians of draws, chain (N, P).

    A shape's median is that of the ellipticity's components, so q and pa belong together.
    """
    q = np.median(chain, axis=0)
    names, n_sources = q_names(model.bands), len(model.rows)
    block = q[: n_sources * len(names)].reshape(n_sources, len(names))
    draws = chain[:, : block.size].reshape(len(chain), n_sources, len(names))
    for k in [k for k, name in enumerate(names) if name in PARAMETERS and PARAMETERS[name].kind == RATIO]:
        middle = np.median(np.stack(ellipticity(draws[..., k], draws[..., k + 1])), axis=1)
        shape = np.stack(from_ellipticity(*middle), axis=-1)
        free = model.plan.index[:, k] >= 0
        block[free, k : k + 2] = shape[free]
    return q


def sampled_rows(model, chain, z, active, flags: int) -> tuple[np.ndarray, np.ndarray]:
    """(scene rows, q) at the medians of draws: chain (N, P) in q's order, z (N, ndim)."""
    q, spread = medians(model, chain), z.std(axis=0)
    rows = filled_rows(model, active, q, spread)
    own = np.full(len(rows), flags)
    rows["flags"] = flags_of_sources(model, rows, active, q, spread, own, chain)
    return rows, q


def filled_rows(model, active, q, spread) -> np.ndarray:
    """Scene rows (S,) with the values q (P,), and flux errors from standard deviations of z (ndim,)."""
    rows, plan = fill_rows(active, q, model.bands, model.reference), model.plan
    spread = np.append(spread, np.nan)  # the last is that of fluxes that are held
    for b, band in enumerate(plan.columns[: plan.n_bands]):
        rows[error_col(band)] = plan.unit[:, b] * spread[plan.index[:, b]]
    return rows


def draws_by_source(model, chain) -> np.ndarray:
    """Draws (N, P), vectors q of a posterior's patch, by source: structured (S, N), positions in degrees."""
    names, n_sources = q_names(model.bands), len(model.rows)
    block = chain[:, : n_sources * len(names)].reshape(-1, n_sources, len(names))
    out = np.zeros((n_sources, len(block)), [(name, "f8") for name in names])
    for k, name in enumerate(names):
        out[name] = block[..., k].T
    out["ra"] = np.mod(out["ra"] + model.reference[0], 360.0)
    out["dec"] += model.reference[1]
    return out
