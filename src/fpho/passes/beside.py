"""What is uncertain beside a patch's own sources and moves them: the sky, and the fluxes of fixed neighbours.

A neighbour that is held fixed has an error, too. A faint one with a wild fit may lie with its wings under a
bright galaxy, and takes of its light what is a small part for the one and many errors for the other.
"""

import numpy as np

from ..geometry import separation
from ..parameters import error_col
from ..results.rows import filled_rows
from ..results.shifts import shifts
from ..results.sky import sky_errors, sky_slopes
from .opening import OpenPatch
from .shining import COUPLED, light_in_errors, uncertain

MOST = 12  # neighbours, those that count most
HALF_WIDTH = 10.0  # of a neighbour's flux range, in its errors: any will do, it is not fitted


def shifts_beside(patch: OpenPatch, model, z) -> np.ndarray:
    """(n, K) what the n coordinates of a patch's own sources move by, with one standard deviation each.

    model : `Posterior` of all its sources, halo included: these take up a part
    """
    matrix, constants = model.fisher_and_sky(z)
    sky = sky_slopes(model, constants, sky_errors(patch.sky, model.exposures))
    slopes = np.concatenate([sky, neighbour_slopes(patch, model, z, matrix)], axis=1)
    return shifts(model, matrix, slopes)[model.plan.of_sources(patch.n_own)[0]]


def neighbour_slopes(patch: OpenPatch, model, z, matrix) -> np.ndarray:
    """J^t W I (ndim, K), I: one standard deviation of a fixed neighbour's flux in a band."""
    some = uncertain_neighbours(patch, model, z, matrix)
    if not len(some):
        return np.zeros((model.ndim, 0))
    n, n_bands = len(model.rows), len(model.bands)
    both, q = patch.posterior(
        np.concatenate([model.rows, some]), None, np.concatenate([model.bounds, _free_fluxes(some, model)])
    )
    at, own = both.transform.inverse_transform(q), both.plan.of_sources(n)[0]
    at[own] = z
    fluxes, unit = both.plan.index[n:, :n_bands], both.plan.unit[n:, :n_bands]
    free = fluxes >= 0
    errors = np.stack([some[error_col(band)] for band in model.bands], axis=-1)[free]
    return both.fisher(at, prior=False)[np.ix_(own, fluxes[free])] * (errors / unit[free])


def uncertain_neighbours(patch: OpenPatch, model, z, matrix) -> np.ndarray:
    """Fixed rows whose uncertain light counts under a source of the patch, at most MOST.

    None in a first optimization, whose values are a guess: errors that are wide by a neighbour's would hide
    that the two are better fitted together (`coupled_pairs`). Not those that are drawn with the patch in
    later Gibbs rounds, nor those that overlap a source of it: their errors are wide by what they share with
    that one, which is fitted here.
    """
    fixed, rows = patch.fixed[patch.fixed["is_valid"]], model.rows
    if patch.earlier is not None:
        fixed = fixed[~np.isin(fixed["source_index"], patch.earlier.neighbours["source_index"])]
    if not patch.pixels.whole or not len(fixed) or not len(rows) or not model.arrays.n_exposures:
        return fixed[:0]
    away = separation(rows["ra"][:, None], rows["dec"][:, None], fixed["ra"], fixed["dec"])
    fixed = fixed[np.all(away > rows["roi"][:, None] + fixed["roi"], axis=0)]
    spread = 1 / np.sqrt(np.diag(matrix))
    own = filled_rows(model, rows, model.transform.transform(z), spread)
    light = light_in_errors(own[:, None], uncertain(fixed, model.bands), model.bands, patch.blur).max(axis=0)
    order = np.argsort(-light, kind="stable")[:MOST]
    return fixed[np.sort(order[light[order] > COUPLED])]


def _free_fluxes(rows, model) -> np.ndarray:
    """Bounds of neighbours (N,), as `fpho.make_bounds`: all is held but fluxes whose errors are known."""
    bounds = np.zeros(len(rows), model.bounds.dtype)
    for name in bounds.dtype.names:
        bounds[name] = rows[name][:, None]
    for band in model.bands:
        half = HALF_WIDTH * np.nan_to_num(rows[error_col(band)], posinf=0.0)
        bounds[band] += half[:, None] * np.array([-1.0, 1.0])
    return bounds
