"""Sheets of sources: profiles against closed forms, cut-outs against a run's images, what pages say."""

import numpy as np
import pytest
from astropy.wcs import WCS
from matplotlib.text import Text

from fpho.errors import InputError
from fpho.flags import DESCRIPTIONS, Flag
from fpho.products.collecting import collect
from fpho.products.images import image_files
from fpho.products.picture import Picture
from fpho.products.sheets import Sheet, SheetMaker, SourceView, picture_page, posterior_page, write_sheets
from fpho.products.sheets.profiles import growth, surface_brightness

from .conftest import BANDS

SCALE, SIDE, TOTAL = 0.04, 101, 700.0  # arcsec, pixels, nJy


def wcs(angle: float = 25.0):
    c, s = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    made = WCS(naxis=2)
    made.wcs.ctype, made.wcs.crval = ["RA---TAN", "DEC--TAN"], [359.99999, 60.0]
    made.wcs.crpix, made.wcs.cd = [SIDE / 2, SIDE / 2], SCALE / 3600 * np.array([[-c, s], [s, c]])
    return made


def gaussian(sky, row, width: float, ratio: float, pa: float) -> np.ndarray:
    """A Gaussian of TOTAL nJy: sigma of the major axis in arcsec, axis ratio, position angle in degrees."""
    ra, dec = sky.pixel_to_world_values(*np.indices((SIDE, SIDE))[::-1])
    north = (dec - row["dec"]) * 3600
    east = (np.mod(ra - row["ra"] + 180, 360) - 180) * 3600 * np.cos(np.radians(row["dec"]))
    turn = np.radians(pa)
    along, across = east * np.sin(turn) + north * np.cos(turn), east * np.cos(turn) - north * np.sin(turn)
    shape = np.exp(-0.5 * (along**2 + (across / ratio) ** 2) / width**2)
    return TOTAL * SCALE**2 * shape / (2 * np.pi * width**2 * ratio)


def view(row, ratio=1.0, pa=0.0, band="g", sigma=0.05) -> SourceView:
    """The source and a brighter neighbour, which the model has; a mask with a wild value below it."""
    own = gaussian(wcs(), row, 0.25, ratio, pa)
    other = 3 * np.roll(own, (20, -15), (0, 1))
    data, ierr = own + other, np.full(own.shape, 1 / sigma)
    data[45:50, 55:60], ierr[45:50, 55:60] = 1e6, 0
    return SourceView(Picture(f"{band}1", band, "mosaic", data, own + other, ierr, wcs()), own)


@pytest.fixture
def row(results):
    one = results.sources[0].median.copy()
    one["ra"], one["dec"] = wcs().pixel_to_world_values(SIDE // 2, SIDE // 2)
    one["pa"] = 0.5 * np.pi - np.radians(40.0)  # a position angle of 40 degrees, counted from the east
    one["q"] = np.sqrt(0.5)
    return one


def test_growth_of_a_gaussian(row):
    found = growth(view(row), row)
    wanted = TOTAL * (1 - np.exp(-0.5 * (found.radius / 0.25) ** 2))
    assert found.data == pytest.approx(wanted, abs=2e-3 * TOTAL) and len(found.radius) >= 6
    assert found.model == pytest.approx(wanted, abs=2e-3 * TOTAL)
    pixels = np.pi * (found.radius / SCALE) ** 2
    assert found.error[:2] == pytest.approx(0.05 * np.sqrt(pixels[:2]), rel=0.25)
    assert found.radius[-1] == pytest.approx((SIDE // 2 + 0.5) * SCALE, rel=0.02)


def test_profile_along_the_major_axis(row):
    """Annuli of the source's own shape: with another angle the profile would be flatter by a quarter."""
    one = view(row, ratio=0.5, pa=40.0)
    found = surface_brightness(one, row)
    edges = [0.0]
    for radius in found.radius:  # the middle of an annulus halves its area
        edges.append(np.sqrt(2 * radius**2 - edges[-1] ** 2))
    inner, outer = np.array(edges[:-1]), np.array(edges[1:])
    light = TOTAL * (np.exp(-0.5 * (inner / 0.25) ** 2) - np.exp(-0.5 * (outer / 0.25) ** 2))
    wanted = light / (np.pi * 0.5 * (outer**2 - inner**2))
    bright = wanted > 1e-3 * wanted[0]
    assert bright.sum() >= 5 and found.data[bright] == pytest.approx(wanted[bright], rel=0.02)
    assert found.data == pytest.approx(found.model, abs=1e-6 * wanted[0])


def sheet(results, row, **more) -> Sheet:
    source = results.sources[0]
    row["flags"] = int(Flag.POOR_FIT | Flag.AT_BOUND)
    values = {
        "name": "0 ($x^)",
        "row": row,
        "bands": BANDS,
        "views": {"g": view(row), "r": view(row, band="r")},
        "images": {"g": 3, "r": 1},
        "near": np.array([row]),
        "draws": source.draws,
        "chains": 4,
        "patch": 0,
        "psf_width": {"g": 0.1},
        "truth": source.row,
    }
    return Sheet(**values | more)


def words_of(fig) -> str:
    return "\n".join(text.get_text() for text in fig.findobj(Text))


@pytest.mark.filterwarnings("error:.*:RuntimeWarning", "error::DeprecationWarning")
def test_pages_say_and_show_what_there_is(results, row):
    one = sheet(results, row)
    page = picture_page(one)
    said = " ".join(words_of(page).split())
    for flag in (Flag.POOR_FIT, Flag.AT_BOUND):
        assert DESCRIPTIONS[flag] in said
    assert "1 of 3 images" in said and "RA" in said and "arcsec" in said
    assert sum(len(axis.images) > 0 for axis in page.axes) == 9
    said = words_of(posterior_page(one))
    assert said.count("R-hat") == 8 and "half-light radius" in said and "truth" in said


@pytest.mark.filterwarnings("error:.*:RuntimeWarning")
def test_pages_of_little(results, row):
    """One band, a negative flux, no PSF width; a point source; nothing in any image."""
    row["g"] = -3.0
    picture_page(sheet(results, row, bands=["g"], views={"g": view(row)}, psf_width={}, truth=None))
    point = results.sources[2].median.copy()
    point["ra"], point["dec"] = row["ra"], row["dec"]
    picture_page(sheet(results, point, views={"r": view(row, band="r")}))
    said = words_of(posterior_page(sheet(results, point, draws=results.sources[2].draws, truth=None)))
    assert said.count("R-hat") == 4 and "Sersic" not in said
    said = words_of(
        picture_page(sheet(results, row, views={}, images={}, draws=results.sources[0].draws[:0]))
    )
    assert "no draws" in said


def test_sheets_of_a_run(run, tmp_path):
    """Own models of all sources add up to the run's model image; a file for each source asked for."""
    config, layout = run
    maker = SheetMaker(layout.outdir, collect(layout.outdir), config)
    with image_files(layout) as images:
        sheets = [maker.sheet(source, images) for source in maker.sources]
    assert not any(path.name.startswith(".images") for path in layout.outdir.iterdir())
    for one in sheets:
        picture = one.views["F125W"].picture
        assert picture.kind == "mosaic" and one.images["F125W"] == 2
        xy = picture.wcs.world_to_pixel_values(one.row["ra"], one.row["dec"])
        assert one.psf_width["F125W"] == pytest.approx(0.125, rel=0.1)
        peak = np.unravel_index(np.argmax(one.views["F125W"].own), picture.data.shape)
        assert peak[::-1] == pytest.approx(xy, abs=1.0)
        assert (one.views["F125W"].others > -1e-4 * picture.model.max()).all()
    paths = list(write_sheets(layout.outdir, [str(maker.sources[0].row["id"])], tmp_path, maker=maker))
    assert [path.name for path in paths] == ["source0.pdf"] and paths[0].read_bytes()[:4] == b"%PDF"
    for wrong in ("nobody", "99"):
        with pytest.raises(InputError, match=wrong):
            list(write_sheets(layout.outdir, [wrong], tmp_path, maker=maker))
    with pytest.raises(InputError, match="svg"):
        list(write_sheets(layout.outdir, None, tmp_path, "svg", maker))
