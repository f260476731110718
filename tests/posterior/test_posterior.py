"""Transforms against scipy's distributions, ln p and its derivatives against the float64 reference."""

import numpy as np
import pytest
from scipy import stats

from fpho.config import Prior, Priors
from fpho.errors import InputError
from fpho.parameters import q_names, source_vector
from fpho.posterior import Posterior
from fpho.posterior.parameter_map import make_parameter_map
from fpho.posterior.transform import Transform

from .. import reference
from .scenes import (
    DEC,
    RA,
    TABLE,
    central_differences,
    curvature,
    make_arrays,
    make_rows,
    reference_lnlike,
    wide_bounds,
    zero_weight,
)

BANDS = ("g", "r")
SOURCES = (
    {"g": 150.0, "r": 300.0},
    {"g": 60.0, "r": -20.0, "is_point": True, "rhalf": 0.0, "offset": (0.5, 0.4)},
    {"g": 90.0, "r": 80.0, "q": 0.98, "pa": -1.2, "sersic": 4.0, "offset": (-0.4, 0.7)},
)


def posterior(rows=None, arrays=None, **options):
    rows = make_rows(BANDS, *SOURCES) if rows is None else rows
    arrays = make_arrays(rows, BANDS, n_exposures=3) if arrays is None else arrays
    return Posterior(arrays, rows, BANDS, TABLE, reference=(RA, DEC), **options)


def one_source(priors, **limits):
    rows = make_rows(BANDS, {"g": 10.0, "r": 20.0})
    return Transform(make_parameter_map(rows, BANDS, wide_bounds(rows, BANDS, **limits), priors, (RA, DEC)))


LAWS = {
    "sersic": [
        (Prior(name="lognormal", loc=0.4, scale=0.6), (0.5, 6.0), stats.lognorm(0.6, scale=np.exp(0.4))),
        (Prior(name="uniform"), (0.5, 6.0), stats.uniform(0.5, 5.5)),
        (Prior(name="normal", loc=2.0, scale=1.0), (0.5, 6.0), stats.norm(2, 1)),
        (Prior(name="student_t", loc=2.0, scale=1.0, a=3.0), (0.5, 6.0), stats.t(3, 2, 1)),
    ],
    "rhalf": [
        (Prior(name="loguniform"), (0.01, 5.0), stats.loguniform(0.01, 5)),
        (Prior(name="beta", a=2.0, b=5.0), (0.01, 5.0), stats.beta(2, 5, 0.01, 4.99)),
    ],
    "q": [
        (Prior(name="uniform"), (0.4, 1.0), stats.uniform(0.4, 0.6)),
        (Prior(name="normal", loc=0.7, scale=0.1), (0.4, 1.0), stats.norm(0.7, 0.1)),
    ],
}


@pytest.mark.parametrize("name, case", [(name, case) for name, cases in LAWS.items() for case in cases])
def test_normal_coordinates_give_the_prior(name, case):
    """Normal draws of z follow the asked distribution, cut to the bounds (exactly)."""
    prior, (low, high), law = case
    transform = one_source(Priors(**{name: prior}), **{name: (low, high)})
    z = np.random.default_rng(3).standard_normal((4000, transform.plan.ndim))
    x = transform.transform(z)[:, q_names(BANDS).index(name)]
    inside = law.cdf(high) - law.cdf(low)
    assert stats.kstest(x, lambda v: (law.cdf(v) - law.cdf(low)) / inside).pvalue > 1e-3
    assert x.min() >= low and x.max() <= high


def test_default_ellipticity_is_isotropic_and_normal():
    transform = one_source(Priors(), q=(0.05, 1.0))
    z = np.random.default_rng(4).standard_normal((4000, transform.plan.ndim))
    q, pa = transform.transform(z)[:, 4:6].T
    e = (1 - q**2) / (1 + q**2)
    assert stats.kstest(e * np.cos(2 * pa), stats.norm(0, 0.3).cdf).pvalue > 1e-3
    assert stats.kstest(pa, stats.uniform(-np.pi / 2, np.pi).cdf).pvalue > 1e-3


def test_narrow_angle_is_kept():
    transform = one_source(Priors(), pa=(0.2, 0.9))
    z = np.random.default_rng(4).standard_normal((2000, transform.plan.ndim))
    assert stats.kstest(transform.transform(z)[:, 5], stats.uniform(0.2, 0.7).cdf).pvalue > 1e-3


@pytest.mark.parametrize("limits", [{}, {"pa": (0.2, 0.9)}, {"q": (0.5, 0.9)}, {"sersic": (1.5, 1.5)}])
def test_there_and_back(limits):
    transform = one_source(Priors(), **limits)
    z = np.random.default_rng(5).normal(0, 1.5, (50, transform.plan.ndim))
    q = transform.transform(z)
    assert np.allclose(transform.transform(transform.inverse_transform(q)), q, rtol=1e-7, atol=1e-11)


def test_vector_is_that_of_the_catalog():
    model = posterior()
    q = source_vector(model.rows, BANDS, (RA, DEC))
    assert np.allclose(
        model.transform.transform(model.transform.inverse_transform(q)), q, rtol=1e-7, atol=1e-12
    )
    assert model.ndim == 8 + 4 + 8  # the point source has fluxes and a position


CASES = {
    "default": {},
    "sky": {"in_fit_background": True},
    "normal": {"priors": Priors(flux=Prior(name="normal", loc=50.0, scale=100.0))},
    "student": {"priors": Priors(flux=Prior(name="student_t", loc=0.0, scale=30.0))},
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("seed", range(3))
def test_gradient_is_that_of_the_reference(name, seed):
    """Central differences of the float64 likelihood plus the prior; 1e-4 of the largest element.

    Random z reach the ends of every range, so a wrong Jacobian of any transform shows.
    """
    model = posterior(**CASES[name])
    z = model.transform.inverse_transform(source_vector(model.rows, BANDS, (RA, DEC)))
    z = z + np.random.default_rng(seed).normal(0, 1.0, model.ndim)
    _, gradient = model.lnprob_and_grad(z)
    expected = central_differences(model, posterior(arrays=zero_weight(model.arrays), **CASES[name]), z)
    assert np.abs(gradient - expected).max() < 1e-4 * np.abs(expected).max()


def test_fisher_is_the_curvature_at_the_truth():
    """Without noise, J^t W J is the Hessian of chi2 / 2; differences of exact gradients show it to 5e-3."""
    rows = make_rows(BANDS, *SOURCES)
    model = posterior(rows, make_arrays(rows, BANDS, n_exposures=3, noise=0.0), in_fit_background=True)
    z = model.transform.inverse_transform(source_vector(rows, BANDS, (RA, DEC)))
    found, expected = model.fisher(z), curvature(model, z)
    size = np.sqrt(np.outer(np.diag(found), np.diag(found)))
    assert np.abs((found - expected) / size).max() < 5e-3


def test_residuals_are_data_minus_model():
    model = posterior()
    q = source_vector(model.rows, BANDS, (RA, DEC))
    z = model.transform.inverse_transform(q)
    image = model.arrays.data - reference.model(model.arrays, model.state(z)[0])
    assert np.allclose(np.concatenate(model.residuals(q)), image.ravel(), atol=2e-3)
    assert np.isclose(model.lnlike(q), reference_lnlike(model, z), rtol=1e-5)


def test_no_data_gives_the_prior():
    model = posterior()
    blank = posterior(arrays=zero_weight(model.arrays))
    z = np.random.default_rng(0).normal(0, 1, blank.ndim)
    shapes = np.delete(z, np.flatnonzero(blank.plan.linear))
    assert np.isclose(blank.lnprob(z), -0.5 * np.sum(shapes**2))
    assert np.allclose(blank.fisher(z), np.diag(blank.plan.curvature()))


def test_priors_that_forbid_negative_fluxes_stop():
    with pytest.raises(InputError, match="negative fluxes"):
        posterior(priors=Priors(flux=Prior(name="lognormal")))


def test_tables_without_scipys_laws_are_scipys():
    """Quantiles of the usual families, and the spline through them, to round-off."""
    from scipy.interpolate import CubicSpline

    from fpho.config import Prior
    from fpho.posterior import priors

    cases = [
        ("sersic", Prior(name="lognormal"), 0.3, 8.0),
        ("rhalf", Prior(name="normal", loc=0.2), 0.01, 2.0),
    ]
    for name, prior, low, high in cases:
        law = priors.distribution(name, prior, low, high)
        x = priors.quantiles(law, low, high, priors.nodes())
        wanted = CubicSpline(priors.nodes(), x).c[::-1].T
        np.testing.assert_allclose(
            priors.table(name, prior, low, high), wanted, atol=1e-8
        )  # of third differences
