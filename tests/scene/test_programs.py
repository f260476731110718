"""Catalogs as other programs write them: formats, names, units and words, read rightly or refused by name."""

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.table import QTable, Table

from fpho.config import Catalog
from fpho.errors import InputError
from fpho.scene import read_catalog

from ..needs import needed

POSITIONS = {"ra": [10.0, 10.001], "dec": [1.0, 1.0]}


def read(path, bands=("g",), **options):
    return read_catalog(path, list(bands), Catalog(**options), complete=False)


def written(tmp_path, columns, name="catalog.ecsv", units=None):
    table = Table(POSITIONS | columns)
    for column, unit in (units or {}).items():
        table[column].unit = unit
    table.write(tmp_path / name, overwrite=True)
    return tmp_path / name


@pytest.mark.parametrize(
    "words", [("True", "False"), ("T", "F"), ("yes", "no"), ("1", "0"), ("Y", "N"), (1, 0)]
)
@pytest.mark.parametrize("suffix", ["csv", "ecsv", "fits"])
def test_truth_in_words_and_numbers(tmp_path, words, suffix):
    path = written(tmp_path, {"is_point": words, "is_valid": words[::-1], "g": [1.0, 2.0]}, f"c.{suffix}")
    rows = read(path)
    assert list(rows["is_point"]) == [True, False] and list(rows["is_valid"]) == [False, True]


@pytest.mark.parametrize("cells", [("maybe", "no"), (2, 0), (0.5, 1.0)])
def test_what_is_neither_true_nor_false_is_refused(tmp_path, cells):
    with pytest.raises(InputError, match=r"'is_point' has '\S+' in row 1, neither true nor false"):
        read(written(tmp_path, {"is_point": cells}, "c.csv"))


def test_a_flag_that_nobody_filled_is_said(tmp_path, caplog):
    rows = read(written(tmp_path, {"is_valid": [0, 0], "g": [1.0, 2.0]}))
    assert rows["is_valid"].all() and "is_valid" in caplog.text


@pytest.mark.parametrize(
    ("unit", "njy"),
    [
        *(("nJy", 1.0), ("mJy", 1e6), ("MJy", 1e15), ("Jy", 1e9), ("3631 uJy", 3.631e6)),
        *(("nmgy", 3630.7805), ("nanomaggy", 3630.7805), ("erg / (s cm2 Hz)", 1e32), ("10*nanoJansky", 10.0)),
    ],
)
def test_a_stated_unit_is_converted(tmp_path, unit, njy):
    """The error has a unit of its own."""
    columns = {"g": [2000 / njy, -1 / njy], "g_err": [0.1, 0.2]}
    rows = read(written(tmp_path, columns, units={"g": unit, "g_err": "uJy"}))
    np.testing.assert_allclose(rows["g"], [2000, -1], rtol=1e-7)
    np.testing.assert_allclose(rows["g_err"], [100, 200])


@pytest.mark.parametrize(
    "unit", ["ct", "adu", "MJy / sr", "mag", "mag(ST)", "deg", "uJy / beam", "njy", "bananas", "AB"]
)
def test_a_unit_that_is_no_flux_is_refused_by_the_column(tmp_path, unit):
    with pytest.raises(InputError, match="column 'g'"):
        read(written(tmp_path, {"g": [1.0, 2.0]}, units={"g": unit}))


@pytest.mark.parametrize("unit", ["mag(AB)", "mag", "ABmag", None])
def test_magnitudes(tmp_path, unit):
    units = {"g": unit, "g_err": "mag"} if unit else {}
    rows = read(written(tmp_path, {"g": [23.9, 31.4], "g_err": [0.1, 99.0]}, units=units), flux_unit="AB")
    np.testing.assert_allclose(rows["g"], [1000, 1])
    np.testing.assert_allclose(rows["g_err"], [92.103404, np.nan])


@pytest.mark.parametrize(
    ("unit", "factor"),
    [("rad", np.pi / 180), ("hourangle", 1 / 15), ("arcsec", 3600), ("mas", 3.6e6), ("degrees", 1)],
)
def test_angles_are_converted(tmp_path, unit, factor):
    columns = {"ra": np.array([150.0, 150.1]) * factor, "g": [1.0, 2.0]}
    np.testing.assert_allclose(read(written(tmp_path, columns, units={"ra": unit}))["ra"], [150, 150.1])


@pytest.mark.parametrize(
    ("column", "unit"), [("ra", "pix"), ("ra", "h"), ("rhalf", "kpc"), ("rhalf", "pix"), ("sersic", "deg")]
)
def test_a_unit_of_another_kind_is_refused(tmp_path, column, unit):
    columns = {"rhalf": [0.2, 0.3], "sersic": [1.0, 2.0], "g": [1.0, 2.0]}
    with pytest.raises(InputError, match=f"column '{column}' is in {unit}"):
        read(written(tmp_path, columns, units={column: unit}))


def test_sizes_in_pixels_need_their_scale(tmp_path):
    path = written(tmp_path, {"rhalf": [5.0, 3.0], "g": [1.0, 2.0]}, units={"rhalf": "pixel"})
    np.testing.assert_allclose(read(path, pixel_scale=0.04)["rhalf"], [0.2, 0.12])


@pytest.mark.parametrize("nothing", [-99.0, 99.0, -999, 1e30, np.inf, np.nan])
def test_what_stands_for_no_data_is_no_flux(tmp_path, nothing):
    rows = read(
        written(tmp_path, {"g": [3000.0, nothing], "g_err": [10.0, nothing], "rhalf": [0.2, nothing]})
    )
    assert rows["g"][0] == 3000 and np.isnan(rows["g"][1]) and np.isnan(rows["g_err"][1])
    assert np.isnan(rows["rhalf"][1])
    with pytest.raises(InputError, match="not finite for source '1'"):
        read_catalog(written(tmp_path, whole(g=[3000.0, nothing])), ["g"])


def whole(**columns):
    shapes = {
        "rhalf": [0.2, 0.3],
        "sersic": [1.0, 2.0],
        "axis_ratio": [0.5, 0.9],
        "position_angle": [10.0, 20.0],
    }
    return shapes | columns


def test_a_flux_of_99_with_an_error_is_a_flux(tmp_path):
    rows = read(written(tmp_path, {"g": [99.0, 1.0], "g_err": [5.0, 5.0]}))
    assert rows["g"][0] == 99


def test_one_of_several_apertures_is_chosen_by_name(tmp_path):
    path = written(tmp_path, {"FLUX_APER": np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])}, "c.fits")
    with pytest.raises(InputError, match=r"'FLUX_APER' holds several numbers.*FLUX_APER\[0\]"):
        read(path, columns={"g": "FLUX_APER"})
    assert list(read(path, columns={"g": "FLUX_APER[1]"})["g"]) == [2, 5]
    assert list(read(path, flux_columns="FLUX_APER[2]")["g"]) == [3, 6]


def test_sextractor_in_ldac(tmp_path):
    """Names, units and the angle, which is counted east of north; the header's table is no catalog."""
    sources = Table({"NUMBER": [7, 9], "ALPHA_J2000": [10.0, 11.0], "DELTA_J2000": [1.0, 2.0]})
    sources["A_IMAGE"], sources["B_IMAGE"], sources["THETA_J2000"] = [4.0, 2.0], [1.0, 2.0], [30.0, -40.0]
    sources["FLUX_RADIUS"] = [5.0, 2.0]
    sources["FLUX_RADIUS"].unit = "pixel"
    sources["MAG_AUTO"] = [23.9, 24.9]
    head = Table({"Field Header Card": ["SIMPLE = T"]})
    hdus = [fits.BinTableHDU(table) for table in (head, sources)]
    hdus[0].name, hdus[1].name = "LDAC_IMHEAD", "LDAC_OBJECTS"
    path = tmp_path / "sextractor.cat"
    fits.HDUList([fits.PrimaryHDU(), *hdus]).writeto(path)
    rows = read(path, pixel_scale=0.1, flux_unit="AB")
    assert list(rows["id"]) == ["7", "9"] and list(rows["dec"]) == [1, 2]
    np.testing.assert_allclose(rows["q"], [0.5, 1.0])
    np.testing.assert_allclose(np.degrees(rows["pa"]), [60, -50])
    np.testing.assert_allclose(rows["rhalf"], [0.5, 0.2])
    np.testing.assert_allclose(rows["g"], [1000, 398.1072], rtol=1e-6)
    assert np.isnan(read(path)["g"]).all()  # magnitudes whose zeropoint nobody said


def test_sextractor_in_text(tmp_path):
    text = """\
#   1 NUMBER                 Running object number
#   2 X_WORLD                Barycenter position along world x axis              [deg]
#   3 Y_WORLD                Barycenter position along world y axis              [deg]
#   4 FLUX_AUTO              Flux within a Kron-like elliptical aperture         [count]
         1   10.0010000   +1.0000000     1234.0
         2   10.0020000   +1.0010000     2234.0
"""
    (tmp_path / "test.cat").write_text(text)
    rows = read(tmp_path / "test.cat")
    assert list(rows["id"]) == ["1", "2"] and list(rows["ra"]) == [10.001, 10.002]
    assert np.isnan(rows["g"]).all()  # counts


@pytest.mark.parametrize("suffix", ["ecsv", "fits", "csv", "parquet"])
@pytest.mark.parametrize(
    "names",
    [
        ("kron_flux_err", "semimajor_axis", "semiminor_axis"),
        ("kron_fluxerr", "semimajor_sigma", "semiminor_sigma"),
    ],
)
def test_photutils_old_and_new(tmp_path, suffix, names):
    if suffix == "parquet":
        needed("pyarrow")
    table = QTable({"label": [1, 2], "sky_centroid": SkyCoord([10, 11] * u.deg, [1, 2] * u.deg)})
    table["kron_flux"], table[names[0]] = [2, 3] * u.uJy, [0.1, 0.2] * u.uJy
    table[names[1]], table[names[2]] = [4, 2] * u.pix, [2, 2] * u.pix
    path = tmp_path / f"photutils.{suffix}"
    table.write(path, format="ascii.csv" if suffix == "csv" else None)
    rows = read(path, flux_unit="uJy")
    assert list(rows["id"]) == ["1", "2"] and list(rows["ra"]) == [10, 11] and list(rows["dec"]) == [1, 2]
    np.testing.assert_allclose(rows["g"], [2000, 3000])
    np.testing.assert_allclose(rows["g_err"], [100, 200])
    assert np.all(rows["q"] == 0.9) and np.isnan(rows["rhalf"]).all()  # no direction on the sky, no size


def test_the_tractor(tmp_path):
    """b/a = (1 - e) / (1 + e), half the angle of (e1, e2) east of north; a radius along the major axis."""
    e = (1 - 0.5) / (1 + 0.5)
    angle = np.radians([2 * 30, 0, 0, 0])
    table = Table({"objid": [0, 1, 2, 3], "ra": [10.0, 11, 12, 13], "dec": [1.0, 1, 1, 1]})
    table["type"] = ["EXP", "DEV", "PSF", "DUP"]
    table["shape_r"], table["sersic"] = [2.0, 1.0, 0, 0], [1.0, 4.0, 0, 0]
    table["shape_e1"], table["shape_e2"] = e * np.cos(angle), e * np.sin(angle)
    table["flux_g"], table["flux_ivar_g"] = [10.0, 1.0, 2.0, 0.0], [4.0, 0.0, 1.0, 0.0]
    hdu = fits.table_to_hdu(table)
    hdu.columns["flux_g"].unit = "nanomaggy"  # a unit that FITS does not know
    hdu.writeto(tmp_path / "tractor.fits")
    rows = read(tmp_path / "tractor.fits")
    assert list(rows["is_point"][:3]) == [False, False, True] and list(rows["sersic"][:3]) == [1, 4, 1]
    assert list(rows["is_valid"]) == [True, True, True, False]
    np.testing.assert_allclose(rows["q"][:3] ** 2, [0.5, 0.5, 1.0])
    np.testing.assert_allclose(np.degrees(rows["pa"][:2]), [60, 90])
    np.testing.assert_allclose(rows["rhalf"][:3], [2 * 0.5**0.5, 0.5**0.5, 0])
    np.testing.assert_allclose(rows["g"][:3], np.array([10, 1, 2]) * 3630.7805477)
    np.testing.assert_allclose(rows["g_err"][:3], np.array([0.5, np.nan, 1]) * 3630.7805477)


def test_only_positions(tmp_path, caplog):
    rows = read(written(tmp_path, {}))
    assert np.isnan(rows["g"]).all() and np.isnan(rows["rhalf"]).all()
    assert np.all(rows["q"] == 0.9) and np.all(rows["sersic"] == 1.5) and np.all(rows["roi"] == 1)
    assert "no flux in g" in caplog.text
    with pytest.raises(InputError, match="no column 'g'"):
        read_catalog(tmp_path / "catalog.ecsv", ["g"])


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("mark", [",", ";", "\t", " ", "|"])
def test_text_in_all_encodings_and_delimiters(tmp_path, encoding, mark):
    lines = ["# unité: nJy", "id,ra,dec,g", "007,10.0,1.0,5", "12345678901234567890,11.0,-1.5,6"]
    (tmp_path / "c.txt").write_bytes("\r\n".join(lines).replace(",", mark).encode(encoding))
    rows = read(tmp_path / "c.txt")
    assert list(rows["id"]) == ["007", "12345678901234567890"]
    assert list(rows["dec"]) == [1, -1.5] and list(rows["g"]) == [5, 6]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("ra;dec;g\n150,1;2,2;3", "decimal points"),
        ("ra,dec,g\n10:00:24.1,+02:12:00,3", "decimal degrees"),
        ("ra,dec,g\n1,2", "line 2: 2 cells, the header has 3"),
        ("ra,dec,g\n1,2,3,4", "line 2: 4 cells"),
        ("1,2,3\n4,5,6", "columns' names"),
        ("ra,ra,dec\n1,2,3", "one name of its own"),
        ("ra,dec,g\n", "no rows"),
        ("", "no header line"),
        ("id,ra,dec\na,nan,1\nb,1,1", "'ra' is not finite for source 'a'"),
        ("ra,dec\n370,1", "outside of 0 to 360"),
        ("ra,dec\n37,-91", "declination"),
        (f"id,ra,dec\n{'x' * 33},1,2\nb,1,1", "longer than 32"),
        ("id,ra,dec\n,1,2\nb,1,1", "without an id"),
        ("ra,dec,g\n1,2,1e16", "more than any star"),
    ],
)
def test_what_is_wrong_in_text_is_named(tmp_path, text, words):
    (tmp_path / "c.csv").write_text(text)
    with pytest.raises(InputError, match=words) as stop:
        read(tmp_path / "c.csv")
    assert "c.csv" in stop.value.where and stop.value.cure


def test_a_header_in_a_comment_and_negative_right_ascensions(tmp_path):
    (tmp_path / "c.cat").write_text("# by hand\n# id ra dec g\n1 -10.0 1.0 3\n2 350.5 1.0 4\n")
    rows = read(tmp_path / "c.cat")
    assert list(rows["ra"]) == [350, 350.5] and list(rows["g"]) == [3, 4]


def test_ids_that_floats_cannot_tell_apart_are_refused(tmp_path):
    with pytest.raises(InputError, match="'id' holds numbers of more than 15 digits"):
        read(written(tmp_path, {"id": [2.0**60, 1.0]}, "c.fits"))
    assert list(read(written(tmp_path, {"id": [2**60 + 1, 5]}, "c.fits"))["id"]) == [str(2**60 + 1), "5"]


def test_round_sources_and_exchanged_axes(tmp_path):
    ratio = np.array([1 + 1e-7, 0.8], "f4")
    assert read(written(tmp_path, whole(axis_ratio=ratio), "c.fits"))["q"][0] == 1
    with pytest.raises(InputError, match=r"column 'axrat': axis ratio 1.25 of source '0' is out of range"):
        columns = {**whole(axrat=[1.25, 0.8]), "axis_ratio": [0.5, 0.5]}
        read(written(tmp_path, columns), columns={"axis_ratio": "axrat"})


def test_two_rows_at_the_same_place_are_said(tmp_path, caplog):
    read(written(tmp_path, {"ra": [10.0, 10.0 + 1e-7], "id": ["a", "again"]}))
    assert "lie at the same place as another ('a' and 'again')" in caplog.text


def test_extensions(tmp_path):
    path = tmp_path / "two.fits"
    hdus = [fits.table_to_hdu(Table(POSITIONS | {"g": g})) for g in ([1.0, 2.0], [3.0, 4.0])]
    hdus[0].name, hdus[1].name = "NORTH", "SOUTH"
    fits.HDUList([fits.PrimaryHDU(), *hdus]).writeto(path)
    with pytest.raises(InputError, match=r"several tables of sources.*1 NORTH, 2 SOUTH.*catalog.ext"):
        read(path)
    assert read(path, ext="south")["g"][0] == read(path, ext=2)["g"][0] == 3
    with pytest.raises(InputError, match=r"no table catalog.ext = 'WEST'"):
        read(path, ext="WEST")


def test_columns_that_are_ours_or_are_there(tmp_path):
    path = written(tmp_path, {"RE": [1.0, 2.0], "type": ["QSO", "QSO"]})
    with pytest.raises(InputError, match=r"'rhalf_maj'.*Did you mean 'rhalf_major'"):
        read(path, columns={"rhalf_maj": "RE"})
    with pytest.raises(InputError, match="no column 'RX'"):
        read(path, columns={"rhalf": "RX"})
    assert len(read(path, columns={"rhalf": "RE", "type": None})) == 2


@pytest.mark.parametrize("name", ["mag_g", "MAG_AUTO_g", "g_ABmag", "gmag", "log_g"])
def test_magnitudes_without_a_unit_are_not_taken_for_fluxes(tmp_path, name):
    """Nor logarithms; what is said to be AB is converted."""
    path = written(tmp_path, {name: [24.5, 25.0]}, "c.fits")
    with pytest.raises(InputError, match=f"column '{name}' has no unit.*Set catalog.flux_unit"):
        read(path, columns={"g": name})
    rows = read(path, columns={"g": name}, flux_unit="AB")
    assert rows["g"] == pytest.approx(10 ** (0.4 * (31.4 - np.array([24.5, 25.0]))), rel=1e-6)


@pytest.mark.parametrize(("key", "value"), [("RADESYS", "FK4"), ("EQUINOX", 1950.0)])
def test_positions_of_another_equinox_are_refused(tmp_path, key, value):
    """But not where only the header of the image says so, and the columns are named J2000."""
    table = Table(POSITIONS | {"g": [1.0, 2.0]}, meta={key: value})
    table.write(tmp_path / "c.fits")
    with pytest.raises(InputError, match=f"{key} = .*: positions of equinox 1950"):
        read(tmp_path / "c.fits")
    table.rename_columns(["ra", "dec"], ["ALPHA_J2000", "DELTA_J2000"])
    table.write(tmp_path / "d.fits")
    assert list(read(tmp_path / "d.fits")["ra"]) == POSITIONS["ra"]


def test_ipac_tables_with_their_units(tmp_path):
    path = tmp_path / "c.tbl"
    table = Table(POSITIONS | {"g": [1.0, 2.0]}, units={"ra": "deg", "dec": "deg", "g": "uJy"})
    table.write(path, format="ascii.ipac")
    assert list(read(path)["g"]) == [1000.0, 2000.0]
