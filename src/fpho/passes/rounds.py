"""Draws of a patch: of its first round, and of later ones, which move on with the neighbours' own draws."""

import numpy as np

from ..sampling import gibbs_update, run_lmc
from .opening import OpenPatch


def first_draws(patch: OpenPatch, options: dict):
    """(`Posterior`, `Result`) of all sources of a patch, halo included, with its neighbours fixed."""
    model, q = patch.begin()
    return model, run_lmc(model, q, **options)[0]


def later_draws(patch: OpenPatch, options: dict):
    """The same with each draw given one of the neighbours; the model has these at their medians."""
    before = patch.earlier
    others = patch.fixed[~np.isin(patch.fixed["source_index"], before.neighbours["source_index"])]
    free, _ = patch.posterior(patch.rows, others, patch.bounds)
    neighbours = patch.pixels.around(free, before.neighbours, before.neighbours_draws)
    model = neighbours.given(before.neighbours)
    start = before.draws, before.metric, before.number + 1
    return model, gibbs_update(model, neighbours, *start, sd_ratio=before.sd_ratio, **options)
