"""The table of PSF images (TSV), and the images that it names, key by key."""

import warnings
from pathlib import Path

from .. import tables
from ..errors import InputError
from ..tables import Column, number, one_of, path_beside
from .image import PSFImage
from .readers import READERS
from .source import Source

SCALE_ERROR = (0.01, 0.03)  # said, refused


def read_psf_table(path, center="auto") -> list[tuple[Source, str]]:
    """(source, format) of each row; relative paths are relative to the table's folder, empty cells None.

    Raises
    ------
    InputError
        For a missing table, unknown or missing columns, or cells that make no sense.
    """
    rows = tables.read_table(path, _columns(path), "table of PSF images", "Mend `psfs` in the configuration")
    if not rows:
        raise InputError(path, "the table has no rows", "Give a row per PSF image")
    return [_source(row, center) for row in rows]


def _columns(path) -> list[Column]:
    return [
        Column("key", needed=True),
        Column("path", path_beside(path), needed=True),
        Column("ext"),
        Column("format", one_of(*READERS), default="fits"),
        Column("oversample", number),
        Column("pixel_response"),
        *(Column(name, number) for name in ("x", "y")),
        Column("filter"),
    ]


def _source(row: dict, center) -> tuple[Source, str]:
    both = row["x"] is not None and row["y"] is not None
    options = {name: row[name] for name in ("key", "path", "ext", "oversample", "pixel_response", "filter")}
    return Source(location=(row["x"], row["y"]) if both else None, center=center, **options), row["format"]


def as_row(source: Source, form: str) -> dict:
    """A row of a table in any folder that says what `read_psf_table` has read."""
    x, y = source.location or (None, None)
    row = {name: getattr(source, name) for name in ("key", "ext", "oversample", "pixel_response", "filter")}
    return row | {"path": str(Path(source.path).resolve()), "x": x, "y": y, "format": form}


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
