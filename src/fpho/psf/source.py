"""One file of PSFs: what the table of PSF images says of it, its data and header, and what they agree on."""

import re
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from .. import files
from ..errors import InputError
from .image import PSFImage, effective_image

SCALES = ("PIXELSCL", "PIXSCALE", "PIXELSCALE")  # arcsec per sample of the image that the header describes
BAND = re.compile(r"F\d{3,4}(W2?|M|N|LP|X|Q)", re.IGNORECASE)
open_fits = partial(files.open_fits, table="the table of PSF images")


@dataclass(frozen=True)
class Source:
    """What the table of PSF images says of one file; None where it says nothing."""

    key: str
    path: Path
    ext: str | None = None
    oversample: float | None = None
    pixel_response: str | None = None
    location: tuple[float, float] | None = None  # detector (x, y), pixels
    filter: str | None = None
    center: str = "auto"

    def included(self, default=None) -> bool:
        """Whether the pixel response is in the image: as stated, else the format's `default`."""
        if self.pixel_response in ("included", "not_included"):
            return self.pixel_response == "included"
        if default is None or self.pixel_response:
            found = f"PSF {self.key!r}: pixel_response is {self.pixel_response or 'not given'}"
            cure = "Say `included` (stars, native samples) or `not_included` (optical models) in the table"
            raise InputError(self.path, found, cure)
        return default

    def effective(
        self, data, oversample, included, keep_total=False, location=None, name="", sample_scale=None
    ) -> PSFImage:
        """`effective_image` with this source's options; `sample_scale`: arcsec per sample by the header."""
        image = effective_image(
            data,
            oversample,
            included,
            keep_total,
            center=self.center,
            where=f"{self.path}{name}",
            location=location or self.location,
        )
        return replace(image, pixel_scale=sample_scale and sample_scale * float(oversample))


def load(source: Source, ext=None):
    """Data and header of an extension (name or number; the first image when none); FILTER is checked."""
    wanted = ext or source.ext
    with open_fits(source.path) as hdus:
        names = [hdu.name for hdu in hdus]
        if wanted is None:
            images = [i for i, hdu in enumerate(hdus) if hdu.is_image and hdu.data is not None]
            if not images:
                raise InputError(source.path, f"no image in {names}", "Give a FITS image of the PSF")
            wanted = images[0]
        try:
            hdu = hdus[int(wanted) if str(wanted).isdigit() else wanted]
        except (KeyError, IndexError):
            cure = "Mend `ext` in the table of PSF images"
            raise InputError(source.path, f"no extension {wanted!r}; it has {names}", cure) from None
        if not hdu.is_image or hdu.data is None:
            what = "is empty" if hdu.is_image else "is a table, no image"
            cure = "Mend `ext` or `format` in the table of PSF images"
            raise InputError(source.path, f"extension {wanted!r} {what}", cure)
        header = hdus[0].header.copy()
        header.update(hdu.header)
        check_filter(source, header.get("FILTER"))
        return np.array(hdu.data, "f8"), header


def scale_of(header, source: Source) -> float | None:
    """Arcsec per sample that a header states in PIXELSCL, PIXSCALE or PIXELSCALE; None where none does."""
    for name in SCALES:
        if name in header:
            try:
                value = float(header[name])
            except (TypeError, ValueError):
                value = np.nan
            if not 0 < value < np.inf:
                found = f"keyword {name} = {header[name]!r}"
                raise InputError(source.path, found, "Mend it (arcsec per sample), or take it out")
            return value
    return None


def check_filter(source: Source, found) -> None:
    """Stop when the file's FILTER is not the one that the table, or a key that is a band, names.

    Raises
    ------
    InputError
        Naming both filters.
    """
    expected = source.filter or (source.key if BAND.fullmatch(source.key) else None)
    if (
        expected is None
        or found is None
        or (source.filter is None and not BAND.fullmatch(str(found).strip()))
    ):
        return
    if str(found).strip().upper() != expected.upper():
        cure = "Mend `path`, `key` or `filter` in the table of PSF images"
        raise InputError(source.path, f"FILTER is {str(found).strip()!r}, expected {expected!r}", cure)
