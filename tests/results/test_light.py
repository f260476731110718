"""Light beyond a patch's pixels, against the exact curve of growth; regions that hold nearly all of it."""

from dataclasses import replace

import numpy as np
import pytest

from fpho.config import Patches
from fpho.parameters import source_vector
from fpho.posterior import Posterior
from fpho.results.light import light_outside, too_much_outside
from fpho.scene.circles import make_region
from fpho.sersic.profile import (
    curve_of_growth,
    information_beyond,
    radius_of_information,
    surface_brightness,
)

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
    """5% of an exponential disc has 0.08% of its squared S/N, of n = 4 some 100 times less."""
    part = np.array([[0.05, 0.0], [0.05, 0.0], [0.005, 0.005], [0.0, 0.05], [0.05, 0.05]])
    rows = make_rows(BANDS, *[{"g": 100.0, "r": 100.0, "sersic": 4.0 if i == 4 else 1.0} for i in range(5)])
    rows["g_err"], rows["r_err"] = [0.5, 2.0, 0.1, 0.5, 0.5], [2.0, 1.0, 0.1, np.nan, 0.5]
    assert too_much_outside(part, rows, BANDS).tolist() == [True, False, False, True, False]


@pytest.mark.parametrize("index", [1.0, 4.0])
def test_information_is_that_of_the_squared_profile(index):
    """Against the integral of the squared surface brightness; and back."""
    r = np.geomspace(1e-6, 60, 200_000)
    square = surface_brightness(r, index) ** 2 * r
    beyond = np.trapezoid(np.where(r > 2, square, 0), r) / np.trapezoid(square, r)
    assert information_beyond(2.0, index) == pytest.approx(beyond, rel=2e-3)
    assert radius_of_information(beyond, index) == pytest.approx(2.0, rel=1e-3)


@pytest.mark.parametrize(("index", "rhalf"), [(1.0, 0.6), (4.0, 0.2)])
def test_a_region_follows_the_size_of_its_source(index, rhalf):
    """99% of the light, or all that is seen; 95% without errors; the roi where that is larger."""
    rows = make_rows(BANDS, {"g": 900.0, "r": 9.0, "sersic": index, "rhalf": rhalf, "q": 0.9})
    options = Patches(buffer=0.0, patch_minradius=0.1)
    rows["roi"] = 0.1

    def radius(error):
        rows["g_err"] = error
        return make_region(rows, options).radius * 0.9 / rhalf

    assert curve_of_growth(radius(np.nan), index) == pytest.approx(0.95)
    assert curve_of_growth(radius(1e-4), index) == pytest.approx(0.99)
    assert information_beyond(radius(9.0), index) == pytest.approx(1e-4)
    assert radius(90.0) < radius(9.0) < radius(1e-4)
    rows["roi"] = 9.0
    assert make_region(rows, options).radius == pytest.approx(9.0)
