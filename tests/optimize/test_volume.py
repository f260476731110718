"""The optimum with fluxes integrated out, against the Gaussian integral over the fluxes itself."""

import numpy as np
import pytest

from fpho.optimize import run_opt
from fpho.optimize.newton import Counter, maximise
from fpho.optimize.volume import ShapesAlone
from fpho.parameters import source_vector
from fpho.posterior import Posterior

from ..posterior.scenes import DEC, RA, TABLE, make_arrays, make_rows, wide_bounds

BANDS = ("g", "r")


@pytest.fixture(scope="module")
def model():
    """A source of S/N 5 in two bands, and a star."""
    rows = make_rows(
        BANDS, {"g": 15.0, "r": 15.0}, {"g": 80.0, "r": 60.0, "is_point": True, "offset": (0.8, 0.9)}
    )
    arrays = make_arrays(rows, BANDS, size=64)
    return Posterior(arrays, rows, BANDS, TABLE, wide_bounds(rows, BANDS), reference=(RA, DEC))


@pytest.fixture(scope="module")
def optimum(model):
    return run_opt(model, source_vector(model.rows, BANDS, (RA, DEC)))[0]


def test_it_is_the_integral_over_fluxes(model, optimum):
    """At seven sizes: ln of the integral is as the target has it, but for a constant (errors to 10%)."""
    target, fluxes = ShapesAlone(model, optimum.z), model.plan.linear
    k, z = model.plan.index[0, model.plan.column("rhalf")], optimum.z.copy()
    integral, peak, found = [], [], []
    for move in np.linspace(-1.5, 1.5, 7):
        z[k] = optimum.z[k] + move
        information = model.fisher(z)[np.ix_(fluxes, fluxes)]
        z[fluxes] += np.linalg.solve(information, model.lnprob_and_grad(z)[1][fluxes])
        peak.append(model.lnprob(z))
        integral.append(peak[-1] - 0.5 * np.linalg.slogdet(information)[1])
        found.append(target.lnprob_and_grad(z)[0])
    assert np.ptp(np.subtract(integral, peak)) > 1.0
    assert np.ptp(np.subtract(integral, found)) < 0.1 * 2 + 0.02


def test_its_gradient_is_that_of_its_value(model, optimum):
    target = ShapesAlone(model, optimum.z)
    gradient = target.lnprob_and_grad(optimum.z)[1]
    for i in range(model.ndim):
        step = np.zeros(model.ndim)
        step[i] = 1e-3
        high, low = (target.lnprob_and_grad(optimum.z + sign * step)[0] for sign in (1, -1))
        assert gradient[i] == pytest.approx((high - low) / 2e-3, abs=0.02 + 1e-3 * abs(gradient[i]))


def test_sizes_of_faint_sources_are_larger(model, optimum):
    k = model.plan.index[0, model.plan.column("rhalf")]
    larger, how = run_opt(ShapesAlone(model, optimum.z), optimum.q)
    assert how["converged"]
    assert larger.z[k] > optimum.z[k] + 0.1
    assert larger.lnp > optimum.lnp - 2


def test_a_search_may_leave_a_start_that_is_far_off():
    """What is then found is held against the pixels there are, as for the posterior itself."""
    rows = make_rows(BANDS, {"g": 800.0, "r": 800.0})
    model = Posterior(
        make_arrays(rows, BANDS, size=64), rows, BANDS, TABLE, wide_bounds(rows, BANDS), reference=(RA, DEC)
    )
    start = model.transform.inverse_transform(source_vector(model.rows, BANDS, (RA, DEC)))
    start[[model.plan.index[0, model.plan.column(name)] for name in ("q", "rhalf")]] = 3.0
    target = ShapesAlone(model, start)
    budget = Counter(target, 60, 25)
    maximise(target, start, budget=budget)
    assert budget.left_start
    optimum, how = run_opt(target, model.transform.transform(start))
    assert how["converged"]
    assert optimum.lnp > maximise(target, optimum.z)[0].lnp - 0.1
