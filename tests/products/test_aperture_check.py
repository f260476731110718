"""Fluxes within circles against sums of pixels: what is wrong shows, what is masked does not count."""

import numpy as np
import pytest

from fpho.parameters import scene_dtype
from fpho.products.aperture_check import ApertureCheck, summarised
from fpho.products.collecting import PatchResult, Results, SourceResult
from fpho.products.picture import Picture
from fpho.products.plots.apertures import plot_apertures
from fpho.results import Apertures
from fpho.simulate import make_wcs

BAND, SCALE, SHAPE = "F200W", 0.05, (60, 70)
PLACES = ((20.2, 30.4), (45.0, 25.7), (69.0, 59.0))  # pixels; the last at the corner
RADII = (0.1, 0.3)  # arcsec


@pytest.fixture
def results():
    wcs = make_wcs(53.0, -27.0, SCALE, SHAPE)
    rows = np.zeros(3, scene_dtype((BAND,)))
    rows["ra"], rows["dec"] = wcs.pixel_to_world_values(*np.array(PLACES).T)
    rows["id"], rows["source_index"] = ["a", "b", "c"], [0, 1, 2]
    own = Apertures(*(np.array([values]) for values in (RADII, (50.0, 90.0), (2.0, 3.0))))
    sources = [SourceResult(row, row, lambda: None, 8, 1, 0, apertures=own) for row in rows]
    patch = PatchResult(0, None, np.arange(3), {}, ["one", "two"], {}, None)
    return Results([BAND], sources, [patch])


def picture(name: str, residual, sigma=0.5):
    """An image whose model is a slope, and whose data differ from it by `residual`."""
    model = np.linspace(0, 3, SHAPE[0])[:, None] * np.ones(SHAPE)
    ierr = np.full(SHAPE, 1 / sigma)
    return Picture(name, BAND, "mosaic", model + residual, model, ierr, make_wcs(53.0, -27.0, SCALE, SHAPE))


def test_a_flat_excess_is_its_area(results):
    """0.01 per pixel too much: pi R^2 pixels of it, with an error of at most sigma times the root of that."""
    check = ApertureCheck.of(results)
    check.add(picture("one", 0.01))
    table = check.table()
    area = np.pi * (np.array(RADII) / SCALE) ** 2
    assert list(table["id"]) == ["a", "a", "b", "b"]  # the third lies across the edge
    assert np.allclose(np.asarray(table["measured"] - table["model"]).reshape(2, 2), 0.01 * area, rtol=1e-4)
    error = np.asarray(table["measured_err"]).reshape(2, 2)
    assert np.all(error < 0.5 * np.sqrt(area)) and np.allclose(error[:, 1], 0.5 * np.sqrt(area[1]), rtol=0.1)
    assert np.allclose(table["pull"], (table["measured"] - table["model"]) / table["measured_err"])


def test_images_count_by_their_errors(results):
    """Twice the noise is a quarter of the weight; an image that the source was not fitted in is none."""
    check = ApertureCheck.of(results)
    check.add(picture("one", 0.01))
    check.add(picture("two", 0.06, sigma=1.0))
    check.add(picture("three", 9.0))
    table = check.table()
    area = np.pi * (RADII[1] / SCALE) ** 2
    assert np.allclose((table["measured"] - table["model"])[1::2], 0.02 * area, rtol=1e-4)
    assert list(table["images"]) == [2, 2, 2, 2]


def test_masked_circles_are_left_out(results):
    shown = picture("one", 0.0)
    shown.ierr[31, 23] = 0  # within 0.3 arcsec of the first, outside 0.1
    shown.data[31, 23] = np.nan
    check = ApertureCheck.of(results)
    check.add(shown)
    table = check.table()
    assert [(row["id"], row["circle"]) for row in table] == [("a", "psf"), ("b", "psf"), ("b", "0_3")]
    assert np.allclose(table["pull"], 0)


def test_light_that_the_model_lacks_shows(results, tmp_path):
    """A knot beside the second source pulls its wide circle, and the page says how many are off."""
    residual = np.zeros(SHAPE)
    residual[26, 48] = 30.0
    check = ApertureCheck.of(results)
    check.add(picture("one", residual))
    table = check.write(tmp_path / "apertures.ecsv")
    far = table[np.abs(table["pull"]) > 3]
    assert [(row["id"], row["circle"]) for row in far] == [("b", "0_3")]
    assert far["measured"][0] == pytest.approx(90 + 30)
    head, rows = summarised(table)
    assert [row[head.index("beyond 3")] for row in rows] == ["0", "1"]
    plot_apertures(tmp_path / "apertures.png", table, [BAND])
    assert (tmp_path / "apertures.png").stat().st_size > 5000


def test_nothing_to_compare(results, tmp_path):
    table = ApertureCheck.of(results).write(tmp_path / "apertures.ecsv")
    assert len(table) == 0 and summarised(table)[1] == []
    plot_apertures(tmp_path / "apertures.png", table, [BAND])
