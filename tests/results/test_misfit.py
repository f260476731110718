"""Errors that grow by what a model leaves of its data: nothing for a right model, enough for a wrong one."""

import numpy as np
import pytest

from fpho.optimize import run_opt
from fpho.posterior import Posterior
from fpho.results.misfit import OF_COLOURS, patterns, widened, widened_optimum, widening

from ..posterior.scenes import TABLE, make_arrays, make_rows, wide_bounds

BANDS = ("g", "r")


def posterior(data_of, seed=1, **source):
    """A galaxy fitted to the image of `data_of` (a source, or several that are one galaxy)."""
    rows = make_rows(BANDS, source)
    truth = make_rows(BANDS, *data_of)
    arrays = make_arrays(rows, BANDS, seed=seed)
    arrays = arrays.with_fields(data=make_arrays(truth, BANDS, seed=seed).data)
    model = Posterior(arrays, rows, BANDS, TABLE, wide_bounds(rows, BANDS))
    q = model.transform.transform(np.zeros(model.ndim))
    optimum, _ = run_opt(model, q)
    return model, optimum


GALAXY = {"g": 400.0, "r": 500.0, "rhalf": 0.3, "sersic": 1.2}
KNOTS = (
    {"g": 300.0, "r": 400.0, "rhalf": 0.3, "sersic": 1.2},
    {"g": 60.0, "r": 60.0, "rhalf": 0.03, "offset": (0.25, 0.1)},
    {"g": 60.0, "r": 60.0, "rhalf": 0.03, "offset": (-0.2, 0.25)},
)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_right_model_keeps_its_errors(seed):
    model, optimum = posterior([GALAXY], seed, **GALAXY)
    assert patterns(model, optimum.q).factors() == pytest.approx([1.0])


def test_a_galaxy_with_knots_does_not():
    """Errors of its shape grow by sqrt(k), those of fluxes nearly as much; the true flux is within three."""
    model, optimum = posterior(KNOTS, **GALAXY)
    factors = patterns(model, optimum.q).factors()
    assert factors[0] > 5
    wider = widened_optimum(model, optimum, factors)
    old, new = (np.sqrt(np.diag(one.covariance)) for one in (optimum, wider))
    fluxes, shapes = model.plan.index[0, :2], model.plan.index[0, 2:]
    assert np.all(new[fluxes] > 1.5 * old[fluxes])
    assert np.allclose(new[shapes], np.sqrt(factors[0]) * old[shapes])
    true = np.array([sum(part[band] for part in KNOTS) for band in BANDS])
    assert np.all(np.abs(optimum.q[:2] - true) < 3 * new[fluxes] * model.plan.unit[0, :2])


def test_colours_hardly_grow():
    """The common part of fluxes grows by sqrt(k), what is left of them by little."""
    model, optimum = posterior([GALAXY], **GALAXY)
    rng = np.random.default_rng(3)
    draws = optimum.z + rng.standard_normal((400, model.ndim)) @ np.linalg.cholesky(optimum.covariance).T
    spread = draws.std(axis=0)
    out = widened(model, draws, optimum.q, spread, np.array([16.0]))
    i, j = model.plan.index[0, :2]
    level = model.plan.origin[0, :2] / model.plan.unit[0, :2] + optimum.z[[i, j]]
    relative = [(some[:, [i, j]] - optimum.z[[i, j]]) / level for some in (draws, out)]
    certainty = (level / spread[[i, j]]) ** 2
    common = [one @ certainty / certainty.sum() for one in relative]
    assert np.allclose(common[1], 4 * common[0])
    assert np.allclose(np.diff(relative[1]), np.sqrt(1 + OF_COLOURS * 15.0) * np.diff(relative[0]))


def test_a_factor_of_one_changes_nothing():
    model, optimum = posterior([GALAXY], **GALAXY)
    matrix = widening(model.plan, optimum.z, np.ones(model.ndim), np.ones(1))
    assert np.array_equal(matrix, np.eye(model.ndim))
