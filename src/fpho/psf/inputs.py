"""The table of PSF images (TSV), and the images that it names, key by key."""

import io
import warnings
from pathlib import Path

import pandas as pd

from ..errors import InputError
from ..texts import expand, read_text
from .image import PSFImage
from .readers import READERS
from .source import Source

SCALE_ERROR = (0.01, 0.03)  # said, refused
COLUMNS = ("key", "path", "ext", "format", "oversample", "pixel_response", "x", "y", "filter")


def read_psf_table(path, center="auto") -> list[tuple[Source, str]]:
    """(source, format) of each row; relative paths are relative to the table's folder, empty cells None.

    Raises
    ------
    InputError
        For a missing table, unknown or missing columns, or cells that make no sense.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(path, "no such table of PSF images", "Mend `psfs` in the configuration")
    text = io.StringIO(read_text(path))
    table = pd.read_csv(text, sep="\t", dtype=str, comment="#").rename(columns=str.strip)
    if set(table.columns) - set(COLUMNS) or not {"key", "path"} <= set(table.columns):
        cure = f"Needed: key, path; known: {', '.join(COLUMNS)} (separated by tabs)"
        raise InputError(path, f"columns {list(table.columns)}", cure)
    if not len(table):
        raise InputError(path, "the table has no rows", "Give a row per PSF image")
    return [_row(cells, path, center) for cells in table.to_dict("records")]


def _row(cells, path, center):
    cell = {name: _text(cells.get(name)) for name in COLUMNS}
    if not cell["key"] or not cell["path"]:
        raise InputError(path, f"a row without key or path: {cells}", "Fill both")
    form = cell["format"] or "fits"
    if form not in READERS:
        raise InputError(path, f"format {form!r} of PSF {cell['key']!r}", f"Known: {', '.join(READERS)}")
    try:
        oversample = float(cell["oversample"]) if cell["oversample"] else None
        location = (float(cell["x"]), float(cell["y"])) if cell["x"] and cell["y"] else None
    except ValueError as error:
        raise InputError(path, f"PSF {cell['key']!r}: {error}", "Give numbers for oversample, x, y") from None
    file = path.parent / expand(cell["path"], path)
    options = {name: cell[name] for name in ("key", "ext", "pixel_response", "filter")}
    return Source(path=file, oversample=oversample, location=location, center=center, **options), form


def _text(value):
    return value.strip() or None if isinstance(value, str) else None


def check_pixel_scale(where, stated, scales, image) -> None:
    """Stop where the pixel that a PSF is for is not that of an image: by 3%; a warning says so beyond 1%.

    Detectors are distorted, and the PSF of a whole one serves all its places: 1.3% off at a NIRCam corner.

    Parameters
    ----------
    where : file of the PSF
    stated : arcsec per native pixel by the PSF's header and its oversampling; None: not stated
    scales : (smallest, largest) pixel of the image, arcsec
    image : its name

    Raises
    ------
    InputError
        Naming both.
    """
    low, high = scales
    error = 0.0 if stated is None else max(low / stated, stated / high) - 1
    if error <= SCALE_ERROR[0]:
        return
    mean = (low * high) ** 0.5
    found = (
        f"by its pixel scale (PIXELSCL, PIXSCALE) and oversampling it is for pixels of {stated:.5g} arcsec"
    )
    cure = f"Mend `oversample` (times {mean / stated:.4g}), the keyword, or the exposure's PSF"
    found += f", but image {image!r} has pixels of {mean:.5g} arcsec"
    if error > SCALE_ERROR[1]:
        raise InputError(where, found, cure)
    warnings.warn(f"{where}: {found}", stacklevel=2)


def images_by_key(rows) -> dict[str, list[PSFImage]]:
    """Key to effective PSF images, with a detector position each where there are several."""
    out: dict[str, list[PSFImage]] = {}
    for source, form in rows:
        out.setdefault(source.key, []).extend(READERS[form](source))
    for key, images in out.items():
        if len(images) > 1 and any(image.location is None for image in images):
            found = f"PSF {key!r} has {len(images)} images, not all with a detector position"
            raise InputError(images[0].where, found, "Give x and y in the table, or keys of their own")
        if len({image.location for image in images}) < len(images) > 1:
            found = f"PSF {key!r} has several images at one detector position"
            raise InputError(images[0].where, found, "Leave one of them out")
    return out
