"""Names that mean something to a writer's format: every product holds them as text, and gives them back."""

import dataclasses
from html.parser import HTMLParser

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from regions import Regions

from fpho.bands import LONGEST, check_bands
from fpho.errors import InputError
from fpho.fitstext import escaped, escaped_table, unescaped, unescaped_table
from fpho.images import read_table
from fpho.parameters import scene_dtype
from fpho.products import chain_catalog, postsample_catalog, write_patchreg, write_sourcereg
from fpho.products.images import read_picture, write_picture
from fpho.products.plots.chains import plot_corner
from fpho.products.plots.colour import plot_colour
from fpho.products.plots.panels import plot_exposure
from fpho.products.plots.summary import plot_summary
from fpho.products.report import write_summary
from fpho.products.tables import read_fits_table
from fpho.scene import read_scene, write_scene

from .test_pictures import picture

HOSTILE = {"g": "Hα$\\frac<img src=x>", "r": "_N}'\"$x"}
IDS = ["$\\frac{", 'a} "b" circle(1,2,3)', "<script>1</script>"]
BANDS = list(HOSTILE.values())
LONG = "x" * 300


def renamed(structured):
    """A structured array or row with the fields of bands g and r renamed."""
    names = [
        HOSTILE.get(n) or (f"{HOSTILE[n[0]]}_err" if n.endswith("_err") else n)
        for n in structured.dtype.names
    ]
    out = structured.copy()
    out.dtype.names = tuple(names)
    return out


@pytest.fixture
def hostile(results):
    """The made-up results with hostile names of bands and sources."""
    sources = []
    for source, name in zip(results.sources, IDS, strict=True):
        rows = [np.array(row) for row in (source.row, source.median)]
        for row in rows:
            row["id"] = name
        row, median = (renamed(row)[()] for row in rows)
        draws = renamed(source.draws)
        sources.append(dataclasses.replace(source, row=row, median=median, load=draws.copy))
    return dataclasses.replace(results, bands=BANDS, sources=sources)


@pytest.mark.parametrize("text", ["plain", "Hα", "\\u03b1", "\\U0001f600 \\n", "a\nb\x7f", "𝛼 \\ é", "it's"])
def test_text_in_fits_is_ascii_and_comes_back(text):
    assert escaped(text).isascii() and escaped(text).isprintable()
    assert unescaped(escaped(text)) == text
    header = fits.Header()
    header["NAME"] = escaped(text)
    assert unescaped(fits.Header.fromstring(header.tostring())["NAME"]) == text


def test_table_comes_back_from_fits(tmp_path):
    table = Table({"Hα": [1.0, 2.0], "id": ["é", "b"], "y": [1, 2], "Y": [3, 4]}, meta={"FILTERS": "Hα"})
    table["Hα"].description = "flux in Hα"
    escaped_table(table).write(tmp_path / "t.fits")
    again = unescaped_table(Table.read(tmp_path / "t.fits"))
    assert again.colnames == table.colnames and list(again["id"]) == ["é", "b"]
    assert again["Hα"].description == "flux in Hα" and again.meta["FILTERS"] == "Hα"
    assert list(again["Y"]) == [3, 4] and table.colnames[0] == "Hα"  # the table given is as it was


def test_scene_state_keeps_names(tmp_path):
    rows = np.zeros(2, scene_dtype(BANDS))
    rows["id"], rows[BANDS[0]] = IDS[:2], [1.0, 2.0]
    write_scene(tmp_path / "s.fits", rows, BANDS)
    again, bands, _ = read_scene(tmp_path / "s.fits")
    assert bands == BANDS and np.array_equal(again[BANDS[0]], [1.0, 2.0]) and list(again["id"]) == IDS[:2]


def test_catalogs_keep_names(hostile, tmp_path):
    for make, name in ((postsample_catalog, "cat"), (chain_catalog, "chains")):
        table = make(hostile, tmp_path / f"{name}.fits")
        kept = [read_fits_table(tmp_path / f"{name}.fits")]
        kept += [Table.read(tmp_path / "cat.ecsv")] if name == "cat" else []
        for again in kept:
            assert again.colnames == table.colnames and list(again["id"]) == IDS
            assert np.array_equal(again[BANDS[0]], table[BANDS[0]])
            assert again.meta["FILTERS"] == ",".join(BANDS)


def test_images_keep_names(tmp_path):
    one = dataclasses.replace(picture(), id=LONG, band=BANDS[0])
    again = read_picture(write_picture(tmp_path / "one.fits", one))
    assert (again.id, again.band) == (LONG, BANDS[0])


def test_regions_hold_nothing_but_the_sources(hostile, tmp_path):
    sources = Regions.read(write_sourcereg(hostile, tmp_path / "s.reg"), format="ds9")
    assert len(sources) == 3 and len(Regions.read(write_patchreg(hostile, tmp_path / "p.reg"))) == 2
    assert sources[1].meta["text"] == '1 a) "b" circle(1,2,3)'


class Tags(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.seen, self.text = [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.seen.append(tag)

    def handle_data(self, data):
        self.text += data


def test_page_has_no_tags_of_names(hostile, tmp_path):
    table = postsample_catalog(hostile)
    write_summary(tmp_path / "s.html", hostile, table, {"<img src=y>": 1.0})
    page = Tags((tmp_path / "s.html").read_text(encoding="utf-8"))
    assert not {"img", "script"} & set(page.seen)
    assert all(name in page.text for name in (*BANDS, *IDS, "<img src=y>"))


@pytest.mark.filterwarnings("error:.*:RuntimeWarning")
def test_pictures_show_names_as_text(hostile, tmp_path):
    """Mathematics that cannot be parsed would stop the drawing."""
    rows, source = hostile.rows, hostile.sources[0]
    one = dataclasses.replace(picture(), id="$\\frac" + LONG, band=BANDS[0])
    plot_exposure(tmp_path / "field.png", one, rows)
    plot_colour(tmp_path / "colour.png", [one, dataclasses.replace(one, band=BANDS[1])], rows)
    plot_summary(tmp_path / "summary.png", postsample_catalog(hostile), BANDS, {one.id: 1.0}, 1.02, 400)
    plot_corner(tmp_path / "corner.png", source.name, source.draws, BANDS, False)
    assert len(list(tmp_path.glob("*.png"))) == 4


@pytest.mark.parametrize(
    "bands, word",
    [
        (["x" * (LONGEST + 1)], "longer"),
        (["a,b"], "comma"),
        (["a/b"], "slash"),
        (["a\tb"], "printable"),
        (["rhalf"], "column"),
        (["r", "r_err"], "band 'r'"),
        (["r", "r_p16"], "band 'r'"),
    ],
)
def test_what_is_no_band_is_refused(bands, word):
    with pytest.raises(InputError, match=word):
        check_bands(bands, "images.tsv")


def test_bands_are_checked_with_the_table_of_exposures(tmp_path):
    check_bands(["y", "Y", "Hα", "g", "g_prime", *BANDS], "images.tsv")
    (tmp_path / "images.tsv").write_text("id\tband\tpath\none\tflags\tone.fits\n")
    with pytest.raises(InputError, match="flags"):
        read_table(tmp_path / "images.tsv")
