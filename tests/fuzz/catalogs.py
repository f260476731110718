"""Generators of odd catalogs, and what must hold of all that is read from them.

Everything comes from the `numpy.random.Generator` that is given, so that a failure is made again by its seed.
"""

import io

import numpy as np
from astropy.table import Table

from fpho.config import Catalog
from fpho.errors import InputError
from fpho.parameters import error_col
from fpho.scene import read_catalog
from fpho.scene.catalog.programs import BAND_FLUXES, INVERSE_VARIANCE, NAMES, ONLY_FLUXES, TYPES

BANDS = ("g", "Y")
FORMATS = ("csv", "semicolon", "tab", "blank", "ecsv", "fits", "votable", "parquet")
ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "cp1252", "utf-32")
UNITS = (
    *(
        "",
        "nJy",
        "uJy",
        "MJy",
        "nmgy",
        "nanomaggy",
        "mag",
        "mag(AB)",
        "ct",
        "MJy / sr",
        "deg",
        "rad",
        "arcsec",
    ),
    *(
        "mas",
        "hourangle",
        "pix",
        "kpc",
        "h",
        "3631 uJy",
        "bananas",
        "dex(nJy)",
        "erg / (s cm2 Hz)",
        "%",
        "1e400 Jy",
    ),
)
NUMBERS = (
    0.0,
    -0.0,
    1.0,
    1 + 1e-7,
    -1.0,
    0.5,
    2.0,
    99.0,
    -99.0,
    1e30,
    -1e30,
    1e-300,
    3e38,
    np.nan,
    np.inf,
    90.0,
    370.0,
)
CELLS = (
    *(
        "",
        "nan",
        "--",
        "T",
        "no",
        "maybe",
        "1,5",
        "10:00:24.1",
        "PSF",
        "SER",
        "é",
        "日本",
        "x" * 40,
        "$\\frac",
    ),
    *("<b>", "1e999", "007", "'", '"', "#", "a;b"),
)
OPTIONS = {
    "convention": (None, "documented", "internal"),
    "flux_unit": (None, "nJy", "AB", "uJy", "mag", "bananas", "ct"),
    "pixel_scale": (None, 0.05),
    "flux_columns": ("{band}", "flux_{band}", "FLUX_AUTO"),
    "ext": (None, None, None, None, None, 1, "X"),
}
DIRECT = (
    "roi",
    "q",
    "pa",
    "type",
    "is_point",
    "is_valid",
    "n_iter",
    "flags",
    "x",
    "THETA_IMAGE",
    "sky_centroid",
)


def column_names() -> list[str]:
    """Names that mean something in a catalog, of `fpho` and of other programs."""
    fluxes = [name for flux, errors in (*BAND_FLUXES, *ONLY_FLUXES) for name in (flux, *errors)]
    per_band = [name.format(band=band) for name in (*fluxes, INVERSE_VARIANCE) for band in BANDS]
    own = [name for band in BANDS for name in (band, error_col(band))]
    return sorted({*(name for names in NAMES.values() for name in names), *DIRECT, *per_band, *own})


def odd_table(rng) -> Table:
    """A table with right positions in most cases, and columns of all kinds beside them."""
    count = int(rng.integers(1, 5))
    table = Table()
    names = list(rng.choice(column_names(), rng.integers(0, 9), replace=False))
    if rng.random() < 0.9:
        names = ["ra", "dec", *(name for name in names if name.lower() not in ("ra", "dec"))]
    for name in names:
        table[name] = _column(rng, name, count)
        unit = str(rng.choice(UNITS)) if rng.random() < 0.3 else ""
        if unit and table[name].dtype.kind == "f":
            table[name].unit = unit if unit != "1e400 Jy" else None
    return table


def _column(rng, name: str, count: int):
    kind = rng.random()
    if name in ("ra", "dec") and kind < 0.9:
        return rng.uniform(0, 80, count)
    if name == "type" and kind < 0.8:
        return rng.choice([*TYPES, "DUP"], count)
    if kind < 0.45:
        return rng.lognormal(0, 1, count)
    if kind < 0.7:
        return rng.choice(NUMBERS, count)
    if kind < 0.8:
        return rng.choice(CELLS, count)
    if kind < 0.86:
        return rng.integers(-2, 3, count) * int(rng.choice([1, 2**40, 2**60]))
    if kind < 0.92:
        return rng.random(count) < 0.5
    if kind < 0.96:
        return rng.lognormal(0, 1, (count, int(rng.integers(1, 4))))
    return np.ma.masked_less(rng.lognormal(0, 1, count), 1.0)


def written(table: Table, form: str, encoding: str) -> bytes:
    """The content of a file; ValueError and its like where a format cannot hold the table."""
    if form in ("csv", "semicolon", "tab", "blank"):
        mark = {"csv": ",", "semicolon": ";", "tab": "\t", "blank": " "}[form]
        text = io.StringIO()
        table.write(text, format="ascii.basic", delimiter=mark)
        return text.getvalue().encode(encoding, errors="replace")
    if form == "ecsv":
        text = io.StringIO()
        table.write(text, format="ascii.ecsv")
        return text.getvalue().encode("utf-8")
    out = io.BytesIO()
    if form == "parquet":
        table.to_pandas().to_parquet(out)
    elif (
        form == "votable"
    ):  # astropy's writer of plain VOTable (not its reader) overruns a buffer for cells like <b>
        table.write(out, format=form, tabledata_format="binary2")
    else:
        table.write(out, format=form)
    return out.getvalue()


def plain_table(rng) -> Table:
    """A table that any format can hold and any reader understands."""
    count = int(rng.integers(1, 6))
    table = Table({"id": [f"s{i}" for i in range(count)], "is_point": rng.random(count) < 0.3})
    limits = {"ra": (0, 360), "dec": (-90, 90), "axis_ratio": (0.05, 1), "position_angle": (-180, 360)}
    limits |= {"sersic": (0.3, 8), "rhalf": (0.01, 3), "roi": (0.5, 5)}
    limits |= {name: (1, 90) for band in BANDS for name in (band, error_col(band))}
    for name, (low, high) in limits.items():
        table[name] = rng.uniform(low, high, count)
    return table


def odd_catalog(rng) -> tuple[bytes, dict]:
    """(content of a file, options of `Catalog`)."""
    options = {
        name: values[rng.integers(len(values))] for name, values in OPTIONS.items() if rng.random() < 0.2
    }
    while True:
        try:
            return written(odd_table(rng), str(rng.choice(FORMATS)), str(rng.choice(ENCODINGS))), options
        except (ValueError, TypeError, KeyError, OSError):  # the writer cannot hold this table
            continue


def damaged(rng, content: bytes) -> bytes:
    """A file that was cut off, or has bytes changed, lost or doubled."""
    data = bytearray(content)
    way = rng.integers(4)
    if way == 0:
        return bytes(data[: rng.integers(len(data) + 1)])
    for _ in range(int(rng.integers(1, 6))):
        place = int(rng.integers(max(len(data), 1)))
        if way == 1 and data:
            data[place] ^= 1 << int(rng.integers(8))
        elif way == 2:
            del data[place : place + int(rng.integers(1, 40))]
        else:
            data[place:place] = rng.integers(0, 256, int(rng.integers(1, 8))).astype("u1").tobytes()
    return bytes(data)


def read_or_refuse(path, options: dict):
    """Scene rows of a file, sound in all that a fit needs; or None where it is refused in due form.

    Raises
    ------
    AssertionError
        For rows that no fit should get, or a refusal that names no cure.
    """
    try:
        rows = read_catalog(path, list(BANDS), Catalog(**options), complete=False)
    except InputError as error:
        assert str(path) in error.where or error.where == "catalog.flux_unit", error
        assert error.found and error.cure
        return None
    check_sound(rows)
    return rows


def check_sound(rows) -> None:
    """Assert that every valid row can be fitted; fluxes and radii may be unknown (NaN)."""
    valid = rows[rows["is_valid"]]
    assert np.all((valid["ra"] >= 0) & (valid["ra"] < 360) & (np.abs(valid["dec"]) <= 90))
    assert np.all((valid["q"] > 0) & (valid["q"] <= 1) & np.isfinite(valid["pa"]))
    assert np.all((valid["sersic"] > 0) & np.isfinite(valid["sersic"]))
    assert np.all(np.isnan(valid["rhalf"]) | (valid["rhalf"] > 0) | valid["is_point"])
    assert np.all(np.isfinite(valid["roi"]) & (valid["roi"] > 0))
    for band in BANDS:
        assert np.all(np.isnan(valid[band]) | (np.abs(valid[band]) <= 1e15))
        assert np.all(np.isnan(valid[error_col(band)]) | (valid[error_col(band)] > 0))
        assert not np.any(np.isin(valid[band], [-99.0, 1e30]))
