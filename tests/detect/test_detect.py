"""Detection: what is missing is found with its flux, and residuals of bright sources spawn nothing."""

from dataclasses import replace

import numpy as np
import pytest

from fpho.detect import add_new, detect_catalog, find_new
from fpho.flags import Flag
from fpho.geometry import separation
from fpho.parameters import error_col
from fpho.patch import render
from fpho.sersic import load_table
from tests.patch.scenes import draw, make_rows, make_store

BANDS = ("blue", "red")
TABLE = load_table()
OPTIONS = {"nsigma": 5.0, "model_error": 0.05, "rhalf": 0.1, "min_separation": 0.15}
VIEWS = (  # band, rotation, dither, pixel (arcsec), sigma
    ("blue", 0.0, (0.0, 0.0), 0.04, 0.04),
    ("blue", 25.0, (0.21, -0.13), 0.04, 0.04),
    ("red", 10.0, (-0.1, 0.3), 0.06, 0.08),
)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return make_store(tmp_path_factory.mktemp("psf") / "psfs.h5")


@pytest.fixture(scope="module")
def rows():
    return make_rows(
        BANDS,
        {"blue": 150.0, "red": 400.0, "rhalf": 0.3, "q": 0.8, "sersic": 2.0},
        {"blue": 30.0, "red": 30.0, "is_point": True, "rhalf": 0.0, "offset": (-1.3, 0.9)},
        {"blue": 5.0, "red": 6.0, "rhalf": 0.1, "q": 0.9, "offset": (1.1, 1.0)},
    )


def views(rows, seed=0):
    return [
        draw(rows, band, f"e{i}", rotation=angle, offset=dither, scale=scale, sigma=sigma, seed=seed + i)
        for i, (band, angle, dither, scale, sigma) in enumerate(VIEWS)
    ]


def models(rows, exposures, store):
    return [render(rows, exposure, store, TABLE, BANDS) for exposure in exposures]


def test_the_missing_source_is_found(rows, store):
    exposures = views(rows)
    peaks = find_new(rows[:2], exposures, models(rows[:2], exposures, store), store, BANDS, **OPTIONS)
    assert len(peaks) == 1
    cosine = np.cos(np.radians(rows["dec"][2]))
    distance = 3600 * np.hypot((peaks["ra"][0] - rows["ra"][2]) * cosine, peaks["dec"][0] - rows["dec"][2])
    assert distance < 0.03
    for band in BANDS:
        error = peaks[error_col(band)][0]
        assert abs(peaks[band][0] - rows[band][2]) < 3 * error + 0.05 * rows[band][2]
        assert 0.02 < error / rows[band][2] < 0.2
    scene = add_new(rows[:2], peaks, BANDS, roi=1.0, limits={"rhalf": (0.12, 5.0)})
    assert list(scene["id"]) == ["s0", "s1", "new1"] and list(scene["source_index"]) == [0, 1, 2]
    assert list(scene["flags"]) == [0, 0, Flag.DETECTED_IN_RESIDUAL] and scene["rhalf"][2] == 0.12


@pytest.mark.parametrize("seed", range(3))
def test_an_imperfect_fit_spawns_nothing(rows, store, seed):
    """Bright sources with sizes off by 4%, indices by 0.3, positions by 8 mas: residuals that are taken for
    sources as soon as the models are taken for exact."""
    bright = rows.copy()
    for band in BANDS:
        bright[band] *= 10
    exposures = views(bright, 10 * seed)
    wrong = bright.copy()
    wrong["rhalf"] *= 1.04
    wrong["sersic"] += 0.3
    wrong["ra"] += 0.008 / 3600
    drawn = models(wrong, exposures, store)
    exact = OPTIONS | {"model_error": 0.0, "min_separation": 0.0}
    assert len(find_new(wrong, exposures, drawn, store, BANDS, **exact)) > 0
    assert len(find_new(wrong, exposures, drawn, store, BANDS, **OPTIONS)) == 0


def test_noise_spawns_nothing_even_if_correlated(store):
    from scipy import ndimage

    exposures = []
    for exposure in views(make_rows(BANDS), 50):
        noise = ndimage.gaussian_filter(exposure.data, 0.8)
        noise *= np.std(exposure.data) / np.std(noise)
        exposures.append(replace(exposure, data=noise.astype("f4")))
    blank = [np.zeros(exposure.data.shape) for exposure in exposures]
    assert len(find_new(make_rows(BANDS), exposures, blank, store, BANDS, **OPTIONS)) == 0


def test_a_catalog_from_images(rows, store):
    exposures = views(rows)
    found = detect_catalog(exposures, store, BANDS, nsigma=8.0, roi=1.0)
    assert len(found) == 3
    for row in rows:
        near = found[np.argmin(np.hypot(found["ra"] - row["ra"], found["dec"] - row["dec"]))]
        assert 3600 * abs(near["dec"] - row["dec"]) < 0.05
        for band in BANDS:
            assert abs(near[band] - row[band]) < 0.2 * row[band] + 3 * near[error_col(band)]
    assert found["rhalf"][0] == pytest.approx(0.3, rel=0.2)


@pytest.mark.parametrize("source, radius, listed", [(0, 0.8, 0), (0, 0.4, 1), (1, 0.06, 1)])
def test_a_mask_has_no_pieces_on_its_rim_and_a_source_in_its_middle(rows, store, source, radius, listed):
    """A mask over what is ten times as bright: whether the light around it is of one source, or of none."""
    bright = rows.copy()
    for band in BANDS:
        bright[band][source] *= 10 if radius != 0.4 else 1
    there = bright[source]
    masked = []
    for exposure in views(bright):
        y, x = np.indices(exposure.data.shape)
        off = separation(there["ra"], there["dec"], *exposure.wcs.pixel_to_world_values(x, y))
        masked.append(replace(exposure, ierr=np.where(off < radius, 0, exposure.ierr)))
    found = detect_catalog(masked, store, BANDS, nsigma=5.0, roi=1.0)
    off = separation(there["ra"], there["dec"], found["ra"], found["dec"])
    assert np.sum(off < max(radius, 0.05) - 0.02) == listed
    assert np.any(off > 1.5)  # the star, or the galaxy: all else is as it was
