"""The catalog under the field's own population, and what a run's own files say for it."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from fpho.config import Population, Prior, Priors, load_config
from fpho.learning import drawn_sources
from fpho.posterior.population import AB_25
from fpho.products.collecting import PatchResult, Results, SourceResult
from fpho.products.learned import ENOUGH, ESS, learned_catalog, write_learned
from tests.learning.test_learning import N_DRAWS, made

from .conftest import source as made_up


def test_interim_prior_of_a_samples_file(run):
    """What a run's own files say: fluxes about their floor, and the prior of sizes and indices as it was."""
    _, layout = run
    (path,) = layout.patches.glob("*_samples.h5")
    for source in drawn_sources(path):
        if not source.has_shape:
            continue
        wide, index = Priors().rhalf, Priors().sersic
        assert wide == Prior(name="lognormal") == index
        expected = stats.norm(np.log(0.3), 1.0).logpdf(source.size)
        expected += stats.norm(np.log(1.5), 0.6).logpdf(source.index)
        assert np.allclose(source.interim - source.interim[0], expected - expected[0], atol=1e-9)
        assert 0 < source.floor < AB_25 * np.exp(np.median(source.flux))


def test_catalog_under_the_learned_population(tmp_path, monkeypatch):
    """Sources whose draws do not reach the population keep theirs and say so; others move to the truth."""
    true, drawn = made(60, seed=7)
    drawn[5] = replace(drawn[5], interim=drawn[5].interim + 40 * drawn[5].size)
    rng, sources = np.random.default_rng(2), []
    for one in drawn:
        base = made_up(one.source_index, rng)
        draws = base.draws[:N_DRAWS].copy()
        draws["rhalf"], draws["sersic"] = np.exp(one.size), np.exp(one.index)
        sources.append(SourceResult(base.row, base.median, lambda draws=draws: draws, N_DRAWS, 4, 0))
    patch = PatchResult(0, None, np.arange(60), {}, [], {}, tmp_path / "patch0_samples.h5")
    monkeypatch.setattr("fpho.products.learned.drawn_sources", lambda path: drawn)
    learned, table = learned_catalog(Results(["g", "r"], sources, [patch]), Population(), seed=1)
    assert table[ESS][5] < ENOUGH <= np.median(table[ESS])
    assert table["rhalf"][5] == np.median(np.exp(drawn[5].size))
    before = np.array([np.median(one.size) for one in drawn])
    after, other = np.log(table["rhalf"]), np.arange(60) != 5
    error, was = (np.sqrt(np.mean(np.square(some - true)[other])) for some in (after, before))
    assert error < 0.85 * was
    write_learned(learned, table, tmp_path / "learned.fits", tmp_path / "population.yaml")
    again = load_config(tmp_path / "population.yaml").priors.population
    assert again.use and again.size == pytest.approx(learned.law.size, abs=1e-4)
