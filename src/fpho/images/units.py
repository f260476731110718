"""What an image's header says of its units: every statement as nJy per unit of a pixel, and that they agree.

A header may state the same thing several times: a unit (`BUNIT`), factors (`FLUXSCL`, `PHOTFNU`, `PHOTFLAM`
with `PHOTPLAM`, `PHOTMJSR`), AB zeropoints. Programs that rescale an image often mend one of them only, so
nothing is chosen where two disagree.
"""

from collections import ChainMap
from dataclasses import dataclass

import numpy as np

from ..errors import InputError
from .spelling import ImageUnit, image_unit

TOLERANCE = 0.01  # two statements agree within this part (a zeropoint rounded to 0.01 mag: 0.9%)
# Statements of an AB zeropoint. Others (MAGZP, MAGZPT, ...) do not say in which system they are.
ZEROPOINTS = ("ABMAG", "MAGZERO", "ZP", "ABZP", "ZPAB", "ZP_AB", "PHOTZP")
SYSTEMS = ("MAGSYS", "PHOTSYS", "ZPSYS", "MAGTYPE")
CURE = (
    "Give flux_scale (nJy per unit of the image; 1 if it is in nJy) in the table of exposures, "
    "or set FLUXSCL in the header"
)
CURE_TWO = (
    "Take the wrong keyword out of the header, or give flux_scale (nJy per unit of the image) in the table "
    "of exposures, which goes before the header"
)
SQUARE_ARCSEC = (np.pi / 180 / 3600) ** 2  # sr


@dataclass(frozen=True)
class Statement:
    """`text`: keywords and their values; `njy`: nJy per unit of a pixel by them."""

    text: str
    njy: float


def flux_factor(headers, where, pixel_areas=None, area_map: float = 1.0) -> float:
    """nJy per unit of the image; a keyword is looked for in each of `headers` (science, then primary).

    Parameters
    ----------
    pixel_areas : smallest and largest by the WCS, sr; what is given per solid angle is multiplied by
        PIXAR_SR or PIXAR_A2, which must agree with them, or by their mean where there is neither
    area_map : mean of a map of relative pixel areas that the factor is multiplied with afterwards

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
    found = statements(header, unit, where, pixel_areas, area_map)
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
    return first.njy


def statements(header, unit: ImageUnit | None, where, pixel_areas=None, area_map=1.0) -> list[Statement]:
    """All that a header states, the most direct first."""
    found = []
    if (value := _number(header, "FLUXSCL", where)) is not None:
        found.append(Statement(f"FLUXSCL = {value:g}", value))
    if unit is not None:
        found += _of_unit(header, unit, where, pixel_areas, area_map)
    if unit is None or not unit.per_area:
        found += _of_photometry(header, unit, where)
    if (value := _number(header, "FLUXMAG0", where, blank_zero=True)) is not None:
        found.append(Statement(f"FLUXMAG0 = {value:g} (AB)", 3631e9 / value))
    for name in ZEROPOINTS:
        if (value := _number(header, name, where)) is not None:
            _require_ab(header, name, where)
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
    (mine, _), (theirs, _) = _unit(header, where), _unit(other, where)
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


def _of_unit(header, unit, where, pixel_areas, area_map) -> list[Statement]:
    """What a unit of flux density says, or one of a rate together with PHOTMJSR."""
    text = f"BUNIT = {header['BUNIT']!r}"
    if unit.kind == "rate" and not unit.per_area:
        value = _number(header, "PHOTMJSR", where, blank_zero=True)
        if value is None:
            return []
        area, by = _area(header, where, pixel_areas, area_map)
        return [Statement(f"{text} with PHOTMJSR = {value:g} and {by}", unit.scale * value * 1e15 * area)]
    if unit.kind not in ("flux", "per wavelength"):
        return []
    njy = unit.scale
    if unit.kind == "per wavelength":
        pivot = _number(header, "PHOTPLAM", where, blank_zero=True)
        if pivot is None:
            raise InputError(where, f"{text} is per wavelength, and there is no PHOTPLAM (Angstrom)", CURE)
        njy, text = njy * _per_frequency(pivot), f"{text} with PHOTPLAM = {pivot:g}"
    if unit.per_area:
        area, by = _area(header, where, pixel_areas, area_map)
        njy, text = njy * area, f"{text} with {by}"
    return [Statement(text, njy)]


def _area(header, where, pixel_areas, area_map) -> tuple[float, str]:
    """Solid angle of a pixel in sr, and what says so; keywords and WCS must agree."""
    stated = []
    for name, scale in (("PIXAR_SR", 1.0), ("PIXAR_A2", SQUARE_ARCSEC)):
        if (value := _number(header, name, where, blank_zero=True)) is not None:
            stated.append((value * scale, f"{name} = {value:g}"))
    if not stated and pixel_areas is None:
        raise InputError(where, "a unit per solid angle without PIXAR_SR, PIXAR_A2 or a WCS", CURE)
    low, high = pixel_areas or (stated[0][0] * area_map,) * 2
    by = f"the WCS's pixels of {_side(low)} arcsec" if pixel_areas else f"{stated[0][1]}, {_side(low)} arcsec"
    if not stated and high > low * (1 + TOLERANCE):
        found = f"the WCS's pixels differ from {_side(low)} to {_side(high)} arcsec, and there is no PIXAR_SR"
        raise InputError(where, found, CURE)
    for area, other in stated:
        if not low * (1 - TOLERANCE) <= area * area_map <= high * (1 + TOLERANCE):
            found = f"{other} is a pixel of {_side(area)} arcsec, against {by}"
            raise InputError(where, found, f"Mend what was left behind. {CURE}")
    return stated[0] if stated else (0.5 * (low + high), by)


def _side(area: float) -> str:
    """Side in arcsec of a pixel of an area in sr."""
    return f"{np.sqrt(abs(area) / SQUARE_ARCSEC):.4g}"


def _of_photometry(header, unit, where) -> list[Statement]:
    """HST's inverse sensitivities: per second for an image in counts, else per unit of the image."""
    if unit is None and str(header.get("BUNIT", "")).strip():
        return []  # counts or counts per second: that cannot be told
    found = []
    pivot = _number(header, "PHOTPLAM", where, blank_zero=True)
    flam = _number(header, "PHOTFLAM", where, blank_zero=True)
    fnu = _number(header, "PHOTFNU", where, blank_zero=True)
    if fnu is not None:
        found.append(Statement(f"PHOTFNU = {fnu:g}", fnu * 1e9))
    if flam is not None and pivot is not None:
        njy = flam * _per_frequency(pivot) * FLAM
        found.append(Statement(f"PHOTFLAM = {flam:g} with PHOTPLAM = {pivot:g}", njy))
    if not found or unit is None or unit.kind not in ("counts", "rate"):
        return found
    seconds, text = 1.0, ""
    if unit.kind == "counts":
        seconds = _number(header, "EXPTIME", where)
        if seconds is None or seconds <= 0:
            found = f"BUNIT {header['BUNIT']!r} is not per second and there is no EXPTIME"
            raise InputError(where, found, CURE)
        text = f" and EXPTIME = {seconds:g}"
    return [Statement(one.text + text, one.njy * unit.scale / seconds) for one in found]


FLAM = 1e23 * 1e9  # erg/s/cm2/Hz in nJy


def _per_frequency(pivot: float) -> float:
    """f_nu of f_lambda = 1 at the pivot wavelength (Angstrom), in s Angstrom: pivot^2 / c."""
    return pivot**2 / 2.99792458e18


def _number(header, name: str, where, blank_zero: bool = False) -> float | None:
    """A keyword's number; None where it is absent or empty (or 0, which says `unknown` of some keywords)."""
    value = header.get(name)
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = np.nan
    if isinstance(value, bool) or not np.isfinite(number):
        raise InputError(where, f"{name} = {value!r} is no number", CURE)
    return None if blank_zero and number == 0 else number


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
