"""The table of PSF images (TSV), and the images that it names, key by key."""

import os
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from ..errors import InputError
from .image import PSFImage
from .readers import READERS

COLUMNS = ("key", "path", "ext", "format", "oversample", "pixel_response", "x", "y", "filter")


@dataclass(frozen=True)
class PSFRow:
    """One row of the table; empty cells are None."""

    key: str
    path: Path
    ext: str | None
    format: str
    oversample: float
    pixel_response: str | None
    location: tuple[float, float] | None
    filter: str | None


def read_psf_table(path) -> list[PSFRow]:
    """Rows of a table of PSF images; relative paths are relative to the table's folder."""
    path = Path(path)
    if not path.is_file():
        raise InputError(path, "no such table of PSF images", "Mend `psfs` in the configuration")
    table = pd.read_csv(path, sep="\t", dtype=str, comment="#").rename(columns=str.strip)
    unknown = set(table.columns) - set(COLUMNS)
    if unknown or not {"key", "path"} <= set(table.columns):
        found = f"columns {list(table.columns)}"
        raise InputError(path, found, f"Needed: key, path; known: {', '.join(COLUMNS)} (separated by tabs)")
    if not len(table):
        raise InputError(path, "the table has no rows", "Give a row per PSF image")
    return [_row(cells, path) for cells in table.to_dict("records")]


def _row(cells, path) -> PSFRow:
    cell = {name: _text(cells.get(name)) for name in COLUMNS}
    if not cell["key"] or not cell["path"]:
        raise InputError(path, f"a row without key or path: {cells}", "Fill both")
    form = cell["format"] or "fits"
    if form not in READERS:
        raise InputError(
            path, f"format {form!r} of PSF {cell['key']!r}", f"Known formats: {', '.join(READERS)}"
        )
    try:
        oversample = float(cell["oversample"] or 1)
        location = (float(cell["x"]), float(cell["y"])) if cell["x"] and cell["y"] else None
    except ValueError as error:
        raise InputError(path, f"PSF {cell['key']!r}: {error}", "Give numbers for oversample, x, y") from None
    file = path.parent / os.path.expandvars(cell["path"])
    return PSFRow(
        cell["key"], file, cell["ext"], form, oversample, cell["pixel_response"], location, cell["filter"]
    )


def _text(value):
    return value.strip() or None if isinstance(value, str) else None


def read_images(row: PSFRow, center="auto") -> list[PSFImage]:
    """The effective PSF images that a row names."""
    return READERS[row.format](
        row.path,
        ext=row.ext,
        oversample=row.oversample,
        pixel_response=row.pixel_response,
        center=center,
        location=row.location,
        filter_name=row.filter,
    )


def images_by_key(rows, center="auto") -> dict[str, list[PSFImage]]:
    """Key to images, with a location each where there are several."""
    out: dict[str, list[PSFImage]] = {}
    for row in rows:
        out.setdefault(row.key, []).extend(read_images(row, center))
    for key, images in out.items():
        if len(images) > 1 and any(image.location is None for image in images):
            found = f"PSF {key!r} has {len(images)} images, not all with a detector position"
            raise InputError(images[0].where, found, "Give x and y in the PSF table, or keys of their own")
    return out
