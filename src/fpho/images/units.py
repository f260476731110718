"""Factors from the units of an image to nJy per pixel."""

import numpy as np

from ..errors import InputError

JANSKY = {"njy": 1.0, "ujy": 1e3, "mjy": 1e6, "jy": 1e9}
NANOMAGGIE = 3631.0  # nJy
CURE = "Give flux_scale (nJy per unit of the image) in the table of exposures, or set FLUXSCL in the header"


def flux_factor(headers, where, exposure_time: float | None = None) -> float:
    """nJy per unit of the image, from the first of `headers` (science first, then primary) that says.

    In this order: FLUXSCL; MJy/sr with PIXAR_SR (JWST); PHOTFLAM and PHOTPLAM (HST: AB zeropoint
    -2.5 log10 PHOTFLAM - 5 log10 PHOTPLAM - 2.408, per second); ABMAG, MAGZERO or ZP; BUNIT in Jansky.
    """
    for header in headers:
        for rule in (_fluxscl, _surface_brightness, _hst, _zeropoint, _bunit):
            factor = rule(header)
            if factor is not None:
                if not np.isfinite(factor) or factor <= 0:
                    raise InputError(where, f"the calibration in the header gives a factor {factor}", CURE)
                return float(factor)
    raise InputError(where, "no calibration to nJy found in the header", CURE)


def _fluxscl(header):
    return header.get("FLUXSCL")


def _surface_brightness(header):
    if str(header.get("BUNIT", "")).replace(" ", "").lower() != "mjy/sr" or "PIXAR_SR" not in header:
        return None
    return header["PIXAR_SR"] * 1e15


def _hst(header):
    if not header.get("PHOTFLAM") or not header.get("PHOTPLAM"):
        return None
    zeropoint = -2.5 * np.log10(header["PHOTFLAM"]) - 5 * np.log10(header["PHOTPLAM"]) - 2.408
    per_second = str(header.get("BUNIT", "ELECTRONS/S")).upper().replace(" ", "").endswith("/S")
    return from_zeropoint(zeropoint) / (1.0 if per_second else header.get("EXPTIME", 1.0))


def _zeropoint(header):
    for name in ("ABMAG", "MAGZERO", "ZP"):
        if name in header:
            return from_zeropoint(header[name])
    return None


def _bunit(header):
    unit = str(header.get("BUNIT", "")).lower().replace("/pixel", "").replace("/pix", "").strip()
    if unit in ("nanomaggy", "nanomaggies", "nmgy"):
        return NANOMAGGIE
    # BUNIT tells mJy from MJy by its case only; MJy without /sr is no unit of a pixel here
    return None if str(header.get("BUNIT", "")).startswith("MJy") else JANSKY.get(unit)


def from_zeropoint(zeropoint: float) -> float:
    """nJy per count of an AB zeropoint: m = 31.4 - 2.5 log10(f / nJy)."""
    return 10 ** (-0.4 * (zeropoint - 31.4))
