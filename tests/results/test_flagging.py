"""Flags select: each is set where its meaning holds, and not beside it."""

from dataclasses import replace

import numpy as np
import pytest

from fpho.config import Priors
from fpho.flags import REMARKS, Flag
from fpho.geometry import tile_pixels
from fpho.optimize import run_opt
from fpho.parameters import q_names, source_vector
from fpho.posterior import Posterior
from fpho.results import Summary, optimum_rows
from fpho.results.rows import sampled_rows
from fpho.sampling.rules import Limits, flags_of

from ..posterior.scenes import DEC, RA, TABLE, make_arrays, make_rows, wide_bounds

BANDS = ("r",)
SIGMA = 1.0


def prepared(rows, change=lambda arrays: None, bounds=None, **options):
    """(model, its optimum) of rows on an image of 48 pixels with one pixel in noise SIGMA."""
    arrays = make_arrays(rows, BANDS, size=48, sigma=SIGMA, n_exposures=1)
    change(arrays)
    bounds = wide_bounds(rows, BANDS) if bounds is None else bounds
    model = Posterior(arrays, rows, BANDS, TABLE, bounds, reference=(RA, DEC), **options)
    start = source_vector(rows, BANDS, (RA, DEC))
    return model, run_opt(model, np.concatenate([start, np.zeros(int(model.in_fit_background))]))[0]


def flags(rows, *arguments, **options) -> Flag:
    model, optimum = prepared(rows, *arguments, **options)
    return Flag(int(optimum_rows(model, optimum, rows)["flags"][0]))


def test_a_good_source_has_none():
    assert flags(make_rows(BANDS, {"r": 1500.0})) == 0


def test_faint_sources_lack_an_index_long_before_a_size():
    """S/N about 12: the size is measured; of nothing it is not."""
    faint = flags(make_rows(BANDS, {"r": 60.0, "rhalf": 0.15}))
    assert faint == Flag.INDEX_FROM_PRIOR and faint & ~REMARKS == 0
    assert flags(make_rows(BANDS, {"r": 0.1})) & Flag.PRIOR_DOMINATED


def test_a_wide_posterior_that_was_explored_is_not_hard():
    limits = Limits(max_rhat=1.02, min_ess=400)
    wide = Summary(1.005, "x", 800.0, "x", 700.0, "x", 0, 0.0, 1.0, max_sd_ratio=2.5)
    assert flags_of(wide, limits) == 0
    short = replace(wide, min_tail_ess=100.0)
    assert flags_of(short, limits) == Flag.HARD_POSTERIOR | Flag.NOT_CONVERGED
    assert flags_of(replace(short, max_sd_ratio=1.2), limits) == Flag.NOT_CONVERGED


def drawn(rows, name, values) -> Flag:
    """Flags of draws that are the truth but for one parameter."""
    model, optimum = prepared(rows)
    chain = np.repeat(optimum.q[None], len(values), axis=0)
    chain[:, q_names(BANDS).index(name)] = values
    z = np.random.default_rng(0).normal(optimum.z, 0.01, (len(values), model.ndim))
    return Flag(int(sampled_rows(model, chain, z, rows, 0)[0]["flags"][0]))


def test_draws_that_pile_up_at_a_bound_are_at_it():
    """The median of a half normal is 0.67 of its width from the bound: 3% of the range, not within 1%."""
    rows = make_rows(BANDS, {"r": 1500.0})
    low, high = np.log(wide_bounds(rows, BANDS)["sersic"][0])
    pile = high - 0.045 * (high - low) * np.abs(np.random.default_rng(1).standard_normal(2000))
    assert np.median(pile) < high - 0.02 * (high - low)
    assert drawn(rows, "sersic", np.exp(pile)) & Flag.AT_BOUND
    assert not drawn(rows, "sersic", np.exp(pile - 0.1 * (high - low))) & Flag.AT_BOUND
    offsets = np.random.default_rng(2).normal(0, 1e-6, 2000)
    assert not drawn(rows, "ra", offsets) & Flag.AT_BOUND


def test_a_flux_beyond_its_flat_prior_is_at_its_bound():
    rows = make_rows(BANDS, {"r": 1500.0})
    assert flags(rows, bounds=wide_bounds(rows, BANDS, r=(-100.0, 900.0))) & Flag.AT_BOUND
    assert not flags(rows, bounds=wide_bounds(rows, BANDS, r=(-100.0, 2900.0))) & Flag.AT_BOUND


@pytest.mark.parametrize(("level", "pulled"), [(0.05, False), (2.0, True)])
def test_a_background_far_from_its_prior_is_said(level, pulled):
    """The prior allows 0.2 of the pixels' noise."""

    def lift(arrays):
        arrays.data[:] += level * SIGMA

    options = {"in_fit_background": True, "background_sigma": 0.2}
    found = flags(make_rows(BANDS, {"r": 1500.0}), lift, **options)
    assert bool(found & Flag.PRIOR_PULLED) is pulled


def test_a_flux_far_from_a_normal_prior_is_said():
    rows = make_rows(BANDS, {"r": 1500.0})
    for loc, pulled in ((1500.0, False), (1000.0, True)):
        prior = {"name": "normal", "loc": loc, "scale": 100.0}
        priors = Priors.model_validate({"flux": prior})
        assert bool(flags(rows, priors=priors) & Flag.PRIOR_PULLED) is pulled


@pytest.mark.parametrize(
    ("radius", "expected"), [(0.0, Flag(0)), (2.0, Flag.NO_DATA), (6.0, Flag.NO_DATA | Flag.MISSING_BAND)]
)
def test_a_hole_at_the_place_of_a_source(radius, expected):
    rows = make_rows(BANDS, {"r": 1500.0})

    def hole(arrays):
        x, y = tile_pixels(arrays.tile_x, arrays.tile_y)
        away = np.hypot(x - arrays.position[0, 0, 0], y - arrays.position[0, 0, 1])
        arrays.weight[away < radius] = 0.0

    assert flags(rows, hole) & (Flag.NO_DATA | Flag.MISSING_BAND) == expected
