"""Draws of the round before, a patch's own and its neighbours', with which a later round begins."""

from dataclasses import dataclass

import numpy as np
from numpy.lib.recfunctions import require_fields

from ..results.reading import Samples
from .tasks import PatchTask


@dataclass(frozen=True)
class EarlierRound:
    """S sources fitted, halo included; K neighbours; C chains of N draws.

    The posterior is that of the first round, its rows and bounds included; only neighbours' values differ.
    """

    rows: np.ndarray  # scene rows (S,)
    bounds: np.ndarray  # structured (S,)
    draws: np.ndarray  # (C, N, ndim) in z
    metric: np.ndarray  # (ndim, ndim) or (ndim,)
    number: int  # of the round; 0: the first
    sd_ratio: float  # of the draws to what the Fisher matrix predicts
    neighbours: np.ndarray  # scene rows (K,) of the fixed sources that have draws
    neighbours_draws: np.ndarray  # structured (K, C, N), absolute positions in degrees


def read_earlier(task: PatchTask, chains: int, n_draws: int) -> EarlierRound | None:
    """The round that a patch goes on from, `n_draws` draws of each chain; None where the patch begins."""
    own, *others = task.earlier or [None]
    if own is None:
        return None
    before = Samples(own)
    rows, bounds, draws, metric = _fitted(before, task.active.dtype)
    neighbours, theirs = _neighbours(others, task.fixed, chains, n_draws)
    return EarlierRound(
        rows=rows,
        bounds=bounds,
        draws=thinned(draws, n_draws),
        metric=metric,
        number=before.settings.gibbs_round,
        sd_ratio=before.summary.max_sd_ratio,
        neighbours=neighbours,
        neighbours_draws=theirs,
    )


def _fitted(before: Samples, dtype):
    """(rows, bounds, draws (C, N, ndim), metric) of own sources and halo of an earlier round."""
    rows = require_fields(before.active, dtype)
    if before.halo is None:
        return rows, before.bounds, before.z, before.metric
    halo = before.halo
    bounds = np.concatenate([before.bounds, halo.bounds])
    return np.concatenate([rows, require_fields(halo.rows, dtype)]), bounds, halo.z, halo.metric


def _neighbours(records, fixed, chains: int, n_draws: int):
    """Rows (K,) of the fixed sources that have draws, and those, structured (K, chains, n_draws).

    A patch that failed has none: its sources stay where they are.
    """
    rows, draws = [fixed[:0]], []
    for record in filter(None, records):
        known = Samples(record)
        for row in fixed[np.isin(fixed["source_index"], known.active["source_index"])]:
            (s,) = np.flatnonzero(known.active["source_index"] == row["source_index"])
            rows.append(np.array([row]))
            draws.append(thinned(known.samples[s].reshape(chains, -1), n_draws))
    return np.concatenate(rows), np.stack(draws) if draws else np.zeros((0, chains, n_draws))


def thinned(values, n_draws: int) -> np.ndarray:
    """`n_draws` of the draws (C, N, ...) of each chain, evenly spaced."""
    keep = np.linspace(0, values.shape[1] - 1, n_draws).round().astype(int)
    return np.ascontiguousarray(values[:, keep])
