"""Light beyond a patch's pixels, against the exact curve of growth; regions that hold nearly all of it."""

from dataclasses import replace

import numpy as np
import pytest

from fpho.config import Patches
from fpho.parameters import source_vector
from fpho.posterior import Posterior
from fpho.results.light import light_outside, too_much_outside
from fpho.scene.circles import make_region
from fpho.sersic.profile import curve_of_growth

from ..posterior.scenes import DEC, RA, TABLE, make_arrays, make_rows, wide_bounds

BANDS = ("g", "r")
PIXEL = 0.06


def outside(rows, radius=None, bad=0.0, bands=BANDS):
    """`light_outside` where only pixels within `radius` (arcsec) are good, a part of them bad."""
    arrays = make_arrays(rows, bands, size=96)
    place = np.arange(64)
    x, y = arrays.tile_x[:, None] + place % 8, arrays.tile_y[:, None] + place // 8
    middle = np.repeat(arrays.position[:, 0], np.diff(arrays.exposure_start), axis=0)
    away = np.hypot(x - middle[:, :1], y - middle[:, 1:]) * PIXEL
    weight = np.where(away < (radius or np.inf), arrays.weight, 0)
    weight[np.random.default_rng(1).random(weight.shape) < bad] = 0
    arrays = replace(arrays, weight=weight.astype("f4"))
    model = Posterior(arrays, rows, bands, TABLE, wide_bounds(rows, bands), reference=(RA, DEC))
    return light_outside(model, source_vector(rows, bands, (RA, DEC)))


@pytest.mark.parametrize(("index", "rhalf"), [(1.0, 0.4), (4.0, 0.3)])
def test_light_outside_is_that_of_the_profile(index, rhalf):
    """To 1.5% of the flux: the PSF and whole tiles at the edge blur the circle."""
    rows = make_rows(BANDS, {"g": 9.0, "r": -2.0, "q": 1.0, "sersic": index, "rhalf": rhalf})
    found = outside(rows, 1.2)
    assert found == pytest.approx(1 - curve_of_growth(1.2 / rhalf, index), abs=0.015)
    assert found.min() > 0.01


def test_a_point_source_and_bad_pixels_lose_nothing():
    point = make_rows(BANDS, {"g": 9.0, "r": 2.0, "is_point": True, "rhalf": 0.0})
    assert np.abs(outside(point, 0.5)).max() < 0.003
    galaxy = make_rows(BANDS, {"g": 9.0, "r": 2.0, "q": 1.0, "sersic": 1.0, "rhalf": 0.3})
    assert np.abs(outside(galaxy, 2.4, bad=0.1) - outside(galaxy, 2.4)).max() < 0.002


def test_faint_light_outside_does_not_count():
    part = np.array([[0.05, 0.0], [0.05, 0.0], [0.005, 0.005], [0.0, 0.02]])
    error = np.array([[1.0, 1.0], [20.0, 1.0], [0.1, 0.1], [1.0, np.nan]])
    assert too_much_outside(part, 100.0, error).tolist() == [True, False, False, True]


@pytest.mark.parametrize(("index", "rhalf"), [(1.0, 0.6), (4.0, 0.2)])
def test_a_region_follows_the_size_of_its_source(index, rhalf):
    """99% of the light of a bright galaxy, less of a faint one; the roi where that is larger."""
    rows = make_rows(BANDS, {"g": 900.0, "r": 9.0, "sersic": index, "rhalf": rhalf, "q": 0.9, "roi": 1.0})
    rows["g_err"] = 1.0
    options = Patches(buffer=0.0)
    assert curve_of_growth(make_region(rows, options).radius * 0.9 / rhalf, index) == pytest.approx(0.99)
    rows["g_err"] = 180.0
    assert curve_of_growth(make_region(rows, options).radius * 0.9 / rhalf, index) == pytest.approx(0.94)
    rows["roi"] = 9.0
    assert make_region(rows, options).radius == pytest.approx(9.0)
