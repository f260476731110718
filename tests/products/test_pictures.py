"""Images, regions and plots: what is written can be read back and lies where it should."""

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from regions import Regions

from fpho.products import postsample_catalog, write_patchreg, write_sourcereg
from fpho.products.choosing import chosen_sources, image_chi2
from fpho.products.images import read_picture, write_picture
from fpho.products.picture import Picture
from fpho.products.plots.chains import plot_chains, plot_corner
from fpho.products.plots.colour import plot_colour
from fpho.products.plots.marks import outline
from fpho.products.plots.panels import around, plot_exposure, plot_patch
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
        good = hdus["ERR"].data > 0
        assert np.allclose(
            (hdus["DATA"].data - hdus["MODEL"].data)[good], hdus["RESIDUAL"].data[good], atol=1e-4
        )
        assert hdus["RESIDUAL"].data[3, 4] == 0 and hdus["MODEL"].header["BUNIT"] == "nJy"
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


def test_flagged_and_bright_sources_get_plots(results):
    results.sources[1].row["flags"] = 4
    assert [s.row["source_index"] for s in chosen_sources(results, 1)] == [1]
    assert len(chosen_sources(results, 10)) == 3


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
    plot_chains(tmp_path / "chains.png", "source 0", source.draws, BANDS, False, 4, source.row)
    plot_corner(tmp_path / "corner.png", "point", results.sources[2].draws, BANDS, True)
    for name in ("field", "colour", "patch", "summary", "chains", "corner"):
        assert (tmp_path / f"{name}.png").stat().st_size > 5000
