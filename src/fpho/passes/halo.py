"""Sources of other patches that are fitted along: what comes out is of the patch's own sources alone.

The own sources' draws (or covariance) are then marginal ones, wide by all that the halo is uncertain.
"""

from dataclasses import replace

import numpy as np

from ..linear import optimize_fluxes
from ..results import HaloDraws
from ..results.rows import optimum_rows, sampled_rows
from .opening import prepare
from .tasks import PatchTask


def with_halo(task: PatchTask) -> PatchTask:
    """The task with the halo among its active sources, after its own."""
    return replace(task, active=np.concatenate([task.active, task.halo]), halo=task.halo[:0])


def alone(patcher, model, n: int, fixed, config):
    """The posterior of the first n sources of a model, with these fixed ones."""
    return prepare(patcher, model.rows[:n], fixed, model.bounds[:n], config)[0]


def own_draws(out, model, n: int, fixed):
    """(`Result` of the first n sources, fixed rows with the halo at its medians) of draws of both."""
    rows, _ = sampled_rows(model, out.chain, out.z.reshape(-1, out.z.shape[-1]), model.rows, out.flags)
    keep, columns = coordinates(model.plan, n), columns_of(model.plan, n)
    own = replace(
        out,
        z=np.ascontiguousarray(out.z[..., keep]),
        chain=np.ascontiguousarray(out.chain[:, columns]),
        cov=out.cov[keep] if out.cov.ndim == 1 else out.cov[np.ix_(keep, keep)],
        optimum_z=out.optimum_z[keep],
        optimum_q=out.optimum_q[columns],
        halo=HaloDraws(model.rows[n:], model.bounds[n:], out.z, out.cov),
    )
    return own, np.concatenate([fixed, rows[n:]])


def own_optimum(optimum, model, n: int, fixed):
    """(`Optimum` of the first n sources with marginal matrix, fixed rows with the halo at its optimum)."""
    rows = optimum_rows(model, optimum, model.rows)
    keep = coordinates(model.plan, n)
    matrix = np.linalg.inv(optimum.covariance[np.ix_(keep, keep)])
    own = replace(
        optimum,
        z=optimum.z[keep],
        q=optimum.q[columns_of(model.plan, n)],
        gradient=optimum.gradient[keep],
        matrix=0.5 * (matrix + matrix.T),
    )
    return own, np.concatenate([fixed, rows[n:]])


def flux_precisions(model, q, n: int) -> np.ndarray:
    """(B, n, n) flux precision of the first n sources (nJy^-2), the others' fluxes marginalised."""
    whole = optimize_fluxes(model, q)[1]
    if whole.shape[-1] == n:
        return whole
    return np.array([np.linalg.pinv(np.linalg.pinv(band)[:n, :n]) for band in whole])


def coordinates(plan, n: int) -> np.ndarray:
    """Coordinates in z of the first n sources, and of the backgrounds."""
    own = plan.index[:n]
    return np.concatenate([np.sort(own[own >= 0]), np.arange(plan.sky_index, plan.ndim)])


def columns_of(plan, n: int) -> np.ndarray:
    """Columns of q of the first n sources, and of the backgrounds."""
    n_sources, width = plan.index.shape
    sky = n_sources * width + np.arange(len(plan.sky_unit))
    return np.concatenate([np.arange(n * width), sky])
