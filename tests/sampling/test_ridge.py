"""Ridge coordinates: a change of variables with its exact Jacobian, and nothing else."""

from types import SimpleNamespace

import numpy as np
import pytest

from fpho.config import Priors
from fpho.posterior import Posterior
from fpho.posterior.parameter_map import make_parameter_map
from fpho.sampling import run_lmc
from fpho.sampling.diagnostics import bulk_ess
from fpho.sampling.ridge import RidgeCoordinates, widening

from ..posterior.scenes import DEC, RA, TABLE, make_arrays, make_rows, wide_bounds

BANDS = ("g", "r")
SOURCES = (
    {"g": 15.0, "r": -3.0},
    {"g": 6.0, "r": 2.0, "is_point": True, "rhalf": 0.0, "offset": (0.5, 0.4)},
    {"g": 90.0, "r": 80.0, "sersic": 3.0, "offset": (-0.4, 0.7)},
)
GROWTH = np.array([0.2, 0.0, -0.1]), np.array([0.07, 0.0, 0.2])


class Model:
    """The plan of real sources with a Gaussian density in z, strongly correlated, and no image."""

    arrays = SimpleNamespace(n_exposures=0)

    def __init__(self, sources=SOURCES, **limits):
        rows = make_rows(BANDS, *sources)
        self.rows = rows
        self.plan = make_parameter_map(rows, BANDS, wide_bounds(rows, BANDS, **limits), Priors(), (RA, DEC))
        self.ndim = self.plan.ndim
        rng = np.random.default_rng(2)
        root = rng.normal(0, 0.25, (self.ndim, self.ndim)) + np.diag(rng.uniform(0.2, 0.8, self.ndim))
        self.mean, self.cov = rng.normal(0, 0.5, self.ndim), root @ root.T
        self.precision = np.linalg.inv(self.cov)

    def lnprob_and_grad(self, z):
        pull = self.precision @ (z - self.mean)
        return -0.5 * float(pull @ (z - self.mean)), -pull

    def fisher(self, z):
        return self.precision


@pytest.mark.parametrize("limits", [{}, {"sersic": (1.5, 1.5)}, {"rhalf": (0.2, 0.2)}, {"r": (5.0, 5.0)}])
@pytest.mark.parametrize("growth", [(), GROWTH])
def test_gradient_and_jacobian(limits, growth):
    """Central differences of the density, and of y -> z for its determinant."""
    model = Model(**limits)
    ridge = RidgeCoordinates(model, model.mean, model.cov, *growth)
    y = model.mean + 0.5 * np.random.default_rng(0).standard_normal(model.ndim)
    steps = 1e-5 * np.eye(model.ndim)
    rise = [ridge.lnprob_and_grad(y + h)[0] - ridge.lnprob_and_grad(y - h)[0] for h in steps]
    gradient = ridge.lnprob_and_grad(y)[1]
    assert np.allclose(gradient, np.array(rise) / 2e-5, atol=1e-5 * np.abs(gradient).max())
    z, log_det = ridge.to_z(y[None, None])
    columns = [(ridge.to_z((y + h)[None, None])[0] - ridge.to_z((y - h)[None, None])[0]) for h in steps]
    matrix = np.array(columns).reshape(model.ndim, -1) / 2e-5
    assert np.isclose(np.linalg.slogdet(matrix)[1], log_det[0, 0], atol=1e-6)
    assert np.isclose(ridge.lnprob_and_grad(y)[0], model.lnprob_and_grad(z[0, 0])[0] + log_det[0, 0])


@pytest.mark.parametrize("growth", [(), GROWTH])
def test_optimum_and_its_neighbourhood_stay(growth):
    model = Model()
    ridge = RidgeCoordinates(model, model.mean, model.cov, *growth)
    assert np.array_equal(ridge.to_z(model.mean[None, None])[0][0, 0], model.mean)
    for h in 1e-4 * np.eye(model.ndim):
        moved = ridge.to_z((model.mean + h)[None, None])[0][0, 0]
        assert np.allclose(moved, model.mean + h, atol=2e-6)


@pytest.mark.parametrize("sampler", ["split", "littlemcmc"])
def test_what_is_sampled_is_the_density_in_z(sampler):
    """Means and widths of a density whose ridge coordinates are anything but Gaussian."""
    model = Model(SOURCES[:1])
    out, _, stats = run_lmc(model, model.mean, n_draws=1000, seed=3, sampler=sampler)
    flat, sd = out.z.reshape(-1, model.ndim), np.sqrt(np.diag(model.cov))
    error = 1 / np.sqrt(bulk_ess(out.z))
    assert (np.abs(flat.mean(0) - model.mean) / sd / error).max() < 4.5
    assert np.abs(flat.std(0) / sd - 1).max() < 0.12
    assert np.isclose(stats["model_logp"][2, 7], model.lnprob_and_grad(out.z[2, 7])[0])


def test_errors_of_fluxes_grow_as_it_says():
    """Of an unseen source: errors with the shape known, from Fisher matrices at five sizes, within 10%."""
    rows = make_rows(BANDS, {"g": 2.0, "r": 2.0})
    model = Posterior(make_arrays(rows, BANDS, size=96), rows, BANDS, TABLE, wide_bounds(rows, BANDS))
    i, k = model.plan.index[0, 0], model.plan.index[0, model.plan.column("rhalf")]
    z = np.zeros(model.ndim)
    _, width = widening(model, z)
    sizes, errors = [], []
    for move in np.linspace(-1.5, 1.5, 5):
        z[k] = move
        errors.append(model.fisher(z, prior=False)[i, i] ** -0.5)
        sizes.append(model.state(z)[0].sources[0, -1])
    sizes, errors = np.array(sizes), np.array(errors)
    expected = np.sqrt(width[0] ** 2 + sizes**2)
    ratio = errors / expected
    assert errors[-1] / errors[0] > 1.5
    assert np.ptp(np.log(ratio)) < 0.1
