"""The table of exposures: one row for each image, an empty cell means the default."""

import csv
import os
from dataclasses import dataclass, fields
from pathlib import Path

from ..bands import check_bands
from ..errors import InputError

UNC_KINDS = ("sigma", "variance", "ivar", "weight")
KINDS = ("mosaic", "exposure")
READERS = ("auto", "generic", "jwst", "hst")


@dataclass(frozen=True)
class ExposureSpec:
    """A row of the table; paths are absolute or relative to the working directory."""

    id: str
    band: str
    path: Path
    kind: str = "exposure"
    sci_ext: str | int | None = None
    unc_path: Path | None = None
    unc_ext: str | int | None = None
    unc_kind: str | None = None
    mask_path: Path | None = None
    mask_ext: str | int | None = None
    background_path: Path | None = None
    background_ext: str | int | None = None
    psf: str = ""
    flux_scale: float | None = None  # nJy per unit of the image
    reader: str = "auto"


COLUMNS = tuple(field.name for field in fields(ExposureSpec))


def read_table(path) -> list[ExposureSpec]:
    """Rows of a table of exposures (TSV; lines that start with # are comments).

    Raises
    ------
    InputError
        With the line and the column that are wrong.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(path, "no such table of exposures", "Give its path as `images`")
    lines = [line for line in path.read_text().splitlines() if line.strip() and not line.startswith("#")]
    reader = csv.DictReader(lines, delimiter="\t")
    _check_columns(path, reader.fieldnames or [])
    specs = [_spec(path, number, row) for number, row in enumerate(reader, start=2)]
    if not specs:
        raise InputError(path, "the table has no rows", "Add a line for each image")
    _check_unique(path, specs)
    check_bands(list(dict.fromkeys(spec.band for spec in specs)), path)
    return specs


def _check_columns(path, names) -> None:
    unknown = sorted(set(names) - set(COLUMNS))
    if unknown:
        raise InputError(path, f"unknown columns {', '.join(unknown)}", f"Known: {', '.join(COLUMNS)}")
    missing = [name for name in ("id", "band", "path") if name not in names]
    if missing:
        raise InputError(path, f"no column {', '.join(missing)}", "The table is tab-separated with a header")


def _check_unique(path, specs) -> None:
    ids = [spec.id for spec in specs]
    twice = sorted({name for name in ids if ids.count(name) > 1})
    if twice:
        raise InputError(path, f"id {twice[0]!r} stands twice", "Give each image an id of its own")
    for name in ids:
        if "/" in name:
            raise InputError(
                path, f"id {name!r} has a slash", "Ids name groups and files: use letters, digits, _-."
            )


def _spec(path: Path, number: int, row: dict) -> ExposureSpec:
    where = f"{path}, line {number}"
    cells = {key: value.strip() for key, value in row.items() if key and value and value.strip()}
    for name in ("id", "band", "path"):
        if name not in cells:
            raise InputError(where, f"column {name} is empty", "Every image needs it")
    values = {}
    for name, text in cells.items():
        if name.endswith("path"):
            values[name] = path.parent / os.path.expandvars(text)
        elif name.endswith("_ext"):
            values[name] = int(text) if text.isdigit() else text
        elif name == "flux_scale":
            values[name] = _number(where, name, text)
        else:
            values[name] = text
    for name, allowed in (("kind", KINDS), ("unc_kind", UNC_KINDS), ("reader", READERS)):
        if name in values and values[name] not in allowed:
            raise InputError(
                where, f"{name} {values[name]!r} is not known", f"Use one of {', '.join(allowed)}"
            )
    return ExposureSpec(**values)


def _number(where, name, text) -> float:
    try:
        return float(text)
    except ValueError:
        raise InputError(where, f"{name} {text!r} is no number", "Give nJy per unit of the image") from None
