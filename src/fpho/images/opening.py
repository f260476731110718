"""FITS files opened and their extensions found, with errors that say what is wrong and where."""

from dataclasses import replace
from functools import partial

import numpy as np

from .. import files
from ..errors import InputError
from .table import ExposureSpec

UNCERTAINTIES, MASKS = ("ERR", "WHT"), ("DQ", "MASK")


open_fits = partial(files.open_fits, table="the table of exposures")


def image_hdu(hdus, extension, path):
    """The extension of an image by name or index; SCI, else the first image, where none is named."""
    if extension is None:
        found = [hdu for hdu in hdus if hdu.is_image and hdu.header.get("NAXIS") == 2]
        hdu = next((hdu for hdu in found if hdu.name == "SCI"), found[0] if found else None)
    else:
        try:
            hdu = hdus[extension]
        except (KeyError, IndexError):
            hdu = None
    if hdu is None or hdu.header.get("NAXIS") != 2:
        have = ", ".join(f"{i}: {one.name or 'unnamed'}" for i, one in enumerate(hdus))
        found = f"no two-dimensional image in extension {extension!r}"
        raise InputError(path, found, f"It has {have}; name the extension in the table of exposures")
    return hdu


def plane(path, extension, shape, science) -> np.ndarray:
    """Another image of the same pixels as `science`, float64 (ny, nx)."""
    with open_fits(path) as hdus:
        hdu = plane_hdu(hdus, path, extension, shape, science)
        return np.array(hdu.data, "f8")


def plane_hdu(hdus, path, extension, shape, science):
    """Its extension, if it is on the same pixels."""
    hdu = image_hdu(hdus, extension, path)
    if hdu.shape != shape:
        found = f"its shape {hdu.shape} is not that of {science}, {shape}"
        raise InputError(path, found, "Give a file on the same pixels")
    return hdu


def with_defaults(spec: ExposureSpec, hdus) -> ExposureSpec:
    """The row with what the files themselves tell: reader, extensions, kind of uncertainty."""
    values = {"reader": _reader(hdus) if spec.reader == "auto" else spec.reader}
    values["unc_path"] = spec.unc_path or spec.path
    unc_ext = spec.unc_ext
    if unc_ext is None:
        unc_ext = _preferred(values["unc_path"], spec.path, hdus, UNCERTAINTIES)
        if unc_ext is None and values["unc_path"] == spec.path:
            unc_ext = "ERR"  # never the science image itself; that it is missing is said when it is read
    weights = isinstance(unc_ext, str) and unc_ext.upper() == "WHT"
    values |= {"unc_ext": unc_ext, "unc_kind": spec.unc_kind or ("weight" if weights else "sigma")}
    mask_ext, mask_path = spec.mask_ext, spec.mask_path or spec.path
    if mask_ext is None:
        mask_ext = _preferred(mask_path, spec.path, hdus, MASKS)
    if spec.mask_path is not None or mask_ext is not None:
        values |= {"mask_path": mask_path, "mask_ext": mask_ext}
    return replace(spec, **values)


def _reader(hdus) -> str:
    telescope = str(hdus[0].header.get("TELESCOP", "")).strip().upper()
    return {"JWST": "jwst", "HST": "hst"}.get(telescope, "generic")


def _preferred(path, science, hdus, wanted) -> str | None:
    """The first of the wanted names that the file has."""
    if path == science:
        names = [hdu.name for hdu in hdus]
    else:
        with open_fits(path) as others:
            names = [hdu.name for hdu in others]
    return next((name for name in wanted if name in names), None)
