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
    halo = HaloDraws(model.rows[n:], model.bounds[n:], out.z, out.cov)
    own = replace(out.marginal(model.plan, n), halo=halo)
    return own, np.concatenate([fixed, rows[n:]])


def own_optimum(optimum, model, n: int, fixed):
    """(`Optimum` of the first n sources with marginal matrix, fixed rows with the halo at its optimum)."""
    rows = optimum_rows(model, optimum, model.rows)
    keep, columns = model.plan.of_sources(n)
    matrix = np.linalg.inv(optimum.covariance[np.ix_(keep, keep)])
    own = replace(
        optimum,
        z=optimum.z[keep],
        q=optimum.q[columns],
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
