"""Fluxes given shapes: a linear problem, solved exactly."""

import numpy as np

from .optimize.newton import solve


def optimize_fluxes(model, q) -> tuple[np.ndarray, np.ndarray]:
    """The best fluxes (and backgrounds) at the positions and shapes of a vector q.

    The prior of the fluxes is left out: these are the least-squares fluxes.

    Parameters
    ----------
    model : `Posterior`
    q : (P,)

    Returns
    -------
    fluxes : (S, B) nJy; held fluxes stay as they are
    precision : (B, S, S) flux precision matrix of each band (nJy^-2), backgrounds marginalised; 0 where held
    """
    plan = model.plan
    z = model.transform.inverse_transform(np.asarray(q, "f8"))
    mask = plan.linear
    z[mask] = 0.0
    sky = np.arange(plan.ndim) >= plan.sky_index
    matrix = model.fisher(z, prior=False) + np.diag(np.where(sky, plan.curvature(), 0.0))
    _, gradient = model.lnprob_and_grad(z)
    gradient = gradient - _flux_prior_slope(plan, z) - model.population_slope(z)
    matrix, gradient = matrix[np.ix_(mask, mask)], gradient[mask]
    z[mask] += solve(matrix + _floor(matrix), gradient)
    fluxes = model.transform.transform(z)[: plan.index.size].reshape(plan.index.shape)[:, : plan.n_bands]
    return fluxes, _precisions(plan, matrix, np.flatnonzero(mask))


def flux_precisions(model, q, n: int) -> np.ndarray:
    """(B, n, n) flux precision of the first n sources (nJy^-2), the others' fluxes marginalised."""
    whole = optimize_fluxes(model, q)[1]
    if whole.shape[-1] == n:
        return whole
    return np.array([np.linalg.pinv(np.linalg.pinv(band)[:n, :n]) for band in whole])


def _floor(matrix) -> np.ndarray:
    """A trace of curvature where a flux has no data, so that it stays at 0."""
    return np.diag(np.where(np.diag(matrix) > 0, 0.0, 1.0))


def _flux_prior_slope(plan, z) -> np.ndarray:
    from .posterior.compiled import log_flux_prior

    slope = np.zeros(plan.ndim)
    for s, b in zip(*np.nonzero(plan.index[:, : plan.n_bands] >= 0), strict=True):
        i = plan.index[s, b]
        slope[i] = log_flux_prior(plan.flux_prior[s, b], plan.unit[s, b], z[i])[1]
    return slope


def _precisions(plan, matrix, coordinates) -> np.ndarray:
    """Blocks by band of the flux part; backgrounds are marginalised by the Schur complement."""
    n_sources, n_bands = len(plan.index), plan.n_bands
    out = np.zeros((n_bands, n_sources, n_sources))
    sky = coordinates >= plan.sky_index
    fluxes = matrix[np.ix_(~sky, ~sky)]
    if sky.any():
        cross = matrix[np.ix_(~sky, sky)]
        fluxes = fluxes - cross @ solve(matrix[np.ix_(sky, sky)], cross.T)
    place = {i: k for k, i in enumerate(coordinates[~sky])}
    for b in range(n_bands):
        free = np.flatnonzero(plan.index[:, b] >= 0)
        where = [place[i] for i in plan.index[free, b]]
        unit = plan.unit[free, b]
        out[b][np.ix_(free, free)] = fluxes[np.ix_(where, where)] / np.outer(unit, unit)
    return out
