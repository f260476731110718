"""Tables that users write (TSV): one reader, typed by column, whose errors name line and column.

Lines that start with # are comments; an empty cell, or a column that is left out, means the default.
"""

import csv
import io
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .errors import InputError
from .files import verify, write_text
from .texts import expand, read_text

WORDS = {"1": True, "true": True, "t": True, "yes": True, "0": False, "false": False, "f": False, "no": False}


@dataclass(frozen=True)
class Column:
    """A column: `read` makes a value of a cell's text, or raises ValueError with what it should be."""

    name: str
    read: Callable = str
    needed: bool = False
    default: object = None


def number(text: str) -> float:
    """A finite number."""
    value = float_or_nan(text)
    if not math.isfinite(value):
        raise ValueError("is no number")
    return value


def float_or_nan(text: str) -> float:
    """A number, nan and inf included."""
    try:
        return float(text)
    except ValueError:
        raise ValueError("is no number") from None


def boolean(text: str) -> bool:
    """1, true, t, yes or 0, false, f, no."""
    if text.lower() not in WORDS:
        raise ValueError("is neither 1 (yes) nor 0 (no)")
    return WORDS[text.lower()]


def one_of(*names: str) -> Callable:
    """One of some words."""

    def read(text: str) -> str:
        if text not in names:
            raise ValueError(f"is not known; use one of {', '.join(names)}")
        return text

    return read


def path_beside(table) -> Callable:
    """A path, absolute or relative to the table's folder, environment variables expanded."""

    def read(text: str) -> Path:
        return Path(table).parent / expand(text, table)

    return read


def read_table(path, columns, what: str, cure: str) -> list[dict]:
    """Rows of a table, each a value by column, defaults included; `line` is the line of the file.

    Parameters
    ----------
    path : the file
    columns : `Column`s; others are refused
    what, cure : of the table, as in `no such table of exposures`, `Give its path as images`

    Raises
    ------
    InputError
        With the line and the column that are wrong.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(path, f"no such {what}", cure)
    verify(path, editable=True)
    text = read_text(path)
    try:
        return _rows(text, columns)
    except _Wrong as wrong:
        where = f"{path}, line {wrong.line}" if wrong.line else path
        raise InputError(where, wrong.found, wrong.cure) from None


def cells(path) -> list[dict[str, str]]:
    """Rows as text by column, for who only looks: what is wrong with them is said by `read_table`."""
    lines = _lines(read_text(path))
    names = [name.strip() for name in lines[0][1].split("\t")] if lines else []
    return [dict(zip(names, map(str.strip, text.split("\t")), strict=False)) for _, text in lines[1:]]


class _Wrong(Exception):
    """What is wrong in the text of a table, and in which line; 0: in its header."""

    def __init__(self, line: int, found: str, cure: str):
        super().__init__(found)
        self.line, self.found, self.cure = line, found, cure


def _rows(text: str, columns) -> list[dict]:
    """Rows of a table, given its text."""
    lines = _lines(text)
    names = _names(lines, columns)
    known = {column.name: column for column in columns}
    return [_row(number, line, names, known) for number, line in lines[1:]]


def _lines(text: str) -> list[tuple[int, str]]:
    """(line number, text) of all lines with content, the header first."""
    numbered = enumerate(text.split("\n"), start=1)
    return [(n, line) for n, line in numbered if line.strip() and not line.lstrip().startswith("#")]


def _names(lines, columns) -> list[str]:
    names = [name.strip() for name in lines[0][1].split("\t")] if lines else []
    known = [column.name for column in columns]
    missing = [column.name for column in columns if column.needed and column.name not in names]
    if missing:
        found = f"no column {', '.join(missing)} (found: {', '.join(names) or 'none'})"
        raise _Wrong(0, found, f"It is tab-separated with a header; columns: {', '.join(known)}")
    unknown = sorted({name for name in names if name not in known})
    if unknown:
        raise _Wrong(0, f"unknown columns {', '.join(unknown)}", f"Known: {', '.join(known)}")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise _Wrong(0, f"column {twice[0]} stands twice", "Keep one of them")
    return names


def _row(line: int, text: str, names, known) -> dict:
    cells = [cell.strip() for cell in text.split("\t")]
    if any(cells[len(names) :]):
        raise _Wrong(line, f"{len(cells)} cells in {len(names)} columns", "Separate cells by one tab")
    row = {"line": line, **{column.name: column.default for column in known.values()}}
    filled = {name: cell for name, cell in zip(names, cells, strict=False) if cell}
    for column in known.values():
        if column.needed and column.name not in filled:
            raise _Wrong(line, f"column {column.name} is empty", "Every row needs it")
    for name, cell in filled.items():
        try:
            row[name] = known[name].read(cell)
        except ValueError as error:
            raise _Wrong(line, f"{name} {cell!r} {error}", f"Mend the column {name}") from None
    return row


def write_tsv(path, rows: list[dict]) -> None:
    """A tab-separated table; columns are the rows' keys; cells that are None or missing are empty."""
    text = io.StringIO()
    names = list(dict.fromkeys(name for row in rows for name in row))
    writer = csv.DictWriter(text, names, restval="", delimiter="\t", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(path, text.getvalue(), seal=True)
