"""The optimum from far away, its errors, and the linear solution."""

from dataclasses import replace

import numpy as np
import pytest

from fpho.bounds import make_bounds
from fpho.config import Bounds, Population, Prior, Priors
from fpho.errors import InputError
from fpho.flags import Flag
from fpho.linear import optimize_fluxes
from fpho.optimize import run_opt
from fpho.parameters import q_names, source_vector
from fpho.posterior import Posterior
from fpho.results import optimum_rows

from ..posterior.scenes import DEC, RA, TABLE, make_arrays, make_rows, wide_bounds

BANDS = ("g", "r")
SOURCES = (
    {"g": 150.0, "r": 300.0, "pa": 1.2},
    {"g": 60.0, "r": 0.0, "is_point": True, "rhalf": 0.0, "offset": (0.5, 0.4)},
    {"g": 190.0, "r": 80.0, "q": 0.95, "sersic": 3.0, "offset": (-0.4, 0.6)},
)


@pytest.fixture(scope="module")
def model():
    rows = make_rows(BANDS, *SOURCES)
    arrays = make_arrays(rows, BANDS, size=40, n_exposures=3, sigma=0.3)
    return Posterior(arrays, rows, BANDS, TABLE, wide_bounds(rows, BANDS), reference=(RA, DEC))


@pytest.fixture(scope="module")
def optimum(model):
    return run_opt(model, source_vector(model.rows, BANDS, (RA, DEC)))[0]


def box_start(model, rng):
    """A vector q anywhere in the bounds."""
    block = np.stack([rng.uniform(*model.bounds[name].T) for name in q_names(BANDS)], axis=-1)
    block[:, 2:4] -= (RA, DEC)
    return block.ravel()


@pytest.mark.parametrize("seed", range(6))
def test_arrives_from_anywhere_in_the_box(model, optimum, seed):
    q = box_start(model, np.random.default_rng(seed))
    found, info = run_opt(model, q)
    assert info["converged"] and info["ncall"] <= 60 and info["n_fisher"] <= 25
    assert abs(found.lnp - optimum.lnp) < 0.1


FLAT = Priors(
    population=Population(use=False), **dict.fromkeys(("sersic", "rhalf", "q"), Prior(name="uniform"))
)


@pytest.mark.parametrize("axis_ratio", [1.0, 0.9])
@pytest.mark.parametrize(
    "shape",
    [
        {"q": 0.5, "rhalf": 0.45, "sersic": 1.3},
        {"q": 0.85, "rhalf": 0.25, "sersic": 0.8},
        {"q": 0.3, "rhalf": 0.3, "sersic": 3.0},
    ],
)
def test_a_bright_galaxy_is_found_with_flat_priors_from_rough_values(shape, axis_ratio):
    """Where the prior is flat in the axis ratio ln p has no slope at round shapes; medians of flat priors of
    size and index (5 arcsec, 4.2) are a start that ends where all light is a halo.
    """
    rows = make_rows(BANDS, {"g": 4000.0, "r": 6000.0, **shape})
    arrays = make_arrays(rows, BANDS, size=48, n_exposures=2)
    model = Posterior(arrays, rows, BANDS, TABLE, wide_bounds(rows, BANDS), reference=(RA, DEC), priors=FLAT)
    catalog = rows.copy()
    catalog["g"], catalog["r"], catalog["rhalf"], catalog["sersic"] = 1800.0, 2500.0, 0.17, 1.7
    catalog["q"], catalog["pa"] = axis_ratio, -1.0
    found, info = run_opt(model, source_vector(catalog, BANDS, (RA, DEC)))
    assert (
        info["converged"]
        and abs(found.lnp - run_opt(model, source_vector(rows, BANDS, (RA, DEC)))[0].lnp) < 0.1
    )
    got = dict(zip(q_names(BANDS), found.q, strict=True))
    assert np.allclose([got[name] for name in ("q", "rhalf", "sersic")], list(shape.values()), rtol=0.05)


def test_errors_cover_the_truth(model, optimum):
    """The truth lies within 4 sigma of the optimum in every coordinate, and in chi-square over all."""
    truth = model.transform.inverse_transform(source_vector(model.rows, BANDS, (RA, DEC)))
    pull = (optimum.z - truth) / np.sqrt(np.diag(optimum.covariance))
    assert np.abs(pull).max() < 4
    assert np.isclose(optimum.covariance @ optimum.matrix, np.eye(model.ndim), atol=1e-6).all()


@pytest.mark.parametrize("limits", [(160.0, 400.0), (-5.0, 40.0)])
@pytest.mark.parametrize("seed", range(3))
def test_fluxes_beyond_their_bounds(limits, seed):
    """Fluxes of 60-300 nJy, some far outside: there the prior is 30 times as steep as its variance says."""
    rows = make_rows(BANDS, SOURCES[0], {"g": 60.0, "r": 80.0, "offset": (0.5, 0.4)})
    arrays = make_arrays(rows, BANDS, size=40, n_exposures=2, sigma=3.0)
    bounds = wide_bounds(rows, BANDS, g=limits, r=limits)
    model = Posterior(arrays, rows, BANDS, TABLE, bounds, reference=(RA, DEC))
    far, info = run_opt(model, box_start(model, np.random.default_rng(seed)))
    near, _ = run_opt(model, source_vector(rows, BANDS, (RA, DEC)))
    assert info["converged"] and not info["restarted"] and info["ncall"] <= 40
    assert abs(far.lnp - near.lnp) < 0.1
    assert np.allclose(far.matrix, model.fisher(far.z))  # errors are not those of the wall


def test_bfgs_finds_the_same(model, optimum):
    start = model.transform.transform(optimum.z + 0.1 * np.random.default_rng(1).standard_normal(model.ndim))
    found, info = run_opt(model, start, method="bfgs", max_iterations=400, add_barriers=True)
    assert abs(found.lnp - optimum.lnp) < 0.3, info


def test_linear_fluxes_are_least_squares(model, optimum):
    """At the optimum's shapes: no slope of chi2 by the fluxes, and its curvature is the precision."""
    fluxes, precision = optimize_fluxes(model, optimum.q)
    q = optimum.q.copy().reshape(3, -1)
    q[:, :2] = fluxes
    base = model.lnlike(q.ravel())
    for s in range(3):
        for b in range(2):
            step = 1 / np.sqrt(precision[b, s, s])
            moved = [q.copy(), q.copy()]
            moved[0][s, b] += step
            moved[1][s, b] -= step
            up, down = (model.lnlike(one.ravel()) - base for one in moved)
            assert abs(up + 0.5) < 0.02 and abs(down + 0.5) < 0.02


def test_unknown_method_stops(model, optimum):
    with pytest.raises(InputError, match="simplex"):
        run_opt(model, optimum.q, method="simplex")


def test_a_source_does_not_walk_out_of_its_box_from_stage_to_stage():
    """The light stands four boxes away: each stage ends at the same edge, and says so."""
    rows = make_rows(BANDS, {"g": 300.0, "r": 300.0, "is_point": True, "rhalf": 0.0})
    data = make_arrays(rows, BANDS, sigma=0.3).data
    rows["ra"] += 0.24 / 3600 / np.cos(np.radians(DEC))
    rows["ra0"], rows["dec0"] = rows["ra"], rows["dec"]
    first = rows.copy()
    for _ in range(4):
        arrays = replace(make_arrays(rows, BANDS, sigma=0.3, noise=0.0), data=data)
        bounds = make_bounds(rows, BANDS, Bounds(dpos=0.06))
        model = Posterior(arrays, rows, BANDS, TABLE, bounds, reference=(RA, DEC))
        optimum, _ = run_opt(model, source_vector(rows, BANDS, (RA, DEC)))
        rows = optimum_rows(model, optimum, rows)
    away = np.abs(rows["ra"] - first["ra"]) * 3600 * np.cos(np.radians(DEC))
    assert away == pytest.approx(0.06, abs=0.002)
    assert rows["flags"][0] & Flag.AT_BOUND
