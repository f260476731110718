"""The table of backgrounds (TSV): one row for each exposure; a user may edit it and give it back."""

import csv
import difflib
import io
from collections import Counter
from dataclasses import replace

import numpy as np

from .. import tables
from ..errors import InputError
from ..files import write_text
from ..tables import Column, boolean, float_or_nan, number

NUMBERS = ("constant", "x_slope", "y_slope", "x_ref", "y_ref", "error", "significance")
DTYPE = np.dtype([("exposure", "U128"), ("band", "U32"), *((name, "f8") for name in NUMBERS), ("used", "?")])
READ = [
    Column("exposure", needed=True),
    Column("band", default=""),
    Column("constant", number, needed=True),
    *(Column(name, number, default=0.0) for name in ("x_slope", "y_slope", "x_ref", "y_ref")),
    *(Column(name, float_or_nan, default=np.nan) for name in ("error", "significance")),
    Column("used", boolean, default=True),
]
HEADER = """\
# Background of each exposure. Where used = 1 this is subtracted from the data:
#     constant + x_slope (x - x_ref) + y_slope (y - y_ref)
# constant, error: nJy per pixel; slopes: nJy per pixel and pixel; x, y: zero-indexed pixel of the exposure;
# significance: of the constant, or of the plane as a whole.
"""


def read_tweakbg(path) -> np.ndarray:
    """Backgrounds (E,), structured as `DTYPE`. Columns other than exposure and constant may be missing.

    Raises
    ------
    InputError
        If the file or a needed column is missing, or a value is no number.
    """
    cure = "Give the path of a TSV table, or leave it out"
    rows = [
        tuple(row[name] for name in DTYPE.names)
        for row in tables.read_table(path, READ, "background table", cure)
    ]
    for name, count in Counter(row[0] for row in rows).items():
        if count > 1:
            raise InputError(path, f"exposure {name!r} has several rows", "Keep one row for each exposure")
    return np.array(rows, DTYPE)


def write_tweakbg(path, table: np.ndarray, comment: str = "") -> None:
    """Write backgrounds (E,), structured as `DTYPE`; lines of `comment` go into the file's head."""
    text = io.StringIO()
    text.write(HEADER)
    text.writelines(f"# {line}\n" for line in comment.splitlines())
    writer = csv.writer(text, delimiter="\t", lineterminator="\n")
    writer.writerow(DTYPE.names)
    for row in table:
        numbers = [f"{row[name]:.9g}" for name in NUMBERS]
        writer.writerow([row["exposure"], row["band"], *numbers, int(row["used"])])
    write_text(path, text.getvalue(), seal=True)


def check_exposures(table: np.ndarray, known, where) -> None:
    """Stop when a table of backgrounds names an exposure that is not there.

    Raises
    ------
    InputError
        With the nearest name that exists.
    """
    known = dict.fromkeys(known)
    for name in table["exposure"]:
        if name not in known:
            near = difflib.get_close_matches(str(name), known, n=1, cutoff=0.4)
            cure = f"Did you mean {near[0]!r}?" if near else f"Exposures: {', '.join(known)}"
            raise InputError(where, f"no exposure {str(name)!r} in this run", cure)


def rows_by_exposure(table) -> dict:
    """Rows of a table by exposure."""
    return {str(row["exposure"]): row for row in table}


def background_value(row, x, y) -> np.ndarray:
    """Background (nJy per pixel) at pixels (x, y), zero-indexed."""
    return row["constant"] + row["x_slope"] * (x - row["x_ref"]) + row["y_slope"] * (y - row["y_ref"])


def apply_background(exposure, table):
    """The exposure with its background subtracted from new data, or as it is when none is to be used."""
    row = rows_by_exposure(table).get(exposure.id)
    if row is None or not row["used"]:
        return exposure
    y, x = np.indices(exposure.data.shape, sparse=True)
    data = np.where(exposure.ierr > 0, exposure.data - background_value(row, x, y), 0)
    return replace(exposure, data=data.astype("f4"))
