"""Readers of PSF files, one per format: each gives effective PSF images at one or more locations."""

from pathlib import Path

import numpy as np
from astropy.io import fits

from ..errors import InputError
from .image import PSFImage, effective_image


def read_fits(
    path, ext=None, oversample=1, pixel_response=None, center="auto", location=None, **_
) -> list[PSFImage]:
    """A plain FITS stamp; whether the pixel response is in it must be said."""
    if pixel_response not in ("included", "not_included"):
        raise InputError(
            path,
            f"pixel_response is {pixel_response!r}",
            "Say `included` (stars, native samples) or `not_included` (optical models) in the table",
        )
    data, _ = _image(path, ext)
    included = pixel_response == "included"
    return [effective_image(data, oversample, included, center=center, where=path, location=location)]


def _image(path, ext):
    """Data and header of extension `ext` (name or number); the first image when None."""
    with _open(path) as hdus:
        names = [hdu.name for hdu in hdus]
        if ext in (None, ""):
            found = [i for i, hdu in enumerate(hdus) if hdu.is_image and hdu.data is not None]
            if not found:
                raise InputError(path, f"no image in its extensions {names}", "Give a FITS image of the PSF")
            ext = found[0]
        ext = int(ext) if str(ext).isdigit() else ext
        try:
            return np.array(hdus[ext].data, "f8"), hdus[ext].header
        except (KeyError, IndexError):
            raise InputError(
                path, f"no extension {ext!r}; it has {names}", "Mend `ext` in the PSF table"
            ) from None


def _open(path):
    if not Path(path).is_file():
        raise InputError(path, "no such PSF file", "Mend `path` in the PSF table")
    try:
        return fits.open(path, memmap=False)
    except OSError as error:
        raise InputError(path, f"not readable as FITS ({error})", "Give a FITS file") from None


READERS = {"fits": read_fits}
