"""Weights: correlated noise at the scale of a source."""

from dataclasses import replace

import numpy as np
import pytest

from fpho.bounds import make_bounds
from fpho.config import Bounds
from fpho.flags import Flag
from fpho.geometry import CircularRegion
from fpho.images.noise import measure_noise_scale, measure_noise_slope
from fpho.optimize import run_opt
from fpho.patch.building import source_state
from fpho.patch.noise import flux_noise, footprint_sides
from fpho.results import optimum_rows
from fpho.simulate import draw_noiseless
from tests.patch.scenes import DEC, RA, Patcher, draw, galsim_psf, make_rows, make_store

BANDS = ("blue",)


def test_footprint_of_a_galaxy(prepared):
    """1 / sum of the squared normalised image, against GalSim's own image."""
    rows = make_rows(BANDS, {"blue": 1.0, "q": 0.8, "pa": 0.4, "rhalf": 0.15, "sersic": 1.5})
    exposure = draw(rows, "blue", "one", shape=(128, 128))
    model, _, patcher = prepared(exposure, rows)
    image = draw_noiseless(rows, exposure.wcs, galsim_psf("blue"), (128, 128), "blue")
    side = footprint_sides(model.arrays, 0, source_state(rows, BANDS, patcher.table))
    assert side[0] == pytest.approx(image.sum() / np.sqrt(np.sum(image**2)), rel=0.02)


def test_noise_of_a_flux_with_all_else_known(prepared):
    """Against the Fisher matrix of held shapes; a source beside the image has no noise to tell."""
    kinds = ({"rhalf": 0.0, "is_point": True}, {"rhalf": 0.2, "sersic": 1.0}, {"rhalf": 0.6, "sersic": 2.5})
    for kind in kinds:
        rows = make_rows(BANDS, {"blue": 100.0, "q": 0.8, **kind})
        held = ("ra", "dec", "q", "pa", "rhalf", "sersic")
        model, q, patcher = prepared(draw(rows, "blue", "one", shape=(128, 128)), rows, held=held)
        z = model.transform.inverse_transform(q)
        unit = (model.transform.transform(z + 0.01) - q)[0] / 0.01
        expected = unit / np.sqrt(model.fisher(z, prior=False)[0, 0])
        assert flux_noise(model.arrays, patcher.place(rows))[0, 0] == pytest.approx(expected, rel=0.1)
    rows["ra"] += 0.1
    outside, _, patcher = prepared(draw(rows, "blue", "one", shape=(128, 128)), rows)
    assert np.isnan(flux_noise(outside.arrays, patcher.place(rows))[0, 0])


@pytest.mark.parametrize("error", [np.nan, 1e-3])
def test_flux_bounds_are_wide_against_the_noise(prepared, error):
    """A faint source whose catalog has no error, or one that is far too small."""
    rows = make_rows(BANDS, {"blue": 0.01, "q": 0.8, "rhalf": 0.2})
    rows["blue_err"] = error
    model, _, patcher = prepared(draw(rows, "blue", "one"), rows)
    noise = flux_noise(model.arrays, patcher.place(rows))[0, 0]
    options = Bounds(dpos=0.1, maxfluxfactor=2.0)
    bounds = patcher.make_bounds(rows, options)
    assert np.all(np.abs(bounds["blue"][0] - 0.01) >= 49.9 * noise)
    assert np.ptp(make_bounds(rows, BANDS, options)["blue"]) < noise
    for name in ("ra", "sersic"):
        assert np.array_equal(bounds[name], make_bounds(rows, BANDS, options)[name])


def test_noise_that_grows_with_the_scale(prepared):
    """Factors of images with a slope; weights of a large source are lower, of a small one higher."""
    rows = make_rows(BANDS, {"blue": 100.0, "is_point": True, "rhalf": 0.0}, {"blue": 100.0, "rhalf": 1.0})
    exposure = draw(rows, "blue", "one")
    errors = []
    for row in (rows[:1], rows[1:]):
        flat, sloped = (
            run_opt(
                *prepared(replace(exposure, noise_slope=slope), row, held=("ra", "dec", "rhalf", "sersic"))[
                    :2
                ]
            )[0]
            for slope in (0.0, 0.3)
        )
        errors.append(np.sqrt(sloped.covariance[0, 0] / flat.covariance[0, 0]))
    assert (
        errors[0] < 1 < errors[1] and 0.7 < errors[0] and errors[1] == pytest.approx((32 / 8) ** 0.3, rel=0.1)
    )


def test_the_slope_is_that_of_the_noise():
    """White noise, and noise whose variance has a part in blocks of 32 pixels."""
    rng = np.random.default_rng(3)
    white = rng.normal(size=(256, 256))
    wide = np.repeat(np.repeat(rng.normal(size=(8, 8)), 32, axis=0), 32, axis=1)
    ones = np.ones(white.shape, "f4")
    assert measure_noise_slope(white, ones) < 0.06 and abs(measure_noise_scale(white, ones) - 1) < 0.06
    assert measure_noise_slope(white + 0.15 * wide, ones) > 0.15


@pytest.mark.parametrize(("flux", "error"), [(0.01, np.nan), (0.01, 3.0), (0.01, 1e5), (3000.0, 30.0)])
def test_a_source_in_a_hole_has_bounds_of_its_catalog_and_the_typical_noise(prepared, flux, error):
    """They do not widen when the bounds' own spread comes back as the source's error, stage after stage."""
    rows = make_rows(BANDS, {"blue": flux, "q": 0.8, "rhalf": 0.2})
    whole = draw(rows, "blue", "one", shape=(128, 128))
    x, y = whole.wcs.all_world2pix(rows["ra"], rows["dec"], 0)
    yy, xx = np.indices(whole.data.shape)
    hole = replace(whole, ierr=np.where(np.hypot(xx - x, yy - y) < 22, 0, whole.ierr).astype("f4"))
    seen, _, clear = prepared(whole, rows)
    usual = flux_noise(seen.arrays, clear.place(rows))[0, 0]
    model, _, patcher = prepared(hole, rows)
    assert np.isnan(flux_noise(model.arrays, patcher.place(rows))[0, 0])
    rows["blue_err"] = error
    options = Bounds(dpos=0.1)
    least = np.nanmax([np.sqrt(3) * error, 50 * usual, 10 * flux])
    for _ in range(4):
        low, high = patcher.make_bounds(rows, options)["blue"][0]
        assert 0.5 * (high - low) == pytest.approx(least, rel=0.02)
        assert 0.5 * (high + low) == pytest.approx(flux)
        rows["blue_err"] = (high - low) / np.sqrt(12)


def test_a_band_without_pixels_has_the_noise_of_the_others(tmp_path):
    bands = ("blue", "red")
    rows = make_rows(bands, {"blue": 100.0, "red": 0.0, "q": 0.8, "rhalf": 0.2})
    patcher = Patcher([draw(rows, "blue", "one", shape=(128, 128))], make_store(tmp_path / "psfs.h5"))
    patcher.build_patch(CircularRegion(RA, DEC, 3.0), None, allbands=bands)
    rows["blue_err"] = rows["red_err"] = 1e-6
    model, _ = patcher.prepare_model(active=rows)
    noise = flux_noise(model.arrays, patcher.place(rows))[0]
    low, high = patcher.make_bounds(rows)["red"][0]
    assert np.isnan(noise[1])
    assert np.allclose([-low, high], 50 * noise[0], rtol=0.1)


@pytest.mark.parametrize(("radius", "measured"), [(24, False), (4, True)])
def test_a_flux_stays_the_catalogs_only_where_pixels_say_nothing(prepared, radius, measured):
    """In a hole that holds all light; the wings about a masked core measure the flux."""
    rows = make_rows(BANDS, {"blue": 3000.0, "q": 0.8, "rhalf": 0.2, "sersic": 1.0})
    exposure = draw(rows, "blue", "one", shape=(128, 128), seed=2)
    x, y = exposure.wcs.all_world2pix(rows["ra"], rows["dec"], 0)
    yy, xx = np.indices(exposure.data.shape)
    masked = np.where(np.hypot(xx - x, yy - y) < radius, 0, exposure.ierr).astype("f4")
    start = rows.copy()
    start["blue"] = 1500.0
    model, q, _ = prepared(
        replace(exposure, ierr=masked), start, held=("ra", "dec", "q", "pa", "rhalf", "sersic")
    )
    optimum, _ = run_opt(model, q)
    found = optimum_rows(model, optimum, start)
    if measured:
        assert abs(found["blue"][0] - 3000) < 5 * found["blue_err"][0] < 500
    else:
        assert found["blue"][0] == 1500.0 and found["blue_err"][0] > 1500.0
        assert found["flags"][0] & Flag.NO_DATA
