"""Instruments: a fifth telescope is one description and its place in the list."""

import ast
import re

import numpy as np
import pytest
from astropy.io import fits

from fpho.codehash import ROOT
from fpho.config import Preprocess
from fpho.errors import InputError
from fpho.images import ExposureSpec, instruments, read_exposure, read_table, validate
from fpho.images.instruments import INSTRUMENTS, Instrument, reader_names
from fpho.images.keywords import Statement
from fpho.images.reading import njy_per_unit
from fpho.images.wcs import asdf_bytes
from tests.conftest import TOP

from .making import header, write

SHAPE = (40, 50)
STRONG, WEAK = 1 << 2, 1 << 5  # bits of the mask: bad, and a remark only


def per_count(keywords):
    value = keywords.number("NJYCOUNT")
    return [] if value is None else [Statement(f"NJYCOUNT = {value:g}", value)]


def own_gwcs(hdus):
    ASKED.append([hdu.name for hdu in hdus])
    return asdf_bytes(hdus)


ASKED: list = []
FIFTH = Instrument(
    "fifth",
    known_by={"OBSERVAT": "FIFTH"},
    science="LIGHT",
    own_uncertainties={"SPREAD": "variance"},
    own_masks=("STATE",),
    bad_bits=STRONG,
    statements=(per_count,),
    area_ext="SIZES",
    gwcs=own_gwcs,
)


@pytest.fixture
def listed(monkeypatch):
    monkeypatch.setattr(instruments, "INSTRUMENTS", (*INSTRUMENTS, FIFTH))


def file(tmp_path, name="a.fits", observatory="Fifth", **keywords):
    """Planes of other names beside its own ones, which would give other pixels."""
    data = np.random.default_rng(1).normal(0, 2.0, SHAPE)
    state = np.zeros(SHAPE, "i4")
    state[2], state[5] = STRONG, WEAK
    planes = {
        "PREVIEW": (np.ones(SHAPE), header(SHAPE)),
        "LIGHT": (data, header(SHAPE, **(keywords or {"NJYCOUNT": 5.0}))),
        "ERR": np.full(SHAPE, 7.0),
        "SPREAD": np.full(SHAPE, 4.0),
        "DQ": np.ones(SHAPE, "i4"),
        "STATE": state,
        "SIZES": np.full(SHAPE, 1.1),
    }
    return data, write(tmp_path / name, {"OBSERVAT": observatory}, **planes)


@pytest.mark.parametrize("reader", ["auto", "fifth"])
def test_a_fifth_telescope(tmp_path, listed, reader):
    """Its own extensions, kind of uncertainty, bits and factor; by its keyword, or named in the table."""
    data, path = file(tmp_path, observatory="Fifth" if reader == "auto" else "")
    table = tmp_path / "images.tsv"
    table.write_text(f"id\tband\tpath\treader\na\tr\t{path.name}\t{reader}\n")
    ASKED.clear()
    exposure = read_exposure(read_table(table)[0])
    good = exposure.ierr > 0
    assert not good[2].any() and good.sum() == good.size - SHAPE[1], "the bad bit only, of its own mask"
    assert np.allclose(exposure.data[good], 5 * data[good], rtol=1e-6)
    assert np.allclose(exposure.ierr[good], 1 / 10.0)
    assert ASKED and "LIGHT" in ASKED[0]
    assert validate(table) == []
    assert (read_exposure(read_table(table)[0], Preprocess(bitmask=WEAK)).ierr == 0)[5].all()


def test_areas_of_its_own(tmp_path, listed):
    """Relative areas multiply a surface brightness: 1.1 of the pixels that the keyword states."""
    area = (0.05 / 206264.806247) ** 2
    _, path = file(tmp_path, BUNIT="MJy/sr", PIXAR_SR=area / 1.1)
    row, factor = njy_per_unit(ExposureSpec(id="a", band="r", path=path))
    assert row.reader == "fifth" and factor.shape == SHAPE
    assert np.allclose(factor, 1e15 * area, rtol=1e-6)


def test_its_keywords_mean_nothing_in_files_of_others(tmp_path, listed):
    _, path = file(tmp_path, observatory="another")
    with pytest.raises(InputError, match="no calibration"):
        read_exposure(ExposureSpec(id="a", band="r", path=path, sci_ext="LIGHT"))


def test_without_its_place_in_the_list_the_reader_is_refused(tmp_path):
    table = tmp_path / "images.tsv"
    table.write_text("id\tband\tpath\treader\na\tr\ta.fits\tfifth\n")
    with pytest.raises(InputError, match=r"reader 'fifth'.*auto, generic, jwst, hst"):
        read_table(table)
    _, path = file(tmp_path)
    with pytest.raises(InputError, match="'fifth' is not known"):
        read_exposure(ExposureSpec(id="a", band="r", path=path, reader="fifth"))


@pytest.mark.parametrize("name", ["JWST", " jwst ", "HST", "", "SUBARU", 7])
def test_telescopes_by_their_keyword(name):
    found = instruments.find("auto", fits.Header({"TELESCOP": name})).name
    assert found == {"JWST": "jwst", "HST": "hst"}.get(str(name).strip().upper(), "generic")


def test_every_file_of_the_room_is_in_the_list_and_the_documentation_names_only_these():
    files = {path.stem for path in (ROOT / "images" / "instruments").glob("*.py")} - {
        "__init__",
        "instrument",
    }
    assert files == {one.name for one in INSTRUMENTS} == set(reader_names()) - {"auto"}
    text = (TOP / "docs" / "inputs.md").read_text()
    row = next(line for line in text.splitlines() if line.startswith("| `reader` |"))
    named = re.findall(r"`(\w+)`", row.split("|")[2])
    assert {"generic", "jwst", "hst"} <= set(named) <= set(reader_names())


def test_no_instrument_is_named_elsewhere():
    """No name or string of the code outside of the room is an instrument's; comments may tell of them."""
    names = {one.name for one in INSTRUMENTS} - {"generic"}
    found = []
    for path in (ROOT / "images").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            words = (getattr(node, key, None) for key in ("id", "attr", "arg", "name", "value"))
            if any(isinstance(word, str) and word.lower() in names for word in words):
                found.append(f"{path.name}:{node.lineno}")
    assert found == []
