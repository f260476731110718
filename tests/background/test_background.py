"""The residual background: recovery with honest errors, robustness, and the table."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from fpho.background import (
    apply_background,
    check_exposures,
    fit_background,
    read_tweakbg,
    sky_table,
    write_tweakbg,
)
from fpho.errors import InputError
from fpho.patch import render
from fpho.sersic import load_table
from tests.patch.scenes import draw, make_rows, make_store

SIGMA = 0.05


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    """(exposure with sky 0.02 = 0.4 sigma, its model without the last source, which nobody knows of)."""
    store = make_store(tmp_path_factory.mktemp("psf") / "psfs.h5")
    rows = make_rows(
        ["red"],
        {"red": 60.0, "rhalf": 0.3, "q": 0.8},
        {"red": 30.0, "sersic": 3.0, "offset": (-1.6, 1.4)},
        {"red": 12.0, "rhalf": 0.1, "offset": (1.5, 1.2)},
    )
    exposure = draw(rows, "red", "e1", sigma=SIGMA, seed=3, sky=0.02, shape=(120, 128))
    return exposure, render(rows[:-1], exposure, store, load_table(), ["red"])


def blank(seed, correlation=0.0, shape=(96, 96)):
    """(data, ierr) of noise, white or smoothed, with errors that know only its scatter."""
    noise = np.random.default_rng(seed).standard_normal(shape)
    if correlation:
        noise = ndimage.gaussian_filter(noise, correlation, mode="wrap")
    return noise / noise.std() * SIGMA


def test_constant_under_sources(scene):
    """Within 3 of its errors of the truth, in spite of a missing source of S/N 30."""
    exposure, model = scene
    sky = fit_background(exposure, model)
    assert abs(sky.constant - 0.02) < 3 * sky.error
    assert SIGMA / np.sqrt(exposure.data.size) < sky.error < 0.1 * 0.02
    assert sky.significance == pytest.approx(sky.constant / sky.error)
    naive = np.mean(exposure.data - model) - 0.02
    assert abs(sky.constant - 0.02) < 0.2 * naive


def test_wings_that_took_up_sky(tmp_path):
    """Sources fitted without a background have wings too bright by some of it; the sky is found all the same,
    where the mean of the residual away from the sources is low. Means over 8 images, to 3 sigma."""
    rows = make_rows(["red"], {"red": 400.0, "rhalf": 0.8, "sersic": 4.0})
    clean = draw(rows, "red", "e1", sky=0.02, shape=(120, 128))
    model = 1.5 * render(rows, clean, make_store(tmp_path / "psfs.h5"), load_table(), ["red"])
    ierr, faint = np.full(model.shape, 1 / SIGMA, "f4"), model < 0.2 * SIGMA
    pulls, lows = [], []
    for seed in range(8):
        data = clean.data + blank(seed, shape=model.shape)
        sky = fit_background(replace(clean, data=data.astype("f4"), ierr=ierr), model)
        pulls.append((sky.constant - 0.02) / sky.error)
        lows.append(np.mean((data - model)[faint]) - 0.02)
    assert abs(np.mean(pulls)) < 3 / np.sqrt(8)
    assert np.mean(lows) < -3 * SIGMA / np.sqrt(8 * faint.sum())


def test_plane(scene):
    exposure, model = scene
    y, x = np.indices(exposure.data.shape)
    tilt = 3e-4 * (x - 63.5) - 2e-4 * (y - 59.5)
    tilted = replace(exposure, data=(exposure.data + tilt).astype("f4"))
    sky = fit_background(tilted, model, "plane")
    assert sky.x_slope == pytest.approx(3e-4, abs=4e-5) and sky.y_slope == pytest.approx(-2e-4, abs=4e-5)
    flat = apply_background(tilted, sky_table([sky], nsigma=3.0))
    assert abs(fit_background(flat, model).constant) < 3 * sky.error


@pytest.mark.parametrize("correlation", [0.0, 1.5])
def test_errors_are_those_of_repeats(scene, correlation):
    """Pulls over 60 blank images have scatter 1, to 9%; blocks miss up to a tenth of correlated noise.
    Formal errors alone would give 5 for the correlated noise."""
    exposure, _ = scene
    pulls = []
    for seed in range(60):
        data = blank(seed, correlation)
        one = replace(exposure, data=data.astype("f4"), ierr=np.full(data.shape, 1 / SIGMA, "f4"))
        sky = fit_background(one, np.zeros(data.shape))
        pulls.append(sky.constant / sky.error)
    assert 0.7 < np.std(pulls) < 1.25
    assert abs(np.mean(pulls)) < 0.4


def test_no_blank_sky(scene):
    exposure, _ = scene
    with pytest.warns(UserWarning, match="in_fit"):
        sky = fit_background(exposure, np.full(exposure.data.shape, 10.0))
    (row,) = sky_table([sky], nsigma=3.0)
    assert row["constant"] == 0 and not row["used"]


def test_exposures_of_a_band_share_their_brightness(scene, tmp_path):
    """Pixels of 0.05 and 0.1 arcsec: the same sky is four times as bright in the large ones."""
    rows = make_rows(["red"])
    fine = draw(rows, "red", "fine", sigma=SIGMA, sky=0.01)
    coarse = draw(rows, "red", "coarse", sigma=SIGMA, sky=0.04, scale=0.1, seed=1)
    skies = [fit_background(one, np.zeros(one.data.shape)) for one in (fine, coarse)]
    table = sky_table(skies, nsigma=3.0, per="band")
    assert table["constant"][1] == pytest.approx(4 * table["constant"][0], rel=1e-3)
    assert np.all(np.abs(table["constant"] - [0.01, 0.04]) < 3 * table["error"])
    assert np.all(table["error"] < [sky.error for sky in skies])


def test_table_round_trip_and_errors(scene, tmp_path):
    exposure, model = scene
    table = sky_table([fit_background(exposure, model, "plane")], nsigma=3.0)
    path = tmp_path / "tweakbg.tsv"
    write_tweakbg(path, table, "a remark")
    again = read_tweakbg(path)
    for name in table.dtype.names:
        assert np.array_equal(again[name], table[name]) or np.allclose(again[name], table[name], rtol=1e-7)
    with pytest.raises(InputError, match="'e1'"):
        check_exposures(again, ["e11", "e2"], path)
    path.write_text("exposure\tconstant\ne1\tdim\n")
    with pytest.raises(InputError, match="dim"):
        read_tweakbg(path)
    path.write_text("exposure\tconstant\ne1\t0.5\n")
    assert read_tweakbg(path)["used"].all()
