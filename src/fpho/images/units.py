"""What an image's header says of its units: every statement as nJy per unit of a pixel, and that they agree.

A header may state the same thing several times: a unit (`BUNIT`), factors (`FLUXSCL`, `PHOTFNU`, `PHOTFLAM`
with `PHOTPLAM`, `PHOTMJSR`), AB zeropoints. Programs that rescale an image often mend one of them only, so
nothing is chosen where two disagree.
"""

from collections import ChainMap

import numpy as np

from ..errors import InputError
from .instruments import GENERIC, Instrument, statements_of
from .keywords import CURE, TOLERANCE, Keywords, Statement, per_frequency
from .spelling import ImageUnit, image_unit

# Statements of an AB zeropoint. Others (MAGZP, MAGZPT, ...) do not say in which system they are.
ZEROPOINTS = ("ABMAG", "MAGZERO", "ZP", "ABZP", "ZPAB", "ZP_AB", "PHOTZP")
SYSTEMS = ("MAGSYS", "PHOTSYS", "ZPSYS", "MAGTYPE")
CURE_TWO = (
    "Take the wrong keyword out of the header, or give flux_scale (nJy per unit of the image) in the table "
    "of exposures, which goes before the header"
)


def flux_factor(
    headers, where, pixel_areas=None, area_map: float = 1.0, instrument: Instrument = GENERIC
) -> float:
    """nJy per unit of the image, see `flux_statement`."""
    return flux_statement(headers, where, pixel_areas, area_map, instrument).njy


def flux_statement(
    headers, where, pixel_areas=None, area_map: float = 1.0, instrument: Instrument = GENERIC
) -> Statement:
    """nJy per unit of the image and what says so; a keyword is looked for in each header (science, primary).

    Parameters
    ----------
    pixel_areas : smallest and largest by the WCS, sr; what is given per solid angle is multiplied by
        PIXAR_SR or PIXAR_A2, which must agree with them, or by their mean where there is neither
    area_map : mean of a map of relative pixel areas that the factor is multiplied with afterwards
    instrument : whose keywords are read, beside those that mean the same in all files

    Raises
    ------
    InputError
        Where nothing is stated, a value makes no sense, or two statements differ by more than TOLERANCE.
    """
    header = ChainMap(*({**one} for one in headers))
    if "BSOFTEN" in header:
        raise InputError(
            where, "BSOFTEN in the header: pixels on an asinh scale", "Bring them to a linear one"
        )
    unit, unreadable = _unit(header, where)
    found = statements(Keywords(header, unit, where, pixel_areas, area_map), instrument)
    if not found:
        raise unreadable or InputError(where, _nothing(header), CURE)
    for one in found:
        if not np.isfinite(one.njy) or one.njy <= 0:
            raise InputError(where, f"{one.text} gives {one.njy:g} nJy per unit", CURE)
    first = found[0]
    for other in found[1:]:
        if abs(other.njy / first.njy - 1) > TOLERANCE:
            text = f"{first.text} says {first.njy:.5g} nJy per unit, {other.text} says {other.njy:.5g}"
            raise InputError(where, text, CURE_TWO)
    return first


def statements(keywords: Keywords, instrument: Instrument = GENERIC) -> list[Statement]:
    """All that a header states, the most direct first."""
    found = []
    if (value := keywords.number("FLUXSCL")) is not None:
        found.append(Statement(f"FLUXSCL = {value:g}", value))
    found += _of_unit(keywords)
    for statement in statements_of(instrument):
        found += statement(keywords)
    if (value := keywords.number("FLUXMAG0", blank_zero=True)) is not None:
        found.append(Statement(f"FLUXMAG0 = {value:g} (AB)", 3631e9 / value))
    for name in ZEROPOINTS:
        if (value := keywords.number(name)) is not None:
            _require_ab(keywords.header, name, keywords.where)
            found.append(Statement(f"{name} = {value:g} (AB)", from_zeropoint(value)))
    return found


def surface_brightness(header) -> bool:
    """Whether the unit is one per solid angle, so that a map of pixel areas applies."""
    unit, _ = _unit(header, "header")
    return unit is not None and unit.per_area


def from_zeropoint(zeropoint: float) -> float:
    """nJy per count of an AB zeropoint: m = 31.4 - 2.5 log10(f / nJy)."""
    return 10 ** (-0.4 * (np.clip(zeropoint, -900, 900) - 31.4))


def same_unit(header, other, where, name: str) -> None:
    """Stop where an extension states another unit than the science image."""
    (mine, _), (theirs, unknown) = _unit(header, where), _unit(other, where)
    if unknown is not None and str(other["BUNIT"]).strip() != str(header.get("BUNIT", "")).strip():
        found = f"BUNIT is {other['BUNIT']!r} of {name}, which is no unit of a pixel's noise"
        raise InputError(where, found, "Say what it is (unc_kind in the table of exposures), or mend BUNIT")
    if mine is None or theirs is None:
        return
    alike = (mine.kind, mine.per_area) == (theirs.kind, theirs.per_area)
    if not alike or abs(theirs.scale / mine.scale - 1) > TOLERANCE:
        found = f"BUNIT is {header['BUNIT']!r} of the science image and {other['BUNIT']!r} of {name}"
        raise InputError(where, found, "Bring both to one unit (and BUNIT with them)")


def _unit(header, where) -> tuple[ImageUnit | None, InputError | None]:
    """The unit; or none, and the error that this is where nothing else is stated."""
    try:
        return image_unit(header.get("BUNIT"), where), None
    except InputError as error:
        return None, error


def _of_unit(keywords: Keywords) -> list[Statement]:
    """What a unit of flux density says."""
    unit = keywords.unit
    if unit is None or unit.kind not in ("flux", "per wavelength"):
        return []
    text, njy = f"BUNIT = {keywords.header['BUNIT']!r}", unit.scale
    if unit.kind == "per wavelength":
        pivot = keywords.number("PHOTPLAM", blank_zero=True)
        if pivot is None:
            found = f"{text} is per wavelength, and there is no PHOTPLAM (Angstrom)"
            raise InputError(keywords.where, found, CURE)
        njy, text = njy * per_frequency(pivot), f"{text} with PHOTPLAM = {pivot:g}"
    if unit.per_area:
        area, by = keywords.area()
        njy, text = njy * area, f"{text} with {by}"
    return [Statement(text, njy)]


def _require_ab(header, name, where) -> None:
    for key in SYSTEMS:
        system = str(header.get(key, "AB")).strip().upper()
        if system and not system.startswith("AB"):
            raise InputError(where, f"{name} is a zeropoint in the system {key} = {system!r}", CURE)


def _nothing(header) -> str:
    others = [
        name for name in ("MAGZP", "MAGZPT", "ZEROPT", "ZEROPNT", "ZPTMAG", "PHOTZPT") if name in header
    ]
    if others:
        return f"no calibration to nJy found in the header ({others[0]} does not say whether it is AB)"
    if header.get("BUNIT"):
        return f"no calibration to nJy found in the header (BUNIT = {header['BUNIT']!r})"
    return "no calibration to nJy found in the header"
