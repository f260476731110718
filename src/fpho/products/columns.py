"""Quantities of the output tables: names, units, descriptions, and how they follow from draws.

Draws are structured arrays in the internal convention (`fpho.parameters`): q = sqrt(b/a), pa in rad from
east to north, rhalf circularised. Tables show axis ratio, position angle east of north, and both radii.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ..parameters import FLUX_UNIT, axis_ratio, position_angle, wrap_degrees


class Cell(NamedTuple):
    """A value of one source, and what its column says of it."""

    value: Any
    unit: str
    text: str
    ucd: str  # IVOA's word for the kind of quantity (UCD1+)


@dataclass(frozen=True)
class Quantity:
    """One output quantity: `values(draws)` gives its draws, (..., N), from structured draws (..., N)."""

    name: str
    unit: str
    text: str
    values: Callable
    label: str  # in pictures, without the unit
    ucd: str
    shape: bool = False  # has no meaning for a point source
    angle: bool = False  # degrees modulo 180

    @property
    def cyclic(self) -> bool:
        """Whether the value is brought back to its range: angles to [0, 180), right ascension to [0, 360)."""
        return self.angle or self.name == "ra"


SHAPES = (
    Quantity(
        "axis_ratio",
        "",
        "axis ratio b/a",
        lambda d: axis_ratio(d["q"]),
        "axis ratio b/a",
        "phys.size.axisRatio",
        shape=True,
    ),
    Quantity(
        "position_angle",
        "deg",
        "position angle of the major axis, east of north, in [0, 180)",
        lambda d: position_angle(d["pa"]),
        "position angle, E of N",
        "pos.posAng",
        shape=True,
        angle=True,
    ),
    Quantity(
        "rhalf",
        "arcsec",
        "circularised half-light radius sqrt(a b)",
        lambda d: d["rhalf"],
        "half-light radius",
        "phys.angSize",
        shape=True,
    ),
    Quantity(
        "rhalf_major",
        "arcsec",
        "half-light radius along the major axis",
        lambda d: d["rhalf"] / d["q"],
        "half-light radius, major axis",
        "phys.angSize.smajAxis",
        shape=True,
    ),
    Quantity(
        "sersic", "", "Sersic index n", lambda d: d["sersic"], "Sersic index n", "src.morph.param", shape=True
    ),
)
POSITIONS = (
    Quantity("ra", "deg", "right ascension, ICRS", lambda d: d["ra"], "right ascension", "pos.eq.ra"),
    Quantity("dec", "deg", "declination, ICRS", lambda d: d["dec"], "declination", "pos.eq.dec"),
)


def quantities(bands) -> tuple[Quantity, ...]:
    """All output quantities in the order of the columns: positions, fluxes, shapes."""
    fluxes = (
        Quantity(b, FLUX_UNIT, f"total flux in {b}", lambda d, b=b: d[b], f"{b} flux", "phot.flux.density")
        for b in bands
    )
    return (*POSITIONS, *fluxes, *SHAPES)


def unwrapped(angle: np.ndarray) -> np.ndarray:
    """Angles modulo 180 degrees (..., N), brought within 90 degrees of their mean direction.

    The mean direction is that of the doubled angles' unit vectors (axial data; Mardia & Jupp 2000,
    section 9.1), in [0, 180); single values may then lie outside that range.
    """
    doubled = np.radians(2 * np.asarray(angle, "f8"))
    mean = 0.5 * np.degrees(np.arctan2(np.sin(doubled).mean(-1), np.cos(doubled).mean(-1)))
    mean = np.mod(mean, 180.0)[..., None]
    return mean + np.mod(angle - mean + 90.0, 180.0) - 90.0


def continuous(quantity: Quantity, values) -> np.ndarray:
    """Draws of a quantity (..., N) without jumps: angles unwrapped, ra not cut at 360 degrees."""
    values = np.asarray(values, "f8")
    if quantity.angle:
        return unwrapped(values)
    if quantity.name == "ra":
        return values[..., :1] + wrap_degrees(values - values[..., :1])
    return values


def summarise(quantity: Quantity, draws, percentiles) -> dict[str, Cell]:
    """Columns of one quantity of one source, by name.

    draws : structured (N,). The value is the median, which is not given again as 50%; `_err` the standard
    deviation of the draws (for ra in arcsec on the sky, times cos(dec)).
    """
    values = continuous(quantity, quantity.values(draws))
    median = np.median(values)
    error, unit = np.std(values), quantity.unit
    if quantity.name in ("ra", "dec"):
        error *= 3600 * (np.cos(np.radians(np.median(draws["dec"]))) if quantity.name == "ra" else 1)
        unit = "arcsec"
    median = np.mod(median, 180.0 if quantity.angle else 360.0) if quantity.cyclic else median
    main = f"{quantity.ucd};meta.main" if quantity.name in ("ra", "dec") else quantity.ucd
    text = f"standard deviation of {quantity.name}{_on_sky(quantity)}"
    columns = {
        quantity.name: Cell(median, quantity.unit, f"{quantity.text}: median of the draws", main),
        f"{quantity.name}_err": Cell(error, unit, text, f"stat.error;{quantity.ucd}"),
    }
    note = ", unwrapped about the median" if quantity.angle else ""
    for percent, value in zip(percentiles, np.percentile(values, percentiles), strict=True):
        if percent != 50:
            text = f"{percent:g}% of the draws of {quantity.name} are below{note}"
            name = percentile_name(quantity.name, percent)
            columns[name] = Cell(value, quantity.unit, text, f"stat.percentile;{quantity.ucd}")
    return columns


def unsampled(quantity: Quantity, row, percentiles) -> dict[str, Cell]:
    """The columns of `summarise` for a source without draws: its scene row's value and flux error."""
    at = np.zeros(1, [(name, "f8") for name in row.dtype.names if row.dtype[name].kind == "f"])
    for name in at.dtype.names:
        at[name] = row[name]
    columns = summarise(quantity, at, percentiles)
    value = columns.pop(quantity.name)
    blank = {name: cell._replace(value=np.nan) for name, cell in columns.items()}
    error = f"{quantity.name}_err"
    if error in at.dtype.names:
        blank[error] = blank[error]._replace(value=float(row[error]))
    return {quantity.name: value, **blank}


def percentile_name(name: str, percent: float) -> str:
    """Column of a percentile, such as `rhalf_p16` or `rhalf_p2_5`."""
    return f"{name}_p{percent:g}".replace(".", "_")


def _on_sky(quantity: Quantity) -> str:
    return " on the sky (times cos dec)" if quantity.name == "ra" else ""
