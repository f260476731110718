"""Cells of columns to numbers, booleans and names; what stands for "no data" becomes NaN."""

import re

import numpy as np

from ...errors import InputError
from .formats import BLANK

TRUE = ("true", "t", "yes", "y", "1", "1.0", "on")
FALSE = ("false", "f", "no", "n", "0", "0.0", "off")
SENTINELS = (99.0, 999.0, 9999.0, 99999.0)  # with either sign, and with decimals 99.9, 99.99
HUGE = 1e20  # what is larger stands for "none" in any of our columns (1e30, largest float32)
DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+([eE][+-]?\d+)?")
SEXAGESIMAL = re.compile(r"[+-]?\d+([:\s]|h|d)\s*\d+.*")
EXACT = 2**53  # whole numbers below are exact in float64


def numbers(column, name: str, path) -> np.ndarray:
    """Values (S,) as float64; masked and blank cells are NaN.

    Raises
    ------
    InputError
        With the first cell that is no number.
    """
    if column.dtype.kind == "b":
        raise InputError(path, f"column {name!r} holds no numbers, but true and false", "Mend the column")
    if column.dtype.kind in "iuf":
        values = np.ma.asarray(column).astype("f8")
        return np.array(values.filled(np.nan))
    try:
        return np.ma.asarray(column).filled("nan").astype("f8")
    except (ValueError, TypeError):  # blank cells, or what is no number
        out = np.full(len(column), np.nan)
    for i, cell in enumerate(column):
        if cell is np.ma.masked or str(cell).strip().lower() in BLANK:
            continue
        try:
            out[i] = float(cell)
        except (ValueError, TypeError):
            raise InputError(path, *_no_number(str(cell).strip(), name, i)) from None
    return out


def _no_number(cell: str, name: str, row: int) -> tuple[str, str]:
    found = f"column {name!r} holds no numbers: {cell[:40]!r} in row {row + 1}"
    if DECIMAL_COMMA.fullmatch(cell):
        return found, "Write decimal points in place of commas"
    if SEXAGESIMAL.fullmatch(cell):
        return found, "Write positions in decimal degrees"
    return found, "Mend the column"


def booleans(column, name: str, path, default: bool) -> np.ndarray:
    """Truth (S,) of booleans, 0 and 1, or words; masked and blank cells are `default`.

    Raises
    ------
    InputError
        With the first cell that is none of these.
    """
    if column.dtype.kind == "b":
        return np.array(np.ma.asarray(column).filled(default), bool)
    out = np.full(len(column), default)
    for i, cell in enumerate(column):
        word = str(cell).strip().lower()
        if cell is np.ma.masked or word in BLANK:
            continue
        if word not in TRUE + FALSE:
            found = f"column {name!r} has {str(cell)[:40]!r} in row {i + 1}, neither true nor false"
            raise InputError(path, found, "Use true and false, yes and no, or 1 and 0")
        out[i] = word in TRUE
    return out


def names(column, name: str, path) -> list[str]:
    """Cells as text; whole numbers without decimals.

    Raises
    ------
    InputError
        If they are numbers that floating point cannot tell apart.
    """
    if column.dtype.kind == "f":
        values = numbers(column, name, path)
        if np.any(np.abs(values) >= EXACT):
            found = f"column {name!r} holds numbers of more than 15 digits in floating point"
            raise InputError(path, found, "Write it as whole numbers (int64) or as text")
        whole = np.all(values == np.round(values))
        return [str(int(value)) if whole else repr(float(value)) for value in values]
    return ["" if cell is np.ma.masked else str(cell).strip() for cell in column]


def known(values) -> np.ndarray:
    """Values with NaN for what stands for "no data": infinite, beyond HUGE, or -99, 99 and their like."""
    size = np.abs(values)
    truncated = np.isin(size, SENTINELS) | np.isin(size, [99.9, 99.99, 999.9, 999.99])
    return np.where(truncated | ~(size < HUGE), np.nan, values)
