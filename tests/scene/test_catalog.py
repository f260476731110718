"""Catalogs that users have become scene rows with one meaning; what is missing or unclear is named."""

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from fpho.config import Catalog
from fpho.errors import InputError
from fpho.models import POINT, SERSIC, models_of
from fpho.parameters import q_names
from fpho.scene import read_catalog, read_scene, write_scene
from tests.scene.making import BANDS, random_rows

REAL = Catalog(
    columns={"rhalf_major": "rhalf_arcsec", "sersic": "sersic_n", "position_angle": "pa_deg_EofN"},
    flux_columns="flux_{band}_nJy",
)


def table(**columns) -> Table:
    """Two galaxies, major axes 30 degrees east of north and to the east, b/a = 0.64 and 0.25."""
    base = {"id": ["a", "b"], "ra": [10.0, 10.001], "dec": [1.0, 1.0], "sersic": [1.0, 2.5], "g": [5.0, -1.0]}
    base |= {"rhalf": [0.2, 0.4], "axis_ratio": [0.64, 0.25], "position_angle": [30.0, 90.0]}
    return Table({name: value for name, value in (base | columns).items() if value is not None})


def written(tmp_path, some: Table, name="catalog.fits", **meta):
    some.meta.update(meta)
    formats = {".csv": "ascii.csv", ".ecsv": "ascii.ecsv"}
    path = tmp_path / name
    some.write(path, format=formats.get(path.suffix, "fits"))
    return path


def ambiguous(q, pa) -> Table:
    return table(axis_ratio=None, position_angle=None, q=q, pa=pa)


@pytest.mark.parametrize("name", ["catalog.fits", "catalog.csv", "catalog.ecsv"])
def test_what_tables_show_becomes_what_code_means(tmp_path, name):
    rows = read_catalog(written(tmp_path, table(), name), ["g"])
    assert list(rows["id"]) == ["a", "b"]
    np.testing.assert_allclose(rows["q"], [0.8, 0.5])
    np.testing.assert_allclose(rows["pa"], [np.pi / 3, 0.0], atol=1e-15)
    assert np.array_equal(rows["g"], [5, -1]) and np.isnan(rows["g_err"]).all()
    np.testing.assert_allclose(rows["roi"], [1.0, 1.6])  # twice the semi-major radius, where more than 1
    assert rows["is_valid"].all() and not rows["is_point"].any()


def test_the_two_meanings_of_q_and_pa(tmp_path):
    """The same galaxies by either convention; without one the reader explains both and stops."""
    documented = written(tmp_path, ambiguous([0.64, 0.25], np.radians([30.0, 90.0])), "d.fits")
    internal = written(tmp_path, ambiguous([0.8, 0.5], [np.pi / 3, 0.0]), "i.fits")
    first = read_catalog(documented, ["g"], Catalog(convention="documented"))
    second = read_catalog(internal, ["g"], Catalog(convention="internal"))
    for name in ("q", "pa", "rhalf"):
        np.testing.assert_allclose(first[name], second[name], atol=1e-12)
    with pytest.raises(InputError, match=r"d.fits.*documented.*internal.*catalog.convention"):
        read_catalog(documented, ["g"])
    said = written(tmp_path, ambiguous([0.8, 0.5], [np.pi / 3, 0.0]), "said.fits", CONVENT="internal")
    assert np.array_equal(read_catalog(said, ["g"])["pa"], second["pa"])
    with pytest.raises(InputError, match="header says"):
        read_catalog(said, ["g"], Catalog(convention="documented"))


def test_semi_major_and_circularised_radii(tmp_path):
    path = written(tmp_path, table(rhalf=None, rhalf_major=[0.5, 1.0]))
    np.testing.assert_allclose(read_catalog(path, ["g"])["rhalf"], [0.4, 0.5])


@pytest.mark.parametrize(("unit", "value", "error"), [("uJy", 2.0, 0.1), ("AB", 23.15, 0.02)])
def test_units_of_fluxes(tmp_path, unit, value, error):
    path = written(tmp_path, table(g=[value] * 2, g_err=[error, np.nan]))
    rows = read_catalog(path, ["g"], Catalog(flux_unit=unit))
    flux, sigma = (2000, 100) if unit == "uJy" else (10 ** (0.4 * (31.4 - value)), None)
    above = 10 ** (0.4 * (31.4 - value + error)) if unit == "AB" else None
    below = 10 ** (0.4 * (31.4 - value - error)) if unit == "AB" else None
    np.testing.assert_allclose(rows["g"], flux)
    np.testing.assert_allclose(rows["g_err"][0], sigma or 0.5 * (above - below), rtol=1e-3)
    assert np.isnan(rows["g_err"][1])


def test_a_unit_in_the_file_is_not_contradicted(tmp_path):
    some = table()
    some["g"].unit = "uJy"
    path = written(tmp_path, some)
    assert read_catalog(path, ["g"])["g"][0] == 5000
    with pytest.raises(InputError, match="flux_unit"):
        read_catalog(path, ["g"], Catalog(flux_unit="Jy"))


def test_point_sources_need_no_shape(tmp_path):
    some = table(type=["SER", "PSF"], rhalf=[0.2, np.nan], axis_ratio=[0.64, np.nan], sersic=[1.0, np.nan])
    rows = read_catalog(written(tmp_path, some), ["g"])
    assert list(rows["is_point"]) == [False, True]
    assert rows["rhalf"][1] == 0 and all(np.isfinite(rows[name][1]) for name in q_names(["g"]))


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"rhalf": None}, "rhalf"),
        ({"g": None}, "no column 'g'"),
        ({"ra": None}, "no column 'ra'"),
        ({"position_angle": None}, "position_angle"),
        ({"g": [np.nan, 1.0]}, "'g' is not finite for source 'a'"),
        ({"axis_ratio": [1.2, 0.5]}, "out of range"),
        ({"type": ["SER", "QSO"]}, "QSO"),
        ({"sersic": ["x", "y"]}, "holds no numbers"),
        ({"dec": [91.0, 0.0]}, "declination"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, columns, words):
    path = written(tmp_path, table(**columns))
    with pytest.raises(InputError, match=words) as stop:
        read_catalog(path, ["g"])
    assert "catalog.fits" in str(stop.value) and stop.value.cure


def test_files_that_are_no_catalog(tmp_path):
    (tmp_path / "text.fits").write_text("no table")
    for name in ("absent.fits", "text.fits"):
        with pytest.raises(InputError, match=name):
            read_catalog(tmp_path / name, ["g"])


def test_the_example_of_the_older_code(shared_data):
    """403 sources, bands in the header; ids there are all 0, and `is_valid` was never filled."""
    path = shared_data / "existing_layouts" / "goodss-3dhst-example.fits"
    rows = read_catalog(path, options=Catalog(convention="internal", flux_unit="uJy"))
    assert len(rows) == 403 and rows["is_valid"].all() and len(set(rows["id"])) == 403
    row = rows[0]
    assert (row["F435W"], row["F160W"]) == (pytest.approx(70.952), pytest.approx(231.686))
    assert (row["q"], row["pa"], row["roi"]) == pytest.approx((0.90588052, -0.2984513, 0.63))


@pytest.mark.parametrize(
    ("name", "bands", "rhalf"),
    [("decam_testcase3", "grz", 2.2 * 0.7**0.5), ("jwst_ceers", ["F115W", "F444W"], 0.21 * 0.7**0.5)],
)
def test_catalogs_of_the_real_data(shared_data, name, bands, rhalf):
    rows = read_catalog(shared_data / name / "initial_catalog.csv", bands, REAL)
    assert len(rows) == 2
    assert rows["rhalf"][0] == pytest.approx(rhalf)
    assert list(rows["is_point"]) == [False, name == "decam_testcase3"]


def test_a_state_is_read_back_bit_for_bit(tmp_path):
    rows = random_rows(20, seed=1)
    rows["g_err"][3], rows["flags"][2], rows["is_point"][4] = np.nan, 5, True
    write_scene(tmp_path / "state.fits", rows, BANDS, {"SEED": 7})
    again, bands, meta = read_scene(tmp_path / "state.fits")
    assert tuple(bands) == BANDS and meta["SEED"] == 7
    assert again.tobytes() == rows.tobytes()
    header = fits.getheader(tmp_path / "state.fits", 1)
    column = header["TTYPE*"].values()
    number = 1 + list(column).index("rhalf")
    assert header[f"TUNIT{number}"] == "arcsec" and "half-light" in header[f"TCOMM{number}"]
    rows["rhalf"][4] = 0
    as_catalog = read_catalog(tmp_path / "state.fits")
    assert np.array_equal(as_catalog["rhalf"], rows["rhalf"])


def test_what_is_no_state_is_refused(tmp_path):
    with pytest.raises(InputError, match="no such scene state"):
        read_scene(tmp_path / "absent.fits")
    with pytest.raises(InputError, match="not a scene state"):
        read_scene(written(tmp_path, table()))


def test_a_type_names_the_source_model(tmp_path):
    """And the scene's state keeps it."""
    rows = read_catalog(written(tmp_path, table(type=["SERSIC", "STAR"])), ["g"])
    assert list(rows["model"]) == ["sersic", ""] and models_of(rows) == [SERSIC, POINT]
    write_scene(tmp_path / "scene.fits", rows, ["g"])
    assert list(read_scene(tmp_path / "scene.fits")[0]["model"]) == ["sersic", ""]
