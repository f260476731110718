"""Factors from the units of an image to nJy per pixel."""

from collections import ChainMap

import numpy as np

from ..errors import InputError

JANSKY = {"njy": 1.0, "ujy": 1e3, "mjy": 1e6, "jy": 1e9}
NANOMAGGIE = 3631.0  # nJy
CURE = (
    "Give flux_scale (nJy per unit of the image; 1 if it is in nJy) in the table of exposures, "
    "or set FLUXSCL in the header"
)


def flux_factor(headers, where) -> float:
    """nJy per unit of the image; a keyword is looked for in each of `headers` (science, then primary).

    In this order: FLUXSCL; MJy/sr with PIXAR_SR (JWST); PHOTFLAM and PHOTPLAM (HST: AB zeropoint
    -2.5 log10 PHOTFLAM - 5 log10 PHOTPLAM - 2.408, per second); ABMAG, MAGZERO or ZP; BUNIT in Jansky.
    """
    header = ChainMap(*({**one} for one in headers))
    for rule in (_fluxscl, _surface_brightness, _hst, _zeropoint, _bunit):
        factor = rule(header, where)
        if factor is not None:
            return _number(factor, where)
    raise InputError(where, "no calibration to nJy found in the header", CURE)


def surface_brightness(header) -> bool:
    """Whether the unit is MJy/sr, so that a map of pixel areas applies."""
    return str(header.get("BUNIT", "")).replace(" ", "").lower() == "mjy/sr"


def from_zeropoint(zeropoint: float) -> float:
    """nJy per count of an AB zeropoint: m = 31.4 - 2.5 log10(f / nJy)."""
    return 10 ** (-0.4 * (zeropoint - 31.4))


def _number(factor, where) -> float:
    if not isinstance(factor, int | float | np.number) or not np.isfinite(factor) or factor <= 0:
        raise InputError(where, f"the calibration in the header gives a factor {factor!r}", CURE)
    return float(factor)


def _fluxscl(header, where):
    return header.get("FLUXSCL")


def _surface_brightness(header, where):
    return header["PIXAR_SR"] * 1e15 if surface_brightness(header) and "PIXAR_SR" in header else None


def _hst(header, where):
    if not header.get("PHOTFLAM") or not header.get("PHOTPLAM"):
        return None
    zeropoint = -2.5 * np.log10(header["PHOTFLAM"]) - 5 * np.log10(header["PHOTPLAM"]) - 2.408
    per_second = str(header.get("BUNIT", "ELECTRONS/S")).upper().replace(" ", "").endswith("/S")
    if not per_second and not header.get("EXPTIME"):
        raise InputError(where, f"BUNIT {header['BUNIT']!r} is not per second and there is no EXPTIME", CURE)
    return from_zeropoint(zeropoint) / (1.0 if per_second else header["EXPTIME"])


def _zeropoint(header, where):
    for name in ("ABMAG", "MAGZERO", "ZP"):
        if isinstance(header.get(name), int | float):
            return from_zeropoint(header[name])
    return None


def _bunit(header, where):
    unit = str(header.get("BUNIT", "")).lower().replace("/pixel", "").replace("/pix", "").strip()
    if unit in ("nanomaggy", "nanomaggies", "nmgy"):
        return NANOMAGGIE
    # BUNIT tells mJy from MJy by its case only; MJy without /sr is no unit of a pixel here
    return None if str(header.get("BUNIT", "")).startswith("MJy") else JANSKY.get(unit)
