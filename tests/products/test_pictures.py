"""Images, regions and plots: what is written can be read back and lies where it should."""

import tracemalloc

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from regions import Regions

from fpho.products import postsample_catalog, write_patchreg, write_sourcereg
from fpho.products.choosing import image_chi2
from fpho.products.images import read_picture, write_picture
from fpho.products.picture import Picture
from fpho.products.plots.chains import plot_corner
from fpho.products.plots.colour import about_grey, colours, plot_colour
from fpho.products.plots.marks import free_places, outline
from fpho.products.plots.panels import around, plot_exposure, plot_patch
from fpho.products.plots.pulls import _points
from fpho.products.plots.sky import sky_axes
from fpho.products.plots.style import figure, grey_norm
from fpho.products.plots.summary import plot_summary
from fpho.simulate import make_wcs

from .conftest import BANDS, CENTRE


def picture(name="g1", band="g", rotation=20.0):
    rng = np.random.default_rng(1)
    wcs = make_wcs(CENTRE["ra"], CENTRE["dec"], 0.1, (60, 70), rotation)
    model = np.zeros((60, 70))
    model[30, 35] = 50.0
    ierr = np.full((60, 70), 0.5)
    ierr[3, 4] = 0.0
    return Picture(
        name,
        band,
        "exposure",
        model + 2 * rng.standard_normal(model.shape),
        model,
        ierr,
        wcs,
        wcs.to_header(),
    )


def test_image_file_has_the_inputs_wcs_and_adds_up(tmp_path):
    one = picture()
    path = write_picture(tmp_path / "g1.fits", one)
    with fits.open(path) as hdus:
        good = hdus["MASK"].data == 0
        assert np.allclose(
            (hdus["DATA"].data - hdus["MODEL"].data)[good], hdus["RESIDUAL"].data[good], atol=1e-4
        )
        masked = {name: hdus[name].data[3, 4] for name in ("DATA", "RESIDUAL", "ERR", "CHI")}
        assert np.isnan(list(masked.values())).all() and np.isfinite(hdus["MODEL"].data).all()
        assert hdus["MASK"].data.sum() == hdus["MASK"].data[3, 4] == 1
        assert np.nanstd(hdus["CHI"].data) == pytest.approx(1, abs=0.05)
        assert hdus["MODEL"].header["BUNIT"] == "nJy" and "BUNIT" not in hdus["CHI"].header
        place = WCS(hdus["RESIDUAL"].header).pixel_to_world_values(10, 20)
    assert np.allclose(place, one.wcs.pixel_to_world_values(10, 20), atol=1e-9)
    assert np.allclose(read_picture(path).pull, one.pull, equal_nan=True, atol=1e-4)


def test_chi2_of_an_image():
    assert image_chi2(picture()) == pytest.approx(1.0, abs=0.08)


def test_cut_out_keeps_the_sky(results):
    one = picture()
    part = around(one, type(results.patches[0].region)(CENTRE["ra"], CENTRE["dec"], 1.0))
    assert part.data.shape[0] in (20, 21, 22, 23)
    x, y = part.wcs.world_to_pixel_values(CENTRE["ra"], CENTRE["dec"])
    peak = np.unravel_index(part.model.argmax(), part.model.shape)
    assert np.hypot(peak[1] - x, peak[0] - y) < 1


def test_outline_has_the_sources_size_and_angle():
    row = {"ra": CENTRE["ra"], "dec": CENTRE["dec"], "q": 0.8, "pa": 0.6, "rhalf": 1.0, "is_point": False}
    one = picture(rotation=35.0)
    sky = np.array(one.wcs.pixel_to_world_values(*outline(row, one.wcs).T))
    east = ((sky[0] - row["ra"] + 180) % 360 - 180) * 3600 * np.cos(np.radians(row["dec"]))
    north = (sky[1] - row["dec"]) * 3600
    radius = np.hypot(east, north)
    assert radius.max() == pytest.approx(1 / 0.8, rel=0.01) and radius.min() == pytest.approx(0.8, rel=0.01)
    far = radius.argmax()
    assert np.tan(0.6) == pytest.approx(north[far] / east[far], rel=0.05)


def test_names_keep_apart():
    """Two close pairs and one at the edge: no name on another's, none outside."""
    turn = np.linspace(0, 2 * np.pi, 30)
    circle = 2.0 * np.stack([np.cos(turn), np.sin(turn)], axis=-1)
    middles = np.array([[30, 30], [33, 30], [60, 20], [60, 22], [98.0, 98.0]])
    names = ["10", "11", "12", "13", "14"]
    places = free_places([circle + middle for middle in middles], names, (100, 100), inches=3.0)
    width, height = 0.64 * 2 * 7.5 * 100 / 216, 7.5 * 100 / 216
    assert np.all(places > 0) and np.all(places < 99)
    for i, j in zip(*np.triu_indices(5, 1), strict=True):
        dx, dy = np.abs(places[i] - places[j])
        assert dx > 0.99 * width or dy > 0.99 * height
    assert np.all(np.hypot(*(places - middles).T) < 8)


def test_colours_show_the_sky_and_residuals_about_grey():
    layers = np.zeros((3, 4, 5))
    layers[0, 1, 1], layers[:, 2, 2] = 40.0, 250.0
    rgb = colours(layers).astype(int)
    assert 20 < rgb[0, 0].min() == rgb[0, 0].max() < 80  # the sky is neither black nor bright
    assert rgb[1, 1, 0] > 2 * rgb[1, 1, 1] and np.all(rgb[2, 2] == 255)
    residual = about_grey(np.stack([layers[0] * 0 + value for value in (0.0, 2.5, -9.0)]))
    assert residual[0, 0].tolist() == [0.5, 0.75, 0.0]


def test_greys_are_linear_in_the_sky_and_reach_the_bright():
    norm = grey_norm(np.array([[0.0, 200.0], [np.nan, 4000.0]]), 2.0)
    sky, peak = norm(np.array([0.0, 1990.0]))
    assert 0 < sky < 0.3 and peak > 0.99
    assert norm(1.0) - norm(0.0) == pytest.approx(norm(0.0) - norm(-1.0), rel=0.01)


def test_points_beyond_the_axis_are_triangles(tmp_path):
    with figure(tmp_path / "p.png", 3, 3) as fig:
        axis = fig.subplots()
        _points(axis, np.arange(4.0), np.array([0.0, 9.0, -9.0, np.nan]), (-6, 6), marker="o")
        shown = {line.get_marker(): np.column_stack(line.get_data()) for line in axis.lines}
    assert shown["o"].tolist() == [[0, 0]] and shown["^"][0, 0] == 1 and shown["v"][0, 0] == 2
    assert 5 < shown["^"][0, 1] < 6 and -6 < shown["v"][0, 1] < -5


def test_sky_axes_show_right_ascension_and_declination(tmp_path):
    part = picture().cut((30, 40), 12)
    with figure(tmp_path / "p.png", 4, 4) as fig:
        axes = sky_axes(fig, fig.add_gridspec(1, 1)[0], part.wcs, part.data.shape)
        axes.imshow(part.data)
        fig.canvas.draw()
        texts = [text for c in axes.coords for side in c._ticklabels.text.values() for text in side]
    assert any(":" in text for text in texts) and not any("$" in text for text in texts)
    x, y = axes.wcs.world_to_pixel_values(CENTRE["ra"], CENTRE["dec"])
    assert (x, y) == pytest.approx(part.wcs.world_to_pixel_values(CENTRE["ra"], CENTRE["dec"]))


def wide(side: int) -> Picture:
    """Noise, and a model without a source."""
    wcs, noise = make_wcs(CENTRE["ra"], CENTRE["dec"], 0.1, (side, side), 20.0), np.random.default_rng(2)
    data, ierr = noise.standard_normal((side, side), dtype="f4"), np.ones((side, side), "f4")
    return Picture("w", "g", "exposure", data, np.zeros((side, side)), ierr, wcs, wcs.to_header())


def test_a_wide_image_is_written_and_drawn_in_the_memory_of_a_few_of_its_layers(results, tmp_path):
    """Bytes for each of its pixels; they were 48 and 85, 170 in colour, and all images were held for that."""
    one, other = wide(1700), wide(1650)
    works = {
        24: lambda: write_picture(tmp_path / "w.fits", one),
        60: lambda: plot_exposure(tmp_path / "w.png", one, results.rows),
        70: lambda: plot_colour(tmp_path / "colour.png", [one, other], results.rows),
    }
    for most, work in works.items():
        tracemalloc.start()
        work()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak / one.data.size < most


def test_what_is_drawn_of_a_wide_image_is_where_it_was():
    one = picture()
    assert one.thinned(70) is one
    thin = one.thinned(40)
    assert thin.data.shape == (30, 35) and thin.model[15, 18] == one.model[30, 36]
    assert np.allclose(thin.wcs.pixel_to_world_values(18, 15), one.wcs.pixel_to_world_values(36, 30))
    assert np.allclose(thin.wcs.world_to_pixel_values(*one.wcs.pixel_to_world_values(36, 30)), (18, 15))
    assert thin.noise == one.noise


def test_regions(results, tmp_path):
    sources = Regions.read(write_sourcereg(results, tmp_path / "s.reg"))
    patches = Regions.read(write_patchreg(results, tmp_path / "p.reg"))
    assert [type(one).__name__ for one in sources] == ["EllipseSkyRegion"] * 2 + ["PointSkyRegion"]
    # the major axis points north: 90 degrees from the direction of west, which DS9 counts from
    angle = sources[0].angle.to_value("deg")
    assert min(abs(angle - 90), abs(angle - 270)) < 2
    assert sources[0].width.to_value("arcsec") == pytest.approx(2 * CENTRE["rhalf"] / CENTRE["q"], rel=0.02)
    assert sources[0].center.ra.deg == pytest.approx(CENTRE["ra"], abs=1e-6)
    assert [one.radius.to_value("arcsec") for one in patches] == pytest.approx([3.0, 3.0])


@pytest.mark.filterwarnings("error:.*:RuntimeWarning")
def test_every_plot_is_drawn(results, tmp_path):
    rows, one = results.rows, picture()
    other = picture("r1", "r", rotation=80.0)
    region = type(results.patches[0].region)(CENTRE["ra"], CENTRE["dec"], 1.5)
    table = postsample_catalog(results)
    source = results.sources[0]
    plot_exposure(tmp_path / "field.png", one, rows)
    plot_colour(tmp_path / "colour.png", [one, other], rows)
    plot_patch(tmp_path / "patch.png", "patch 0", [around(p, region) for p in (one, other)], rows, [0])
    plot_summary(tmp_path / "summary.png", table, BANDS, {"g1": 1.0, "r1": 0.99}, 1.02, 400)
    plot_corner(tmp_path / "truth.png", "source 0", source.draws, BANDS, False, source.row)
    plot_corner(tmp_path / "corner.png", "point", results.sources[2].draws, BANDS, True)
    for name in ("field", "colour", "patch", "summary", "truth", "corner"):
        assert (tmp_path / f"{name}.png").stat().st_size > 5000
