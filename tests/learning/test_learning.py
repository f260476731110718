"""A population that made the sources is found again, and draws reweighted by it are calibrated."""

import numpy as np
import pytest
from scipy import stats

from fpho.config import Population
from fpho.errors import InputError
from fpho.learning import SourceDraws, learn, reweighted
from fpho.learning.draws import ln_density
from fpho.learning.weights import weights_of
from fpho.posterior.population import AB_25

SIZES = {"size": 0.12, "size_slope": 0.35, "size_scatter": 0.3}
TRUE = Population(use=True, counts=0.8, index=1.6, index_scatter=0.3, spheroids=0.3, **SIZES)
INTERIM = {"size": (np.log(0.3), 1.0), "index": (np.log(1.5), 0.6)}
N_DRAWS = 600


def made(count: int, seed: int, noise: float = 0.4):
    """(true ln sizes, `SourceDraws`) of sources of TRUE: sizes and indices seen with `noise`, fluxes without.

    The posterior under the interim prior is normal: the product of two normals.
    """
    rng, out, true = np.random.default_rng(seed), [], []
    flux = np.log(0.02) + rng.exponential(1 / TRUE.counts, count)
    for i, ln_flux in enumerate(flux):
        size = rng.normal(np.log(TRUE.size) + TRUE.size_slope * ln_flux, TRUE.size_scatter)
        discs, spheroids = (TRUE.index, TRUE.index_scatter), (TRUE.spheroid_index, TRUE.spheroid_scatter)
        median, scatter = spheroids if rng.uniform() < TRUE.spheroids else discs
        index = rng.normal(np.log(median), scatter)
        drawn, interim = {}, np.zeros(N_DRAWS)
        for name, value in (("size", size), ("index", index)):
            mean, width = INTERIM[name]
            seen, variance = rng.normal(value, noise), 1 / (1 / noise**2 + 1 / width**2)
            middle = variance * (seen / noise**2 + mean / width**2)
            drawn[name] = rng.normal(middle, np.sqrt(variance), N_DRAWS)
            interim += stats.norm(mean, width).logpdf(drawn[name])
        floor = 0.002 * AB_25
        out.append(SourceDraws(i, np.full(N_DRAWS, ln_flux), drawn["size"], drawn["index"], interim, floor))
        true.append(size)
    return np.array(true), out


def test_the_population_is_found_again():
    """Within 3.5 of the errors that it claims, which are small enough to tell it from the start by far."""
    _, sources = made(250, seed=4)
    found = learn(sources, Population())
    for name, error in found.errors.items():
        value, true, start = (getattr(law, name) for law in (found.law, TRUE, Population()))
        if name in ("size", "size_scatter", "index", "index_scatter"):
            value, true, start = np.log([value, true, start])
        assert abs(value - true) < 3.5 * error, name
    assert abs(np.log(found.law.size / Population().size)) > 5 * found.errors["size"]
    assert found.bright == 250 and found.law.use


def test_reweighted_draws_are_calibrated():
    """68% intervals of sizes cover 68% under the learned population; under the interim prior they do not."""
    true, sources = made(400, seed=5, noise=0.6)
    law, rng = learn(sources).law, np.random.default_rng(0)
    inside, before, pulls = [], [], []
    for value, source in zip(true, sources, strict=True):
        places, number = reweighted(source, law, rng)
        again = source.size[places]
        assert 1 <= number <= N_DRAWS
        inside.append(np.mean(again < value))
        before.append((source.size.mean() - value) / source.size.std())
        pulls.append((again.mean() - value) / again.std())
    assert abs(np.mean(pulls)) < 0.15 and 0.9 < np.std(pulls) < 1.12
    assert stats.kstest(inside, "uniform").pvalue > 1e-3
    assert abs(np.mean(before)) > 0.3


def test_weights_are_ratios_of_priors():
    """The interim prior itself leaves draws as they are; points have their fluxes alone."""
    rng = np.random.default_rng(1)
    law = Population(use=True)
    flux, size, index = rng.normal(-2, 0.5, 50), rng.normal(-2, 0.4, 50), rng.normal(0, 0.3, 50)
    same = SourceDraws(0, flux, size, index, ln_density(law, flux, size, index, 2) + 7.0, 1.0, 2)
    assert np.allclose(weights_of(same, law), 1 / 50)
    nan = np.full(50, np.nan)
    point = SourceDraws(0, flux, nan, nan, np.zeros(50), 1.0)
    weight = weights_of(point, law)
    assert np.allclose(np.log(weight / weight[0]), -(1 + law.counts) * (flux - flux[0]))


def test_few_sources_teach_nothing():
    with pytest.raises(InputError, match="3 galaxies"):
        learn(made(3, seed=1)[1])
