"""Units that columns state, to ours: by `astropy.units`, or refused with the column's name."""

import numpy as np

from ...errors import InputError

SAID = {  # spellings that astropy does not know
    "nanomaggies": "nmgy",
    "degrees": "deg",
    "radians": "rad",
    "arcseconds": "arcsec",
    "arcsecs": "arcsec",
    "pixels": "pix",
    "counts": "ct",
    "magnitude": "mag",
    "magnitudes": "mag",
    "mags": "mag",
    "ABmag": "mag(AB)",
    "AB mag": "mag(AB)",
    "mag_AB": "mag(AB)",
    "AB": "mag(AB)",  # as catalog.flux_unit says it
}
NONE = ("", "none", "unitless", "dimensionless", "-", "--")
AB_ZEROPOINT = 31.4  # m_AB = 31.4 - 2.5 log10(f / nJy)
MAGNITUDE = 0.4 * np.log(10)  # relative error of a flux per magnitude


def parse(stated, column: str, path):
    """The unit of a column, None where it states none.

    Raises
    ------
    InputError
        If it is no unit that astropy knows.
    """
    from astropy import units as u

    known = isinstance(stated, u.UnitBase | u.FunctionUnitBase)
    if stated is None or (known and not isinstance(stated, u.UnrecognizedUnit)):
        return stated
    text = str(stated).strip().strip("[]")
    if text.lower() in NONE:
        return None
    try:
        return u.Unit(SAID.get(text, text))
    except (ValueError, TypeError) as error:
        reason = str(error).split(". ")[-1] if "Did you mean" in str(error) else ""
        found = f"column {column!r} states the unit {text!r}, which is not known {reason}".strip()
        raise InputError(path, found, "Write it as astropy.units does, such as nJy, deg, arcsec") from None


def convert(values, unit, wanted: str, column: str, path, pixel: float | None = None) -> np.ndarray:
    """Values in `wanted`; `pixel` is arcsec per pixel.

    Raises
    ------
    InputError
        If the unit cannot be converted.
    """
    from astropy import units as u

    if unit is None:
        return values
    if unit == u.pix and pixel:
        values, unit = values * pixel, u.arcsec
    if unit == u.Unit(wanted):
        return values
    try:
        return values * _exact(unit.to(u.Unit(wanted)))
    except (u.UnitsError, AttributeError):
        cure = "Convert the column, or correct its unit"
        if unit == u.pix:
            cure = "Give the scale of these pixels as catalog.pixel_scale (arcsec), or convert the column"
        found = f"column {column!r} is in {unit}, not in {wanted or 'a plain number'}"
        raise InputError(path, found, cure) from None


def is_magnitude(unit) -> bool:
    """Whether a unit is logarithmic: AB or other magnitudes."""
    from astropy import units as u

    return isinstance(unit, u.FunctionUnitBase) or unit == u.mag


def flux_factor(unit, column: str, path) -> float:
    """nJy per unit of a flux column that is linear.

    Raises
    ------
    InputError
        If the unit is no spectral flux density.
    """
    from astropy import units as u

    try:
        return _exact(unit.to(u.nJy))
    except u.UnitsError:
        pass
    try:
        return _exact(unit.to(u.nJy, 1.0, u.zero_point_flux(u.AB)))
    except u.UnitsError:
        found = f"column {column!r} is in {unit}, which is no flux density"
        cure = "Give nJy, another unit of it (uJy, Jy, nmgy) or AB magnitudes, mag(AB)"
        raise InputError(path, found, cure) from None


def _exact(factor: float) -> float:
    """A factor to 15 digits: uJy are 1000 nJy, not 999.9999999999999."""
    return float(f"{factor:.15g}")


def from_magnitudes(values) -> np.ndarray:
    """Fluxes in nJy of AB magnitudes."""
    return 10 ** (-0.4 * (values - AB_ZEROPOINT))
