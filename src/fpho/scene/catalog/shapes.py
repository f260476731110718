"""Shapes of sources from the columns that a table has: documented ones, `q` and `pa`, or other programs'.

In files, `q` and `pa` are ambiguous: documentation of the older code says b/a and radians east of
north, catalogs that it wrote hold sqrt(b/a) and radians north of east. So a file with `axis_ratio` and
`position_angle` is read as it is; one with `q` and `pa` must say which (option or header keyword).
"""

from dataclasses import dataclass

import numpy as np

from ...errors import InputError
from ...parameters import pa_from_position_angle, wrap_degrees
from .columns import Columns
from .formats import CONVENTION
from .values import known

ROUNDING = 1e-5  # an axis ratio that is larger than 1 by less is a round source
AMBIGUOUS = (
    "columns q and pa can mean two things: `documented` (q = b/a, pa = radians east of north) or "
    "`internal` (q = sqrt(b/a), pa = radians from east towards north)"
)


@dataclass(frozen=True)
class Shape:
    """Internal q and pa (rad), the circularised radius (arcsec) and the index, (S,); NaN: not known."""

    q: np.ndarray
    pa: np.ndarray
    rhalf: np.ndarray
    sersic: np.ndarray
    columns: dict[str, str]  # by parameter, the table's own column, for messages


def read_shapes(columns: Columns, needed: bool) -> Shape:
    """Shapes of all rows.

    Parameters
    ----------
    needed : a missing column is an error; else its parameter is NaN

    Raises
    ------
    InputError
        For a column that is missing, or of unknown meaning.
    """
    q, pa, name_q, name_pa = _ellipse(columns, needed)
    rhalf, name_rhalf = _radius(columns, q, needed)
    sersic = known(columns.numbers("sersic", needed=needed))
    names = {"q": name_q, "pa": name_pa, "rhalf": name_rhalf, "sersic": columns.name("sersic")}
    return Shape(q, pa, rhalf, sersic, {key: name or key for key, name in names.items()})


def _ellipse(columns: Columns, needed: bool):
    """q, pa and the names of the columns that they come from."""
    documented = columns.own("axis_ratio") or columns.own("position_angle")
    if not documented and (columns.own("q") or columns.own("pa")):
        return _by_convention(columns, needed)
    if columns.name("e1") and columns.name("e2") and not documented:
        return _tractor(columns)
    ratio, name = _axis_ratio(columns)
    if needed or documented:
        if ratio is None:
            raise columns.missing("axis_ratio")
        if not columns.name("position_angle"):
            raise columns.missing("position_angle")
    name_pa = columns.name("position_angle")
    if ratio is None or not name_pa:  # an axis ratio without a direction says little
        return _unknown(columns), _unknown(columns), name, name_pa
    angle = _angles(columns.numbers("position_angle", "deg"))
    return _root(_round(known(ratio))), pa_from_position_angle(angle), name, name_pa


def _by_convention(columns: Columns, needed: bool):
    """q and pa of columns of these names."""
    if not needed and not (columns.name("q") and columns.name("pa")):
        needed = True
    q, pa = known(columns.numbers("q")), _angles(columns.numbers("pa", "rad"))
    said = {str(key).upper(): value for key, value in columns.table.meta.items()}.get(CONVENTION)
    convention = columns.options.convention or said
    if said and convention != said:
        found = f"its header says {CONVENTION} = {said}, but catalog.convention is {convention}"
        raise InputError(columns.path, found, "Leave catalog.convention out, or mend the header")
    if convention not in ("documented", "internal"):
        raise InputError(
            columns.path, AMBIGUOUS, "Set catalog.convention to the one that holds for this file"
        )
    if convention == "documented":
        q, pa = _root(_round(q)), pa_from_position_angle(np.degrees(pa))
    elif not said:
        q, pa = _round(q), np.where(np.abs(pa) > np.pi / 2, _half_turn(pa), pa)
    return q, pa, columns.name("q"), columns.name("pa")


def _tractor(columns: Columns):
    """Ellipticities of the Tractor: |e| = (1 - b/a) / (1 + b/a), angle of the major axis east of north.

    Lang, Hogg & Mykytyn 2016 (ascl:1604.008), `tractor.ellipses.EllipseE`.
    """
    e1, e2 = (known(columns.numbers(role)) for role in ("e1", "e2"))
    e = np.hypot(e1, e2)
    angle = np.degrees(0.5 * np.arctan2(e2, e1))
    return _root((1 - e) / (1 + e)), pa_from_position_angle(angle), columns.name("e1"), columns.name("e2")


def _axis_ratio(columns: Columns):
    """b/a (S,) and the column it comes from; None without one."""
    if columns.name("axis_ratio"):
        return columns.numbers("axis_ratio"), columns.name("axis_ratio")
    major, minor = columns.name("major"), columns.name("minor")
    if major and minor and columns.unit(major) == columns.unit(minor):
        from .values import numbers

        a, b = (numbers(columns.cells(name), name, columns.path) for name in (major, minor))
        return np.divide(b, a, out=_unknown(columns), where=a > 0), minor
    if columns.name("ellipticity"):
        return 1 - columns.numbers("ellipticity"), columns.name("ellipticity")
    if columns.name("elongation"):
        a = columns.numbers("elongation")
        return np.divide(1.0, a, out=_unknown(columns), where=a > 0), columns.name("elongation")
    return None, None


def _radius(columns: Columns, q, needed: bool):
    """Circularised half-light radius, and the column it comes from."""
    if columns.name("rhalf"):
        return known(columns.numbers("rhalf", "arcsec")), columns.name("rhalf")
    if columns.name("rhalf_major"):
        return known(columns.numbers("rhalf_major", "arcsec")) * q, columns.name("rhalf_major")
    name = columns.name("flux_radius")
    if name and (needed or columns.options.pixel_scale or _is_angle(columns.unit(name))):
        return known(columns.numbers("flux_radius", "arcsec", default_unit="pix")), name
    if needed:
        raise columns.missing("rhalf")
    return _unknown(columns), None


def _is_angle(unit) -> bool:
    return unit is not None and getattr(unit, "physical_type", None) == "angle"


def _unknown(columns: Columns) -> np.ndarray:
    return np.full(len(columns), np.nan)


def _round(ratio) -> np.ndarray:
    """Axis ratios with those above 1 by a rounding error made 1."""
    return np.where((ratio > 1) & (ratio <= 1 + ROUNDING), 1.0, ratio)


def _root(ratio) -> np.ndarray:
    """Square root; what is negative stays as it is, for the check of ranges."""
    return np.where(ratio > 0, np.sqrt(np.abs(ratio)), ratio)


def _angles(angle) -> np.ndarray:
    """Angles with NaN for what no angle is; -99 and 99 are angles."""
    return np.where(np.abs(angle) < 1e4, angle, np.nan)


def _half_turn(pa) -> np.ndarray:
    """The same direction within a quarter of a turn either side."""
    return np.radians(wrap_degrees(2 * np.degrees(pa)) / 2)
