"""Sources of other patches that are fitted along: what comes out is of the patch's own sources alone.

The own sources' draws (or covariance) are then marginal ones, wide by all that the halo is uncertain.
"""

from dataclasses import replace

import numpy as np

from ..results import HaloDraws
from ..results.rows import optimum_rows, sampled_rows
from .opening import OpenPatch


def own_draws(patch: OpenPatch, model, out):
    """(`Posterior`, `Result`, fixed rows) of the own sources, the halo fixed at its medians."""
    n = patch.n_own
    if n == len(model.rows):
        return model, out, patch.fixed
    rows, _ = sampled_rows(model, out.chain, out.z.reshape(-1, out.z.shape[-1]), model.rows, out.flags)
    halo = HaloDraws(model.rows[n:], model.bounds[n:], out.z, out.cov)
    fixed = np.concatenate([patch.fixed, rows[n:]])
    own = replace(out.marginal(model.plan, n), halo=halo)
    return patch.posterior(model.rows[:n], fixed, model.bounds[:n])[0], own, fixed


def own_optimum(patch: OpenPatch, model, optimum):
    """(`Posterior`, `Optimum` with marginal matrix) of the own sources, the halo fixed at its optimum."""
    n = patch.n_own
    if n == len(model.rows):
        return model, optimum
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
    fixed = np.concatenate([patch.fixed, rows[n:]])
    return patch.posterior(model.rows[:n], fixed, model.bounds[:n])[0], own
