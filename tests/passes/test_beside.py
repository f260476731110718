"""Errors of neighbours that are held fixed, in those of a patch's sources: against fits with these moved."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from fpho.config import Priors
from fpho.geometry import CircularRegion
from fpho.optimize import run_opt
from fpho.passes.beside import shifts_beside, uncertain_neighbours
from fpho.passes.opening import OpenPatch
from fpho.results.rows import optimum_rows
from fpho.results.shifts import shaken_optimum

from ..patch.scenes import DEC, RA, Patcher, draw, make_rows, make_store

BANDS = ("blue", "red")
ERRORS = {"blue_err": 300.0, "red_err": 500.0}


@pytest.fixture(scope="module")
def patch(tmp_path_factory):
    """A bright galaxy; a faint one with wide wings 1.6 arcsec off, of unknown size; a small one far off."""
    rows = make_rows(
        BANDS,
        {"blue": 900.0, "red": 1200.0, "q": 0.8, "pa": 0.6, "rhalf": 0.3},
        {"blue": 240.0, "red": 400.0, "sersic": 3.0, "rhalf": 1.1, "offset": (1.3, 0.9), **ERRORS},
        {"blue": 5.0, "red": 5.0, "offset": (-2.0, -1.4), "rhalf": 0.05, "blue_err": 1.0, "red_err": 1.0},
    )
    rows["roi"] = 0.5
    exposures = [
        draw(rows, "red", "r1", rotation=30.0, sigma=0.4, seed=1),
        draw(rows, "blue", "b1", sigma=0.3),
    ]
    pixels = Patcher(exposures, make_store(tmp_path_factory.mktemp("psf") / "psfs.h5"))
    pixels.build_patch(CircularRegion(RA, DEC, 1.2), None, allbands=BANDS)
    return OpenPatch(
        rows=rows[:1],
        fixed=rows[1:],
        bounds=pixels.make_bounds(rows[:1]),
        n_own=1,
        pixels=pixels,
        posterior=partial(pixels.prepare_model, priors=Priors()),
        flags=0,
        measures_misfit=False,
        sky=None,
        structure=None,
        blur=0.09,
    )


@pytest.fixture(scope="module")
def fitted(patch):
    model, q = patch.begin()
    return model, run_opt(model, q, gtol=1e-8)[0]


def test_shifts_are_those_of_fits_with_the_neighbour_moved(patch, fitted):
    """A tenth of the error of its flux in each band, up and down; the small one far off does not count."""
    model, optimum = fitted
    assert uncertain_neighbours(patch, model, optimum.z, model.fisher(optimum.z))["id"].tolist() == ["s1"]
    shifts, spread = shifts_beside(patch, model, optimum.z), np.sqrt(np.diag(optimum.covariance))
    assert shifts.shape == (model.ndim, 2) and np.abs(shifts / spread[:, None]).max() > 2
    for b, (band, name) in enumerate(zip(BANDS, ERRORS, strict=True)):
        found = []
        for sign in (1, -1):
            fixed = patch.fixed.copy()
            fixed[band][0] -= 0.1 * sign * ERRORS[name]
            model_too, q = replace(patch, fixed=fixed).begin()
            found.append(run_opt(model_too, q, gtol=1e-8)[0].z)
        slope = (found[0] - found[1]) / 0.2
        assert np.abs(slope - shifts[:, b]).max() < 0.05 * np.abs(shifts[:, b]).max()


def test_errors_grow_by_the_squares_of_the_shifts(patch, fitted):
    model, optimum = fitted
    shifts = shifts_beside(patch, model, optimum.z)
    rows = [optimum_rows(model, one, patch.rows) for one in (optimum, shaken_optimum(optimum, shifts))]
    for b, band in enumerate(BANDS):
        moved = shifts[model.plan.index[0, b]] * model.plan.unit[0, b]
        before, after = (some[f"{band}_err"][0] for some in rows)
        assert after > 1.5 * before and after == pytest.approx(
            np.hypot(before, np.linalg.norm(moved)), rel=1e-6
        )


def test_nothing_is_added_where_errors_are_not_known(patch, fitted):
    model, optimum = fitted
    fixed, matrix = patch.fixed.copy(), model.fisher(optimum.z)
    for name in ERRORS:
        fixed[name] = np.nan
    assert not shifts_beside(replace(patch, fixed=fixed), model, optimum.z).any()
    assert not shifts_beside(replace(patch, fixed=fixed[:0]), model, optimum.z).any()
    fixed = patch.fixed.copy()
    fixed["roi"][0] = 1.2  # overlaps: its errors are wide by what it shares with the bright one
    assert not len(uncertain_neighbours(replace(patch, fixed=fixed), model, optimum.z, matrix))
    fixed = patch.fixed.copy()
    fixed["is_valid"] = False
    assert not len(uncertain_neighbours(replace(patch, fixed=fixed), model, optimum.z, matrix))
