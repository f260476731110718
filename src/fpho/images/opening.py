"""FITS files opened and their extensions found, with errors that say what is wrong and where."""

import logging
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
from astropy.io.fits.verify import VerifyError

from .. import files
from ..errors import InputError
from .instruments import find
from .table import ExposureSpec

log = logging.getLogger("fpho")
# Last words of the names of files that hold nothing else, or last but one (a band may follow).
ENDINGS = {
    **dict.fromkeys(("wht", "wgt", "weight", "weights", "wtmap", "wmap"), "weight"),
    **dict.fromkeys(("ivar", "invvar"), "ivar"),
    **dict.fromkeys(("var", "variance"), "variance"),
    **dict.fromkeys(("rms", "err", "error", "errors", "sigma", "unc"), "sigma"),
}


@contextmanager
def open_fits(path):
    """The extensions of a FITS file that a row of the table names, headers read."""
    with files.open_fits(path, table="the table of exposures") as hdus:
        try:
            for hdu in hdus:
                tuple(hdu.header.items())
        # what astropy raises for cards and structures that are damaged
        except (VerifyError, OSError, ValueError, TypeError, KeyError, IndexError) as error:
            found = f"a header that cannot be read ({error})"
            raise InputError(path, found, "The file is damaged: copy it again from its source") from None
        yield hdus


def image_hdu(hdus, extension, path):
    """The extension of an image by index, name, or name and EXTVER; none named: SCI, else the first."""
    if extension is None:
        found = [hdu for hdu in hdus if hdu.is_image and hdu.header.get("NAXIS")]
        hdu = next((hdu for hdu in found if hdu.name == "SCI"), found[0] if found else None)
        extension = hdu.name or hdus.index(hdu) if hdu is not None else None
    else:
        try:
            hdu = hdus[extension]
        except (KeyError, IndexError):
            hdu = None
    if hdu is None or not hdu.is_image or hdu.header.get("NAXIS") != 2:
        have = ", ".join(f"{i}: {one.name or 'unnamed'} {_shape(one)}" for i, one in enumerate(hdus))
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
    instrument = find(spec.reader, hdus[0].header)
    values = {"reader": instrument.name, "unc_path": spec.unc_path or spec.path, "sci_ext": spec.sci_ext}
    if spec.sci_ext is None and instrument.science in [hdu.name for hdu in hdus]:
        values["sci_ext"] = instrument.science
    version = _version(spec, values["sci_ext"], hdus)
    unc_ext, kinds = spec.unc_ext, instrument.uncertainties
    if unc_ext is None:
        unc_ext = _preferred(values["unc_path"], spec.path, hdus, kinds, version)
        if unc_ext is None and values["unc_path"] == spec.path:
            unc_ext = next(iter(kinds))  # never the science image itself; that it is missing is said later
    kind = spec.unc_kind or known_kind(unc_ext, values["unc_path"], kinds) or "sigma"
    values |= {"unc_ext": unc_ext, "unc_kind": kind}
    mask_ext, mask_path = spec.mask_ext, spec.mask_path or spec.path
    if mask_ext is None:
        mask_ext = _preferred(mask_path, spec.path, hdus, instrument.masks, version)
    if spec.mask_path is not None or mask_ext is not None:
        values |= {"mask_path": mask_path, "mask_ext": mask_ext}
    return replace(spec, **values)


def known_kind(extension, path, kinds) -> str | None:
    """Kind of uncertainty by the name of its extension, else by the end of its file's name; else None."""
    name = extension[0] if isinstance(extension, tuple) else extension
    if isinstance(name, str) and name.upper() in kinds:
        return kinds[name.upper()]
    stem = path.name.lower().removesuffix(".gz").removesuffix(".fz").removesuffix(".fits")
    last = stem.replace("-", "_").replace(".", "_").split("_")[:-3:-1]
    return next((ENDINGS[word] for word in last if word in ENDINGS), None)


def _version(spec, extension, hdus) -> int:
    """EXTVER of the science image: its companions have the same."""
    science = image_hdu(hdus, extension, spec.path)
    alike = [hdu.ver for hdu in hdus if hdu.name == science.name and hdu.is_image and hdu.name]
    if spec.sci_ext is None and len(alike) > 1:
        text = "holds %s of EXTVER %s: only the first is read; give each a row, with sci_ext = %s,2 and so on"
        log.warning(f"%s: {text}", spec.path, science.name, ", ".join(map(str, alike)), science.name)
    return science.ver


def _preferred(path, science, hdus, wanted, version):
    """The first of the wanted names that the file has, with EXTVER where that is not 1."""
    if path == science:
        have = [(hdu.name, hdu.ver) for hdu in hdus]
    else:
        with open_fits(path) as others:
            have = [(hdu.name, hdu.ver) for hdu in others]
    for name in wanted:
        versions = [one for known, one in have if known == name]
        if version in versions or (len(versions) == 1 and path != science):
            return name if len(versions) == 1 else (name, version)
        if versions:
            found = f"{name} of EXTVER {', '.join(map(str, versions))}, none of the science image's {version}"
            raise InputError(path, found, "Name the extension in the table, such as ERR,2")
    return None


def _shape(hdu) -> str:
    return "x".join(map(str, hdu.shape)) if hdu.is_image and hdu.header.get("NAXIS") else "without image"
