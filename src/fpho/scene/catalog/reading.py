"""Peak catalogs: files that users have, to scene rows. Nothing guesses silently."""

import logging
from collections import Counter

import numpy as np

from ...bands import check_bands
from ...config import Catalog
from ...errors import InputError
from ...parameters import BOOKKEEPING, scene_dtype
from . import values
from .checks import check_positions, check_shapes, check_values, say_repeated
from .columns import Columns
from .fluxes import fill_fluxes
from .formats import read_table
from .models import WORDS, fill_models
from .programs import DUPLICATE, TYPES
from .shapes import read_shapes

log = logging.getLogger("fpho")
LONGEST_ID = int(dict(BOOKKEEPING)["id"].removeprefix("U"))
OPTIONAL = ("n_iter", "n_patch", "flags")
START = {"q": 0.9, "pa": 0.0, "sersic": 1.5}  # shapes to start from where nothing is known
OF_POINT = {"q": 1.0, "pa": 0.0, "rhalf": 0.0, "sersic": 1.0}


def read_catalog(
    path, bands=None, options: Catalog | None = None, default_roi: float = 1.0, complete: bool = True
) -> np.ndarray:
    """Scene rows (S,) of a catalog of peaks; formats and columns as `docs/inputs.md` describes.

    Parameters
    ----------
    bands : flux columns that are wanted; those of the header keyword FILTERS when None
    default_roi : least roi (arcsec) of sources without one: theirs is twice the semi-major half-light radius
    complete : every galaxy must have a shape, and every source a flux in each band. Else only positions are
        needed: shapes that are not known are START, fluxes and radii NaN (see `fpho.detect.fill_gaps`)

    Raises
    ------
    InputError
        Naming the column that is missing or wrong, and the cure.
    """
    options = options or Catalog()
    table = read_table(path, options.ext)
    if not len(table):
        raise InputError(path, "the catalog has no rows", "Give at least one peak")
    bands = list(bands) if bands else catalog_bands(table, path)
    check_bands(bands, path)
    columns = Columns(table, path, options, bands)
    rows = np.zeros(len(table), scene_dtype(bands))
    rows["source_index"] = np.arange(len(rows))
    rows["id"] = _ids(columns)
    rows["is_point"], index, use = _types(columns)
    rows["is_valid"] = _valid(columns) & use
    for name in OPTIONAL:
        rows[name] = _whole(columns, name)
    check_positions(rows, columns)
    fill_fluxes(rows, columns, bands, needed=complete)
    _fill_shapes(rows, columns, index, complete)
    fill_models(rows, columns)
    roi = columns.numbers("roi", "arcsec", needed=False)
    q = np.where(rows["q"] > 0, rows["q"], 1.0)  # what is not valid may have none
    fallback = np.fmax(default_roi, 2 * rows["rhalf"] / q)
    rows["roi"] = np.where((roi > 0) & (roi < values.HUGE), roi, fallback)
    check_values(rows, bands, path, complete)
    say_repeated(rows, path)
    return rows


def catalog_bands(table, path) -> list[str]:
    """Bands by the header keyword FILTERS (comma separated)."""
    for key, value in table.meta.items():
        if str(key).upper() == "FILTERS":
            return [name.strip() for name in str(value).split(",") if name.strip()]
    raise InputError(path, "no header keyword FILTERS", "Add it (bands, comma separated), or set `bands`")


def _ids(columns: Columns) -> list[str]:
    """Identifiers as text; the rows' numbers where there are none, or one for all."""
    column = columns.name("id")
    numbers = [str(i) for i in range(len(columns))]
    if column is None:
        return numbers
    found = values.names(columns.cells(column), column, columns.path)
    if len(set(found)) <= min(1, len(found) - 1):
        return numbers
    for name in found:
        _check_id(name, columns.path)
    return found


def _check_id(name: str, path) -> None:
    if not name:
        raise InputError(path, "a row without an id", "Give each source one, or leave the column out")
    if len(name) > LONGEST_ID or not name.isprintable():
        found = f"id {name[:80]!r} is longer than {LONGEST_ID} characters, or not printable"
        raise InputError(path, found, "Shorten or rename it")


def _valid(columns: Columns) -> np.ndarray:
    """Sources that take part; a column that is false for all was never filled (older layouts)."""
    column = columns.own("is_valid")
    if column is None:
        return np.ones(len(columns), bool)
    valid = values.booleans(columns.cells(column), column, columns.path, True)
    if not valid.any():
        log.warning(
            "%s: column %r is false for every source, as where nobody filled it: all %d are used",
            columns.path,
            column,
            len(valid),
        )
        valid[:] = True
    return valid


def _types(columns: Columns) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(is a point, Sersic index that the type says or NaN, take part) of each source."""
    count, point, kind = len(columns), columns.own("is_point"), columns.own("type")
    points = (
        values.booleans(columns.cells(point), point, columns.path, False) if point else np.zeros(count, bool)
    )
    index, use = np.full(count, np.nan), np.ones(count, bool)
    if kind is None:
        return points, index, use
    words = [word.upper() for word in values.names(columns.cells(kind), kind, columns.path)]
    for word in set(words) - set(TYPES) - set(WORDS) - {DUPLICATE}:
        cure = (
            f"Known are {', '.join([*TYPES, *WORDS])}; catalog.columns: {{type: null}} leaves the column out"
        )
        raise InputError(columns.path, f"column {kind!r} has {word!r}", cure)
    use = np.array([word != DUPLICATE for word in words])
    if not use.all():
        log.warning("%s: %d sources of type %s are left out", columns.path, np.sum(~use), DUPLICATE)
    by_type = np.array([TYPES.get(word, (False, None))[0] for word in words])
    if point and points.any() and np.any(points != by_type):
        row = int(np.flatnonzero(points != by_type)[0])
        found = f"columns {point!r} and {kind!r} contradict each other in row {row + 1}"
        raise InputError(columns.path, found, f"Keep one: catalog.columns: {{{point}: null}} leaves one out")
    index = np.array([TYPES.get(word, (False, None))[1] or np.nan for word in words])
    return by_type, index, use


def _whole(columns: Columns, name: str) -> np.ndarray:
    """A column of whole numbers that fpho itself writes; 0 without it."""
    if columns.own(name) is None:
        return np.zeros(len(columns), "i8")
    found = columns.numbers(name)
    return np.where(np.abs(found) < values.EXACT, found, 0).astype("i8")


def _fill_shapes(rows, columns: Columns, index, complete: bool) -> None:
    """Shapes of `rows`, in place: of galaxies as the columns say, else START; of points OF_POINT."""
    galaxy = ~rows["is_point"]
    shape = read_shapes(columns, needed=complete and bool(np.any(galaxy & np.isnan(index))))
    check_shapes(shape, rows, columns.path)
    found = {name: getattr(shape, name) for name in OF_POINT}
    found["sersic"] = np.where(np.isnan(index), found["sersic"], index)
    lost: Counter[str] = Counter()
    for name, at_point in OF_POINT.items():
        column = found[name]
        if not complete and name in START:
            unknown = np.isnan(column)
            lost[name] = int(np.sum(unknown & galaxy & rows["is_valid"]))
            column = np.where(unknown, START[name], column)
        rows[name] = np.where(galaxy, column, at_point)
    for name, count in lost.items():
        if count:
            log.warning(
                "%s: %s of %d sources is not known, starts at %g", columns.path, name, count, START[name]
            )
