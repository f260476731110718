"""JWST: `_cal`, `_crf` and `_i2d` files of its pipeline (jwst-pipeline.readthedocs.io, data products)."""

from ..keywords import Keywords, Statement
from .instrument import Instrument

DO_NOT_USE = 1  # bit of DQ; its others tell what was done to a pixel, not that it is bad


def by_photmjsr(keywords: Keywords) -> list[Statement]:
    """PHOTMJSR: MJy/sr per DN/s, for an image that is still in DN/s."""
    unit = keywords.unit
    if unit is None or unit.kind != "rate" or unit.per_area:
        return []
    value = keywords.number("PHOTMJSR", blank_zero=True)
    if value is None:
        return []
    area, by = keywords.area()
    text = f"BUNIT = {keywords.header['BUNIT']!r} with PHOTMJSR = {value:g} and {by}"
    return [Statement(text, unit.scale * value * 1e15 * area)]


JWST = Instrument(
    "jwst",
    known_by={"TELESCOP": "JWST"},
    bad_bits=DO_NOT_USE,
    statements=(by_photmjsr,),
    everywhere=True,
    area_ext="AREA",
)
