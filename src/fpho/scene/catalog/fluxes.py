"""Fluxes in nJy and their errors, band by band, from the columns that a table has."""

import logging
import re

import numpy as np

from ...errors import InputError
from ...parameters import error_col
from . import units, values
from .columns import Columns
from .programs import BAND_FLUXES, INVERSE_VARIANCE, ONLY_FLUXES

log = logging.getLogger("fpho")
LOGARITHM = re.compile(r"mag(s|nitudes?)?(\d|_|$)|^mag(?!gies)|^log", re.IGNORECASE)
BRIGHTEST = 1e15  # nJy, AB magnitude -6: more than any star has


def fill_fluxes(rows, columns: Columns, bands, needed: bool) -> None:
    """Fluxes and errors of `rows`, in place; NaN where there is none.

    needed : a band without a column is an error, unless another program's name is found

    Raises
    ------
    InputError
        For a missing or unreadable column, or one in a unit that is no flux.
    """
    if "{band}" not in columns.options.flux_columns and len(bands) > 1:
        found = f"catalog.flux_columns = {columns.options.flux_columns!r} gives all bands one column"
        raise InputError(columns.path, found, "Write {band} where the band's name stands")
    for band in bands:
        name, error = _names(columns, band, len(bands) == 1, needed)
        if name is None:
            log.warning(
                "%s: no flux in %s: %s", columns.path, band, "where to start is measured in the images"
            )
            rows[band] = rows[error_col(band)] = np.nan
            continue
        rows[band], rows[error_col(band)] = _fluxes(columns, name, error, band)


def _names(columns: Columns, band, only: bool, needed: bool) -> tuple[str | None, str | None]:
    """Columns of a band's flux and error."""
    template = columns.options.flux_columns
    role = template.format(band=band)
    name = (columns.options.columns.get(band) and columns.own(band)) or _exact(columns, role)
    if name:
        error = _exact(columns, error_col(band)) or _exact(columns, error_col(role))
        return name, error or next(filter(columns.has, _errors_beside(name)), None)
    for flux, errors in (*BAND_FLUXES, *(ONLY_FLUXES if only else ())):
        name = columns.name(flux.format(band=band))
        if name and _is_flux(columns, name):
            found = [columns.name(error.format(band=band)) for error in errors]
            log.info("%s: flux in %s from column %s", columns.path, band, name)
            return name, next(filter(None, found), None)
    if needed or template != "{band}":
        raise columns.missing(role)
    return None, None


def _exact(columns: Columns, role) -> str | None:
    """A column by `catalog.columns` or by exactly this name (also NAME[k])."""
    return columns.own(role) or (role if columns.has(role) else None)


def _errors_beside(name: str) -> tuple[str, ...]:
    """Names that programs give to the error of a column."""
    flux = name.replace("FLUX", "FLUXERR").replace("MAG", "MAGERR")
    return (f"e_{name}", f"{name}err", *((flux,) if flux != name else ()))


def _is_flux(columns: Columns, name: str) -> bool:
    """Whether a column that another program named can be used: its unit is stated (or set), and a flux."""
    try:
        unit = _unit(columns, name, stated=True)
        if unit is not None and not units.is_magnitude(unit):
            units.flux_factor(unit, name, columns.path)
        columns.cells(name)
    except InputError as error:
        log.info("%s: not used: %s", columns.path, error.found)
        return False
    return unit is not None


def _unit(columns: Columns, name: str, stated: bool = False):
    """Unit of a flux column: stated by the file or `catalog.flux_unit`, which must agree; else nJy.

    stated : without either, None
    """
    option = columns.options.flux_unit
    said = columns.unit(name)
    given = units.parse(option, "catalog.flux_unit", columns.path) if option else None
    if given is None and str(said) == "AB":  # to astropy 3631 Jy
        found = f"column {name!r} is in AB, which can mean magnitudes or units of 3631 Jy"
        raise InputError(columns.path, found, "Set catalog.flux_unit: AB for magnitudes, or write 3631 Jy")
    if said is None and given is None and LOGARITHM.search(name):
        found = f"column {name!r} has no unit, and its name is that of magnitudes or logarithms"
        raise InputError(columns.path, found, "Set catalog.flux_unit: AB for AB magnitudes, or give fluxes")
    if said is None or given is None:
        unit = said if given is None else given
        return unit if unit is not None or stated else units.parse("nJy", name, columns.path)
    if str(said) in ("mag", "mag(AB)", "AB") and str(given) == "mag(AB)":
        return given
    if said != given:
        found = f"column {name!r} is in {said}, but catalog.flux_unit is {option}"
        raise InputError(columns.path, found, "Leave catalog.flux_unit out, or mend the column's unit")
    return said


def _fluxes(columns: Columns, name: str, error_name: str | None, band):
    """Fluxes and errors (S,) in nJy of a column; NaN without data."""
    unit = _unit(columns, name)
    flux = values.numbers(columns.cells(name), name, columns.path)
    error = np.full(len(flux), np.nan)
    if error_name:
        error = values.numbers(columns.cells(error_name), error_name, columns.path)
    error = np.where(error > 0, values.known(error), np.nan)
    missing = np.isnan(values.known(flux)) & ~((flux > 0) & np.isfinite(error) & (flux < values.HUGE))
    if units.is_magnitude(unit):
        flux, error = _magnitudes(columns, name, unit, flux, error)
    else:
        factor = units.flux_factor(unit, name, columns.path)
        own = columns.unit(error_name) if error_name else None
        flux, error = (
            flux * factor,
            error * (factor if own is None else units.flux_factor(own, error_name, columns.path)),
        )
        error = error if error_name else _from_inverse_variance(columns, band, factor)
    flux = np.where(missing, np.nan, flux)
    if np.any(np.abs(flux[np.isfinite(flux)]) > BRIGHTEST):
        found = f"column {name!r} in {unit} gives {np.nanmax(np.abs(flux)):.3g} nJy, more than any star has"
        raise InputError(columns.path, found, "Mend the column's unit or catalog.flux_unit")
    return flux, np.where(np.isfinite(flux), error, np.nan)


def _magnitudes(columns: Columns, name, unit, flux, error):
    """Fluxes and errors (nJy) of AB magnitudes; those of 90 and more, either sign, are no data."""
    if str(unit) != "mag(AB)":
        found = f"column {name!r} is in {unit}, magnitudes of which no zeropoint is known"
        raise InputError(columns.path, found, "Set catalog.flux_unit: AB if they are, or convert them to nJy")
    magnitude = np.where(np.abs(flux) < 90, flux, np.nan)
    values_njy = units.from_magnitudes(magnitude)
    return values_njy, np.where(error < 90, error, np.nan) * units.MAGNITUDE * values_njy


def _from_inverse_variance(columns: Columns, band, factor) -> np.ndarray:
    """Errors (nJy) of the Tractor's inverse variances; NaN without them."""
    name = columns.name(INVERSE_VARIANCE.format(band=band))
    if name is None:
        return np.full(len(columns), np.nan)
    ivar = values.numbers(columns.cells(name), name, columns.path)
    return np.where(ivar > 0, factor / np.sqrt(np.where(ivar > 0, ivar, 1.0)), np.nan)
