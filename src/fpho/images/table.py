"""The table of exposures: one row for each image, an empty cell means the default."""

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from .. import tables
from ..bands import check_bands
from ..errors import InputError
from ..layout import KINDS
from ..tables import Column, number, one_of, path_beside
from .instruments import AUTO, reader_names

UNC_KINDS = ("sigma", "variance", "ivar", "weight")
FLUX_SCALES = (1e-40, 1e40)  # nJy per unit; erg/s/cm2/Hz are 1e32
# Ids name files, groups in stores and keys of PSFs.
NAME = re.compile(r"\w[\w.+:=@,()~ -]*")
LONGEST = 100


@dataclass(frozen=True)
class ExposureSpec:
    """A row of the table; paths are absolute or relative to the working directory."""

    id: str
    band: str
    path: Path
    kind: str = "exposure"
    sci_ext: str | int | tuple | None = None
    unc_path: Path | None = None
    unc_ext: str | int | tuple | None = None
    unc_kind: str | None = None
    mask_path: Path | None = None
    mask_ext: str | int | tuple | None = None
    background_path: Path | None = None
    background_ext: str | int | tuple | None = None
    psf: str = ""
    flux_scale: float | None = None  # nJy per unit of the image
    reader: str = AUTO


def read_table(path) -> list[ExposureSpec]:
    """Rows of a table of exposures (TSV; lines that start with # are comments).

    Raises
    ------
    InputError
        With the line and the column that are wrong.
    """
    rows = tables.read_table(path, _columns(path), "table of exposures", "Give its path as `images`")
    if not rows:
        raise InputError(path, "the table has no rows", "Add a line for each image")
    twice = sorted(name for name, count in Counter(row["id"] for row in rows).items() if count > 1)
    if twice:
        raise InputError(path, f"id {twice[0]!r} stands twice", "Give each image an id of its own")
    check_bands(dict.fromkeys(row["band"] for row in rows), path)
    return [ExposureSpec(**{name: value for name, value in row.items() if name != "line"}) for row in rows]


def _columns(path) -> list[Column]:
    place = path_beside(path)
    return [
        Column("id", _name, needed=True),
        Column("band", needed=True),
        Column("path", place, needed=True),
        Column("kind", one_of(*KINDS), default="exposure"),
        Column("sci_ext", extension),
        Column("unc_path", place),
        Column("unc_ext", extension),
        Column("unc_kind", one_of(*UNC_KINDS)),
        Column("mask_path", place),
        Column("mask_ext", extension),
        Column("background_path", place),
        Column("background_ext", extension),
        Column("psf", default=""),
        Column("flux_scale", _flux_scale),
        Column("reader", one_of(*reader_names()), default=AUTO),
    ]


def extension(text: str):
    """An extension of a FITS file: its index, its name, or name and EXTVER (`SCI,2`)."""
    name, _, version = text.partition(",")
    if version and not version.strip().isdigit():
        raise ValueError("is no extension; write a name, an index, or name and EXTVER as in SCI,2")
    if version:
        return name.strip(), int(version)
    return int(name) if name.isdigit() else name


def _flux_scale(text: str) -> float:
    value = number(text)
    if not FLUX_SCALES[0] <= value <= FLUX_SCALES[1]:
        raise ValueError(f"is no factor from {FLUX_SCALES[0]:g} to {FLUX_SCALES[1]:g} nJy per unit")
    return value


def _name(text: str) -> str:
    if not NAME.fullmatch(text) or len(text) > LONGEST:
        raise ValueError(f"names files: use up to {LONGEST} letters, digits and _-.+, no slash or brace")
    return text
