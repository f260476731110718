"""Instruments: one short file each, with what is known of its files.

A new instrument is a file here and its place in `INSTRUMENTS`; the table of exposures, the choice by header,
extensions, masks, calibration and WCS take the rest from it.
"""

from ...errors import InputError
from .generic import GENERIC
from .hst import HST
from .instrument import Instrument
from .jwst import JWST

__all__ = [
    "AUTO",
    "GENERIC",
    "HST",
    "INSTRUMENTS",
    "JWST",
    "Instrument",
    "find",
    "reader_names",
    "statements_of",
]

INSTRUMENTS = (GENERIC, JWST, HST)
AUTO = "auto"  # by the keywords of the primary header


def reader_names() -> tuple[str, ...]:
    """What the column `reader` of the table of exposures may hold."""
    return AUTO, *(one.name for one in INSTRUMENTS)


def find(reader: str, header) -> Instrument:
    """The instrument of that name; for AUTO the first one that knows the primary header, else GENERIC.

    Raises
    ------
    InputError
        For a name that is not known.
    """
    if reader == AUTO:
        return next((one for one in INSTRUMENTS if one.made(header)), GENERIC)
    named = {one.name: one for one in INSTRUMENTS}
    if reader not in named:
        raise InputError("reader", f"{reader!r} is not known", f"Use one of {', '.join(reader_names())}")
    return named[reader]


def statements_of(instrument: Instrument) -> list:
    """Functions that read keywords of calibration in the files of an instrument, in the order of the list."""
    wanted = [one for one in INSTRUMENTS if one.everywhere or one is instrument]
    return [statement for one in wanted for statement in one.statements]
