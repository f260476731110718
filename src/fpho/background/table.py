"""The table of backgrounds (TSV): one row for each exposure; a user may edit it and give it back."""

import csv
import difflib
import io
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..files import write_text

NUMBERS = ("constant", "x_slope", "y_slope", "x_ref", "y_ref", "error", "significance")
DTYPE = np.dtype([("exposure", "U128"), ("band", "U32"), *((name, "f8") for name in NUMBERS), ("used", "?")])
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
    path = Path(path)
    if not path.is_file():
        raise InputError(path, "no such background table", "Give the path of a TSV table, or leave it out")
    lines = [line for line in path.read_text().splitlines() if line.strip() and not line.startswith("#")]
    reader = csv.DictReader(lines, delimiter="\t")
    columns = reader.fieldnames or []
    for name in ("exposure", "constant"):
        if name not in columns:
            cure = "A background table has columns exposure, constant (nJy per pixel), tab separated"
            raise InputError(path, f"no column {name!r} (found: {', '.join(columns) or 'none'})", cure)
    rows = [_row(path, values) for values in reader]
    names = [row[0] for row in rows]
    for name in names:
        if names.count(name) > 1:
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
    write_text(path, text.getvalue())


def check_exposures(table: np.ndarray, known, where) -> None:
    """Stop when a table of backgrounds names an exposure that is not there.

    Raises
    ------
    InputError
        With the nearest name that exists.
    """
    known = list(known)
    for name in table["exposure"]:
        if name not in known:
            near = difflib.get_close_matches(str(name), known, n=1, cutoff=0.4)
            cure = f"Did you mean {near[0]!r}?" if near else f"Exposures: {', '.join(known)}"
            raise InputError(where, f"no exposure {str(name)!r} in this run", cure)


def rows_by_exposure(table) -> dict:
    """Rows of a table (or of the one at a path) by exposure."""
    if isinstance(table, str | Path):
        table = read_tweakbg(table)
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


def _row(path, values: dict) -> tuple:
    name = values["exposure"]
    numbers = [_number(path, name, column, values.get(column)) for column in NUMBERS]
    used = (values.get("used") or "1").strip().lower()
    if used not in ("0", "1", "true", "false"):
        raise InputError(path, f"exposure {name!r}: used = {used!r}", "Write 1 (subtract) or 0")
    return (name, values.get("band") or "", *numbers, used in ("1", "true"))


def _number(path, exposure: str, column: str, text: str | None) -> float:
    if not text:
        return np.nan if column in ("error", "significance") else 0.0
    try:
        value = float(text)
    except ValueError:
        value = np.nan
    if not np.isfinite(value) and column not in ("error", "significance"):
        raise InputError(path, f"exposure {exposure!r}: {column} = {text!r} is no number", "Write a number")
    return value
