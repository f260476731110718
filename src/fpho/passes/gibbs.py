"""Later rounds of patches of a group that was cut: their draws move on with the neighbours' own draws."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.lib.recfunctions import require_fields

from ..patch.neighbours import Neighbours
from ..results import Samples
from ..sampling import gibbs_update
from ..sampling.options import draws_per_chain, update_options
from .opening import open_patch
from .tasks import PatchTask


def gibbs_round(task: PatchTask):
    """(patcher, model with the neighbours at their medians, result) of a later round, halo included.

    The posterior is that of the first round, its bounds and starting rows included; only the neighbours'
    values differ.
    """
    options = task.config.sample
    n_draws = draws_per_chain(options)
    before = Samples(task.layout.samples(task.patch.previous))
    both, bounds, starts, metric = first_posterior(before, task.active.dtype)
    rows, draws = neighbours_draws(task, options.chains, n_draws)
    others = task.fixed[~np.isin(task.fixed["source_index"], rows["source_index"])]
    patcher, free, _ = open_patch(replace(task, active=both, fixed=others), options, bounds)
    neighbours = Neighbours(free, patcher.tiles, rows, draws, patcher.psfstore, patcher.interpolation)
    model = neighbours.given(rows)
    out = gibbs_update(
        model,
        neighbours,
        thinned(starts, n_draws),
        metric,
        before.settings.gibbs_round + 1,
        seed=task.seed,
        sd_ratio=before.summary.max_sd_ratio,
        cores=task.cores,
        checkpoint=task.checkpoint,
        **update_options(options),
    )
    return patcher, model, out


def first_posterior(before: Samples, dtype):
    """(rows, bounds, draws (C, N, ndim), metric) of own sources and halo of an earlier round."""
    rows = require_fields(before.active, dtype)
    if before.halo is None:
        return rows, before.bounds, before.z, before.metric
    halo = before.halo
    bounds = np.concatenate([before.bounds, halo.bounds])
    return np.concatenate([rows, require_fields(halo.rows, dtype)]), bounds, halo.z, halo.metric


def neighbours_draws(task: PatchTask, chains: int, n_draws: int):
    """Rows (S,) of the fixed sources that have draws, and those, structured (S, chains, n_draws).

    A patch that failed has none: its sources stay where they are.
    """
    rows, draws = [task.fixed[:0]], []
    for number in task.patch.neighbours:
        path = Path(task.layout.samples(number))
        if not path.is_file():
            continue
        known = Samples(path)
        for row in task.fixed[np.isin(task.fixed["source_index"], known.active["source_index"])]:
            (s,) = np.flatnonzero(known.active["source_index"] == row["source_index"])
            rows.append(np.array([row]))
            draws.append(thinned(known.samples[s].reshape(chains, -1), n_draws))
    return np.concatenate(rows), np.stack(draws) if draws else np.zeros((0, chains, n_draws))


def thinned(values, n_draws: int) -> np.ndarray:
    """`n_draws` of the draws (C, N, ...) of each chain, evenly spaced."""
    keep = np.linspace(0, values.shape[1] - 1, n_draws).round().astype(int)
    return np.ascontiguousarray(values[:, keep])
