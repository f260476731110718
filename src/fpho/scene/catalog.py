"""Peak catalogs: files that users have, to scene rows. Nothing guesses silently.

In files, `q` and `pa` are ambiguous: documentation of the older code says b/a and radians east of
north, catalogs that it wrote hold sqrt(b/a) and radians north of east. So a file with `axis_ratio` and
`position_angle` is read as it is; one with `q` and `pa` must say which (option or header keyword).
"""

import warnings
from pathlib import Path

import numpy as np

from ..config import Catalog
from ..errors import InputError
from ..fitstext import unescaped_table
from ..parameters import BOOKKEEPING, error_col, pa_from_position_angle, scene_dtype

MAGNITUDE = 0.4 * np.log(10)  # relative error of a flux per magnitude
LONGEST_ID = int(dict(BOOKKEEPING)["id"].removeprefix("U"))
CONVENTION = "CONVENT"  # header keyword that fpho writes into its own catalogs
TO_NJY = {"nJy": 1.0, "uJy": 1e3, "mJy": 1e6, "Jy": 1e9}
TYPES = {"SER": False, "GALAXY": False, "PSF": True, "POINT": True, "STAR": True}  # whether a point source
OPTIONAL = ("source_index", "n_iter", "n_patch", "flags")
AMBIGUOUS = (
    "columns q and pa can mean two things: `documented` (q = b/a, pa = radians east of north) or "
    "`internal` (q = sqrt(b/a), pa = radians from east towards north)"
)


def read_catalog(path, bands=None, options: Catalog | None = None, default_roi: float = 1.0) -> np.ndarray:
    """Scene rows (S,) of a catalog of peaks (FITS, ECSV or CSV).

    Parameters
    ----------
    bands : flux columns that are wanted; those of the header keyword FILTERS when None
    default_roi : roi in arcsec of sources that have none

    Raises
    ------
    InputError
        Naming the column that is missing or wrong, and the cure.
    """
    options = options or Catalog()
    table = read_table(path)
    _rename(table, options, path)
    bands = list(bands) if bands else catalog_bands(table, path)
    rows = np.zeros(len(table), scene_dtype(bands))
    if not len(table):
        raise InputError(path, "the catalog has no rows", "Give at least one peak")
    rows["source_index"] = np.arange(len(rows))
    rows["id"] = _ids(table, path)
    valid = _flag(table, "is_valid", True)
    rows["is_valid"] = valid if valid.any() else True  # a column that nobody filled
    rows["is_point"] = _points(table, path)
    for name in OPTIONAL[1:]:
        if name in table.colnames:
            rows[name] = np.asarray(table[name], "i8")
    for name in ("ra", "dec"):
        rows[name] = rows[f"{name}0"] = _numbers(table, name, path)
    _fill_shapes(rows, table, options, path)
    _fill_fluxes(rows, table, bands, options, path)
    roi = _numbers(table, "roi", path, default=default_roi)
    rows["roi"] = np.where(np.isfinite(roi) & (roi > 0), roi, default_roi)
    _check(rows, bands, path)
    return rows


def read_table(path):
    """The table of a FITS file (with the cards of its primary header), or an ECSV or CSV file."""
    from astropy.io import fits
    from astropy.table import Table

    path = Path(path)
    if not path.is_file():
        raise InputError(
            path, "no such catalog", "Give its path as catalog.path, or set catalog.detect: true"
        )
    try:
        if path.suffix in (".csv", ".ecsv", ".txt"):
            return Table.read(path, format="ascii.ecsv" if path.suffix == ".ecsv" else "ascii.csv")
        with fits.open(path) as hdus:
            table = Table.read(next(hdu for hdu in hdus if isinstance(hdu, fits.BinTableHDU)))
            table.meta = {**dict(hdus[0].header), **table.meta}
            table = unescaped_table(table)
    except (OSError, ValueError, StopIteration) as error:
        found = f"no table can be read ({error})"
        raise InputError(path, found, "Give a FITS binary table, ECSV or CSV") from None
    return table


def catalog_bands(table, path) -> list[str]:
    """Bands by the header keyword FILTERS (comma separated)."""
    for key, value in table.meta.items():
        if str(key).upper() == "FILTERS":
            return [name.strip() for name in str(value).split(",") if name.strip()]
    raise InputError(path, "no header keyword FILTERS", "Add it (bands, comma separated), or set `bands`")


def _rename(table, options: Catalog, path) -> None:
    for ours, theirs in options.columns.items():
        if theirs not in table.colnames:
            found = f"no column {theirs!r}, which catalog.columns gives for {ours!r}"
            raise InputError(path, found, f"It has {', '.join(table.colnames)}")
        if ours != theirs:
            if ours in table.colnames:
                table.remove_column(ours)
            table.rename_column(theirs, ours)


def _numbers(table, name, path, default=None) -> np.ndarray:
    """A column as float64; masked values are NaN."""
    if name not in table.colnames:
        if default is not None:
            return np.full(len(table), default, "f8")
        have = ", ".join(table.colnames)
        cure = f"Add it, or name the column that has it in catalog.columns; there are {have}"
        raise InputError(path, f"no column {name!r}", cure)
    column = table[name]
    try:
        values = column.astype("f8")
    except (ValueError, TypeError):
        raise InputError(path, f"column {name!r} holds no numbers", "Mend the column") from None
    return np.asarray(values.filled(np.nan) if hasattr(values, "filled") else values)


def _ids(table, path) -> list[str]:
    """Identifiers as text; the rows' numbers where there are none, or one for all."""
    names = [str(name).strip() for name in table["id"]] if "id" in table.colnames else []
    for name in names:
        if len(name) > LONGEST_ID or not name.isascii():
            found = f"id {name!r} is longer than {LONGEST_ID} characters, or not plain ASCII"
            raise InputError(path, found, "Shorten or rename it; FITS holds no other letters")
    return names if len(set(names)) > min(1, len(table) - 1) else [str(i) for i in range(len(table))]


def _flag(table, name, default) -> np.ndarray:
    return np.asarray(table[name], bool) if name in table.colnames else np.full(len(table), default)


def _points(table, path) -> np.ndarray:
    """Point sources: `is_point`, or `type` (TYPES)."""
    if "is_point" in table.colnames or "type" not in table.colnames:
        return _flag(table, "is_point", False)
    kinds = [str(kind).strip().upper() for kind in table["type"]]
    for kind in kinds:
        if kind not in TYPES:
            raise InputError(path, f"column 'type' has {kind!r}", f"Known are {', '.join(TYPES)}")
    return np.array([TYPES[kind] for kind in kinds])


def _fill_shapes(rows, table, options, path) -> None:
    point = rows["is_point"]
    q, pa = _ellipse(table, options, path, needed=not point.all())
    rhalf = _radius(table, q, path, needed=not point.all())
    sersic = _numbers(table, "sersic", path, default=1.0 if point.all() else None)
    values = {"q": (q, 1.0), "pa": (pa, 0.0), "rhalf": (rhalf, 0.0), "sersic": (sersic, 1.0)}
    for name, (column, of_point) in values.items():
        rows[name] = np.where(point, of_point, column)


def _ellipse(table, options, path, needed) -> tuple[np.ndarray, np.ndarray]:
    """Internal q and pa of the table's columns."""
    names = table.colnames
    if "axis_ratio" in names or "position_angle" in names:
        ratio = _numbers(table, "axis_ratio", path)
        return np.sqrt(ratio), pa_from_position_angle(_numbers(table, "position_angle", path))
    if not needed:
        return np.ones(len(table)), np.zeros(len(table))
    q, pa = _numbers(table, "q", path), _numbers(table, "pa", path)
    said = {str(key).upper(): value for key, value in table.meta.items()}.get(CONVENTION)
    convention = options.convention or said
    if said and convention != said:
        found = f"its header says {CONVENTION} = {said}, but catalog.convention is {convention}"
        raise InputError(path, found, "Leave catalog.convention out, or mend the header")
    if convention not in ("documented", "internal"):
        raise InputError(path, AMBIGUOUS, "Set catalog.convention to the one that holds for this file")
    if convention == "documented":
        return np.sqrt(q), pa_from_position_angle(np.degrees(pa))
    return q, pa


def _radius(table, q, path, needed) -> np.ndarray:
    """Circularised half-light radius; `rhalf_major` is the semi-major one."""
    if "rhalf" not in table.colnames and "rhalf_major" in table.colnames:
        return _numbers(table, "rhalf_major", path) * q
    return _numbers(table, "rhalf", path, default=None if needed else 0.0)


def _fill_fluxes(rows, table, bands, options, path) -> None:
    for band in bands:
        name = options.flux_columns.format(band=band)
        unit = _unit(table, name, options.flux_unit, path)
        rows[band] = to_njy(_numbers(table, name, path), unit)
        error = _numbers(table, error_col(name), path, default=np.nan)
        factor = MAGNITUDE * rows[band] if unit == "AB" else TO_NJY[unit]
        rows[error_col(band)] = np.where(error > 0, error * factor, np.nan)


def _unit(table, name, option: str, path) -> str:
    """Unit of a flux column: the option's; a column that says another one of those is believed or refused."""
    said = str(getattr(table[name], "unit", None) or "") if name in table.colnames else ""
    said = {unit.lower(): unit for unit in (*TO_NJY, "AB")}.get(said.lower(), option)
    if said != option and option != "nJy":
        found = f"column {name!r} is in {said}, but catalog.flux_unit is {option}"
        raise InputError(path, found, f"Set catalog.flux_unit: {said}, or mend the column's unit")
    return said


def to_njy(values, unit: str) -> np.ndarray:
    """Fluxes in nJy; AB magnitudes by m = 31.4 - 2.5 log10(f / nJy)."""
    return 10 ** (-0.4 * (values - 31.4)) if unit == "AB" else values * TO_NJY[unit]


def _check(rows, bands, path) -> None:
    valid = rows["is_valid"]
    needed = ["ra", "dec", "q", "pa", "sersic", "rhalf", *bands]
    for name in needed:
        bad = valid & ~np.isfinite(rows[name])
        if np.any(bad):
            found = f"column {name!r} is not finite for source {str(rows['id'][bad][0])!r}"
            raise InputError(path, f"{found} and {bad.sum() - 1} others", "Mend it, or set is_valid false")
    galaxy = valid & ~rows["is_point"]
    for name, low, high in (("q", 0, 1), ("rhalf", 0, np.inf), ("sersic", 0, np.inf)):
        bad = galaxy & ((rows[name] <= low) | (rows[name] > high))
        if np.any(bad):
            found = f"{name} = {rows[name][bad][0]:.4g} of source {str(rows['id'][bad][0])!r} is out of range"
            cure = "Check catalog.convention and units; a point source has type PSF"
            raise InputError(path, found, cure)
    if np.any(np.abs(rows["dec"][valid]) > 90):
        raise InputError(path, "a declination beyond 90 degrees", "Columns ra and dec are in degrees")
    names, counts = np.unique(rows["id"], return_counts=True)
    if np.any(counts > 1):
        repeated = f"{path}: id {str(names[counts > 1][0])!r} stands {counts.max()} times"
        warnings.warn(f"{repeated}; sources are told apart by source_index", stacklevel=3)
