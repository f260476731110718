"""POOR_FIT: a model that is right has none, and what spoils a source is seen wherever it lies."""

import numpy as np
import pytest

from fpho.flags import Flag
from fpho.geometry import tile_pixels
from fpho.optimize import run_opt
from fpho.parameters import source_vector
from fpho.posterior import Posterior
from fpho.results import optimum_rows
from fpho.results.fit import fit_quality

from ..posterior.scenes import DEC, RA, TABLE, make_arrays, make_rows, wide_bounds

BANDS = ("r",)
SIGMA = 1.0


def fitted(rows, spoil=lambda arrays, x, y: None, drawn=None):
    """(flags (S,), quality) of the optimum of rows, on an image of `drawn` in which pixels were spoilt."""
    arrays = make_arrays(rows if drawn is None else drawn, BANDS, size=64, sigma=SIGMA, n_exposures=1)
    spoil(arrays, *tile_pixels(arrays.tile_x, arrays.tile_y))
    if drawn is not None:  # the sources of the fit stand where they are believed to be
        placed = make_arrays(rows, BANDS, size=64, n_exposures=1)
        names = ("position", "scale", "gain", "psf_index")
        arrays = arrays.with_fields(**{name: getattr(placed, name) for name in names})
    bounds = wide_bounds(rows, BANDS)
    model = Posterior(arrays, rows, BANDS, TABLE, bounds, reference=(RA, DEC))
    optimum, _ = run_opt(model, source_vector(rows, BANDS, (RA, DEC)))
    return optimum_rows(model, optimum, rows)["flags"], fit_quality(model, optimum.q)


def test_a_right_model_is_not_poor():
    """30 sources of S/N 10 to 300, each alone: means of 1 within their errors, no flag."""
    pulls = []
    for seed, flux in enumerate(np.geomspace(40, 3000, 30)):
        rows = make_rows(BANDS, {"r": flux})
        arrays = make_arrays(rows, BANDS, size=64, sigma=SIGMA, n_exposures=1, seed=seed)
        model = Posterior(arrays, rows, BANDS, TABLE, reference=(RA, DEC))
        found = fit_quality(model, source_vector(rows, BANDS, (RA, DEC)))
        assert not found.poor.any()
        pulls.append((found.by_light[0] - 1) * np.sqrt(found.light_pixels[0] / 2))
    assert abs(np.mean(pulls)) < 0.6 and 0.7 < np.std(pulls) < 1.4


def cosmic_ray(arrays, x, y):
    """Three pixels of 25 sigma, 12 pixels from a source of which 2 half-light radii are 6.7 pixels."""
    arrays.data[(np.abs(x - 43) < 2) & (y == 32)] += 25 * SIGMA


def noisy(arrays, x, y):
    """Noise that is 40% larger than the errors say."""
    arrays.data[:] += np.random.default_rng(5).normal(0, SIGMA, arrays.data.shape)


@pytest.mark.parametrize("spoil", [cosmic_ray, noisy])
def test_what_spoils_a_source_is_seen_beyond_its_radii(spoil):
    flags, quality = fitted(make_rows(BANDS, {"r": 600.0}), spoil)
    assert flags[0] & Flag.POOR_FIT
    if spoil is cosmic_ray:
        assert quality.chi2[0] < 1.5 * quality.n_pix[0]  # what was looked at before


def test_a_star_that_is_not_where_it_is_believed():
    """The catalog's place is 7 pixels off: nothing is wrong there, but much around."""
    star = {"r": 1500.0, "is_point": True, "rhalf": 0.0}
    flags, quality = fitted(make_rows(BANDS, star | {"offset": (0.42, 0.0)}), drawn=make_rows(BANDS, star))
    assert flags[0] & Flag.POOR_FIT and quality.around[0] > 1.5


def test_a_wrong_neighbour_far_away_spoils_no_other():
    """The cosmic ray is 30 pixels from the second source."""
    rows = make_rows(BANDS, {"r": 600.0, "roi": 0.8}, {"r": 600.0, "roi": 0.8, "offset": (1.5, 0.0)})
    flags, _ = fitted(rows, cosmic_ray)
    assert list(flags & int(Flag.POOR_FIT) > 0) in ([True, False], [False, True])
