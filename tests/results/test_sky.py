"""The sky's error in those of sources, against fits of images that have some sky left in."""

import numpy as np
import pytest

from fpho.background.table import DTYPE
from fpho.optimize import run_opt
from fpho.parameters import source_vector
from fpho.posterior import Posterior
from fpho.results.shifts import shaken, shaken_optimum, shifts
from fpho.results.sky import sky_errors, sky_slopes

from ..posterior.scenes import DEC, RA, TABLE, make_arrays, make_rows, wide_bounds

BANDS = ("g", "r")
ERRORS = np.array([0.04, 0.0, 0.03])  # nJy per pixel, of a noise of 0.3


def sky_shifts(model, z, errors):
    matrix, slopes = model.fisher_and_sky(z)
    return shifts(model, matrix, sky_slopes(model, slopes, errors))


@pytest.fixture(scope="module")
def fitted():
    rows = make_rows(BANDS, {"g": 150.0, "r": 300.0}, {"g": 90.0, "r": 80.0, "offset": (0.6, 0.6)})
    arrays = make_arrays(rows, BANDS, size=40, n_exposures=3, sigma=0.3)
    model = Posterior(arrays, rows, BANDS, TABLE, wide_bounds(rows, BANDS), reference=(RA, DEC))
    return model, run_opt(model, source_vector(rows, BANDS, (RA, DEC)), gtol=1e-8)[0]


def test_shifts_are_those_of_fits_with_sky_left_in(fitted):
    """Each exposure's constant off by a tenth of its error, up and down: the fits move as it says."""
    model, optimum = fitted
    moved = sky_shifts(model, optimum.z, ERRORS)
    spread = np.sqrt(np.diag(optimum.covariance))
    assert not moved[:, 1].any() and np.abs(moved / spread[:, None]).max() > 0.5
    start = model.arrays.exposure_start
    for e in (0, 2):
        fits = []
        for sign in (1, -1):
            data = model.arrays.data.copy()
            data[start[e] : start[e + 1]] += sign * 0.1 * ERRORS[e]
            fits.append(run_opt(model.with_data(data), optimum.q, gtol=1e-8)[0].z)
        slope = (fits[0] - fits[1]) / 0.2
        assert np.abs(slope - moved[:, e]).max() < 0.05 * np.abs(moved[:, e]).max() + 0.01


def test_draws_and_optimum_grow_alike(fitted):
    model, optimum = fitted
    moved = sky_shifts(model, optimum.z, ERRORS)
    rng = np.random.default_rng(1)
    draws = rng.multivariate_normal(optimum.z, optimum.covariance, 20000)
    wide = shaken(draws, moved, rng)
    expected = shaken_optimum(optimum, moved).covariance
    assert wide.std(axis=0) == pytest.approx(np.sqrt(np.diag(expected)), rel=0.03)
    assert np.all(np.diag(expected) >= np.diag(optimum.covariance) * (1 - 1e-9))


def test_where_it_does_not_count_nothing_changes(fitted):
    model, optimum = fitted
    moved = sky_shifts(model, optimum.z, 1e-6 * ERRORS)
    assert not moved.any()
    draws = optimum.z[None]
    assert shaken(draws, moved, None) is draws and shaken_optimum(optimum, moved) is optimum
    assert not sky_errors(None, ["a", "b"]).any()


def test_a_sky_that_was_left_in_is_uncertain_by_its_value():
    table = np.zeros(3, DTYPE)
    table["exposure"], table["constant"], table["error"] = ["a", "b", "c"], 0.04, [0.03, 0.03, np.nan]
    table["used"] = [True, False, False]
    assert sky_errors(table, ["b", "a", "c", "d"]) == pytest.approx([0.05, 0.03, 0.0, 0.0])
