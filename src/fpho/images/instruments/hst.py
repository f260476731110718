"""HST: `drz`, `drc`, `flt` and `flc` files of its pipelines (ACS and WFC3 data handbooks)."""

from ...errors import InputError
from ..keywords import CURE, Keywords, Statement, per_frequency
from .instrument import Instrument

FLAM = 1e23 * 1e9  # erg/s/cm2/Hz in nJy


def by_inverse_sensitivity(keywords: Keywords) -> list[Statement]:
    """PHOTFNU, PHOTFLAM with PHOTPLAM: per second for an image in counts, else per unit of the image."""
    header, unit, number = keywords.header, keywords.unit, keywords.number
    if unit is not None and unit.per_area:
        return []
    if unit is None and str(header.get("BUNIT", "")).strip():
        return []  # counts or counts per second: that cannot be told
    found = []
    pivot = number("PHOTPLAM", blank_zero=True)
    flam = number("PHOTFLAM", blank_zero=True)
    fnu = number("PHOTFNU", blank_zero=True)
    if fnu is not None:
        found.append(Statement(f"PHOTFNU = {fnu:g}", fnu * 1e9))
    if flam is not None and pivot is not None:
        njy = flam * per_frequency(pivot) * FLAM
        found.append(Statement(f"PHOTFLAM = {flam:g} with PHOTPLAM = {pivot:g}", njy))
    if not found or unit is None or unit.kind not in ("counts", "rate"):
        return found
    seconds, text = 1.0, ""
    if unit.kind == "counts":
        seconds = number("EXPTIME")
        if seconds is None or seconds <= 0:
            found = f"BUNIT {header['BUNIT']!r} is not per second and there is no EXPTIME"
            raise InputError(keywords.where, found, CURE)
        text = f" and EXPTIME = {seconds:g}"
    return [Statement(one.text + text, one.njy * unit.scale / seconds) for one in found]


HST = Instrument("hst", known_by={"TELESCOP": "HST"}, statements=(by_inverse_sensitivity,), everywhere=True)
