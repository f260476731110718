"""The prior of the population: its density against scipy's, its derivatives, and what it must not touch."""

import numpy as np
import pytest
from scipy import stats

from fpho.config import Population, Prior, Priors, make_config
from fpho.errors import InputError
from fpho.linear import optimize_fluxes
from fpho.parameters import source_vector
from fpho.posterior.population import AB_25, index_law

from .scenes import DEC, RA, make_arrays, make_rows
from .test_posterior import BANDS, posterior, zero_weight

LAW = Population(use=True)
PRIORS = Priors(population=LAW)


def with_population(**more):
    model = posterior(priors=PRIORS, **more)
    return model, model.transform.inverse_transform(source_vector(model.rows, BANDS, (RA, DEC)))


def lnprior(model, z) -> float:
    """The prior alone: that of a fit less its likelihood."""
    return model.lnprob(z) - model.lnlike(model.transform.transform(z))


def test_density_is_that_of_counts_sizes_and_indices():
    """Differences of ln p between points, against scipy's normals in ln r and ln n and the power law."""
    model, z = with_population()
    q = model.transform.transform(z)
    width, n = model.plan.index.shape[1], len(BANDS)
    rng = np.random.default_rng(1)

    def expected(q, z):
        out, own = 0.0, np.ones(model.ndim, bool)
        for s in np.flatnonzero(~model.plan.is_point):
            block = q[s * width : (s + 1) * width]
            total = np.hypot(model.population.weight[s] @ block[:n], model.population.floor[s])
            mean = np.log(LAW.size) + LAW.size_slope * np.log(total / AB_25)
            out += stats.norm(mean, LAW.size_scatter).logpdf(np.log(block[-1]))
            discs = stats.norm(np.log(LAW.index), LAW.index_scatter).pdf(np.log(block[-2]))
            spheroids = stats.norm(np.log(LAW.spheroid_index), LAW.spheroid_scatter).pdf(np.log(block[-2]))
            out += np.log((1 - LAW.spheroids) * discs + LAW.spheroids * spheroids)
            own[model.plan.index[s, -2:]] = False
        for s in range(len(model.rows)):
            block = q[s * width : (s + 1) * width]
            total = np.hypot(model.population.weight[s] @ block[:n], model.population.floor[s])
            out -= (len(BANDS) + LAW.counts) * np.log(total)
            noise = 1 / np.sqrt(9 * model.population.fall[s])
            out += stats.norm(0, 3 * noise).logpdf(np.minimum(block[:n], 0)).sum()
        return out - 0.5 * np.sum(z[own & ~model.plan.linear] ** 2) + jacobian(q, z)

    def jacobian(q, z):
        """ln d(ln r, ln n)/dz of all sources, by differences."""
        out = 0.0
        for s in np.flatnonzero(~model.plan.is_point):
            for k in (width - 2, width - 1):
                step = np.zeros(model.ndim)
                step[model.plan.index[s, k]] = 1e-4
                ends = [np.log(model.transform.transform(z + sign * step)[s * width + k]) for sign in (1, -1)]
                out += np.log((ends[0] - ends[1]) / 2e-4)
        return out

    for _ in range(5):
        other = z + rng.normal(0, 0.5, model.ndim) * np.where(model.plan.linear, 0.2, 1.0)
        found = lnprior(model, other) - lnprior(model, z)
        assert found == pytest.approx(
            expected(model.transform.transform(other), other) - expected(q, z), abs=2e-3
        )


@pytest.mark.parametrize("seed", range(3))
def test_gradient_and_curvature(seed):
    """Central differences; the curvature in size, and between size and flux, is exact to the spline's."""
    model, z = with_population()
    z = z + np.random.default_rng(seed).normal(0, 1.0, model.ndim)
    axes = 1e-5 * np.eye(model.ndim)

    def value(z):
        return model.population.add_slopes(model.plan.index, model.state(z)[1], np.zeros(model.ndim))

    slope = np.array([(value(z + step) - value(z - step)) / 2e-5 for step in axes])
    assert np.allclose(model.population_slope(z), slope, atol=1e-7 * np.abs(slope).max())
    found = np.zeros((model.ndim, model.ndim))
    model.population.add_curvature(model.plan.index, model.state(z)[1], found)
    expected = -np.array(
        [(model.population_slope(z + d) - model.population_slope(z - d)) / 2e-5 for d in axes]
    )
    sizes = model.plan.index[~model.plan.is_point, model.population.size]
    assert np.allclose(found[sizes], expected[sizes], atol=0.02)
    assert np.linalg.eigvalsh(model.fisher(z)).min() > 0


def test_counts_act_below_the_noise_no_more():
    """At a flux of 0 there is no slope; far above it is -(B + c) / flux of all; far below light is wanted."""
    model, z = with_population()
    point = int(np.flatnonzero(model.plan.is_point)[0])
    fluxes = model.plan.index[point, : len(BANDS)]
    unit = model.plan.unit[point, : len(BANDS)]
    for level in (0.0, 30.0, -30.0):
        total = level * model.population.floor[point]
        z[fluxes] = total / unit
        slope = model.population_slope(z)[fluxes] / unit
        wanted = -(len(BANDS) + LAW.counts) / total if level else 0.0
        wanted -= min(total, 0.0) * model.population.fall[point].sum()
        assert slope.sum() == pytest.approx(wanted, rel=2e-3, abs=1e-12)
    assert slope.min() > 0


def test_least_squares_fluxes_know_no_prior():
    """The same fluxes with and without a population."""
    rows = make_rows(BANDS, dict.fromkeys(BANDS, 50.0))
    arrays = make_arrays(rows, BANDS, n_exposures=3)
    q = source_vector(rows, BANDS, (RA, DEC))
    plain = optimize_fluxes(posterior(rows, arrays), q)[0]
    assert np.allclose(optimize_fluxes(posterior(rows, arrays, priors=PRIORS), q)[0], plain, rtol=1e-6)


def test_no_data_no_say():
    """Without pixels no flux has a noise, and the prior is that of the coordinates."""
    model = posterior(priors=PRIORS)
    blank = posterior(arrays=zero_weight(model.arrays), priors=PRIORS)
    z = np.random.default_rng(0).normal(0, 1, blank.ndim)
    assert np.all(blank.population.floor == 0) and not blank.population_slope(z).any()


def test_one_prior_for_one_thing():
    with pytest.raises(ValueError, match=r"takes the place of rhalf"):
        Priors(population=LAW, rhalf=Prior(name="uniform"))
    with pytest.raises(InputError, match=r"priors.*rhalf"):
        make_config({"priors": {"population": {"use": True}, "rhalf": {"name": "uniform"}}})


def test_two_kinds_against_scipy():
    """Distribution function and density of the mixture; its quantiles undo it, in both tails."""
    law = index_law(Population(spheroids=0.2))
    kinds = [(0.8, stats.lognorm(0.45, scale=1.25)), (0.2, stats.lognorm(0.35, scale=3.5))]
    x = np.geomspace(0.2, 9.0, 40)
    assert np.allclose(law.cdf(x), sum(share * kind.cdf(x) for share, kind in kinds), rtol=1e-12)
    density = sum(share * kind.pdf(x) for share, kind in kinds) * x  # of ln x
    assert np.allclose(law.log_density(np.log(x)), np.log(density), atol=1e-12)
    p = np.array([1e-12, 1e-3, 0.2, 0.5, 0.9, 0.999])
    assert np.allclose(law.cdf(law.ppf(p)), p, rtol=1e-11) and np.allclose(law.sf(law.isf(p)), p, rtol=1e-11)
    alone = index_law(Population(spheroids=0.0))
    assert np.allclose(alone.ppf(p), stats.lognorm(0.45, scale=1.25).ppf(p), rtol=1e-12)
    assert np.isfinite(alone.log_density(0.3))
