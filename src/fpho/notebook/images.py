"""Images as people have them in a notebook, to files and rows of a table of exposures."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy import units
from astropy.io import fits
from astropy.wcs import WCS

from ..errors import InputError
from ..images import Exposure

UNIT = units.nJy
KINDS = {"std": "sigma", "var": "variance", "ivar": "ivar"}  # of astropy's uncertainties, and ours
POWERS = {"sigma": 1, "variance": 2, "ivar": -2}
MADE_UP = 180.0, 0.0  # ra, dec (deg) of the middle of images that do not say where they are


@dataclass(frozen=True)
class Given:
    """What is said of one image."""

    id: str
    band: str
    image: object
    error: object = None
    mask: object = None
    wcs: object = None
    pixel_scale: object = None

    @property
    def where(self) -> str:
        """How errors name it."""
        return f"image {self.id}"


@dataclass(frozen=True)
class Planes:
    """An image as arrays of one shape (ny, nx); `unit` as FITS spells it; `kind` of the error."""

    data: np.ndarray
    unit: str
    error: np.ndarray
    kind: str
    mask: np.ndarray | None
    header: fits.Header  # WCS


def band_of(image) -> str | None:
    """The band that an image itself names: an exposure's, or FILTER in the header."""
    if isinstance(image, Exposure):
        return image.band
    header = {}
    if is_path(image) and Path(image).is_file():
        with fits.open(image) as hdus:
            header = {**hdus[0].header, **next((h.header for h in hdus if h.name == "SCI"), {})}
    elif is_nddata(image):
        header = image.meta
    name = str(header.get("FILTER") or "").strip()
    return name or None


def is_path(value) -> bool:
    """Whether a value names a file."""
    return isinstance(value, str | os.PathLike)


def is_nddata(value) -> bool:
    """Whether a value is astropy's NDData, which is imported only where someone has one."""
    nddata = sys.modules.get("astropy.nddata")
    return nddata is not None and isinstance(value, nddata.NDData)


def row_of(given: Given, folder: Path) -> dict:
    """Cells of the table of exposures; what is in memory is written into `folder`."""
    row = {"id": given.id, "band": given.band}
    if is_path(given.image):
        return row | _row_of_path(given, folder)
    path = folder / f"{given.id}.fits"
    planes = planes_of(given)
    hdus = [fits.PrimaryHDU(), fits.ImageHDU(planes.data, planes.header, name="SCI")]
    hdus[1].header["BUNIT"] = planes.unit
    hdus.append(fits.ImageHDU(planes.error, name="ERR"))
    row |= {"path": path, "sci_ext": "SCI", "unc_ext": "ERR", "unc_kind": planes.kind}
    if planes.mask is not None:
        hdus.append(fits.ImageHDU(planes.mask.astype("u1"), name="MASK"))
        row["mask_ext"] = "MASK"
    fits.HDUList(hdus).writeto(path)
    return row


def _row_of_path(given: Given, folder: Path) -> dict:
    if given.wcs is not None or given.pixel_scale is not None:
        found = "wcs or pixel_scale beside the path of a file"
        raise InputError(given.where, found, "Leave them out (the file's own is used), or give the array")
    row = {"path": Path(given.image).absolute()}
    for name, value in (("unc", given.error), ("mask", given.mask)):
        if is_path(value):
            row[f"{name}_path"] = Path(value).absolute()
        elif value is not None:
            plane = np.asarray(value, "f4" if name == "unc" else "u1")
            if plane.ndim != 2:
                cure = "Give an array (ny, nx), or the path of a file"
                raise InputError(given.where, f"error or mask has shape {plane.shape}", cure)
            row[f"{name}_path"] = folder / f"{given.id}_{name}.fits"
            fits.PrimaryHDU(plane).writeto(row[f"{name}_path"])
            row |= {"unc_kind": "sigma"} if name == "unc" else {}
    return row


def planes_of(given: Given) -> Planes:
    """Arrays of an image in memory.

    Raises
    ------
    InputError
        For shapes that differ, units that are none of a flux density, no error, no pixel scale.
    """
    image, error, mask, wcs, kind = given.image, given.error, given.mask, given.wcs, "sigma"
    if isinstance(image, Exposure):
        bad = image.ierr == 0
        sigma = np.divide(1.0, image.ierr, out=np.ones(image.data.shape, "f8"), where=~bad)
        return Planes(image.data, "nJy", sigma, "sigma", bad, _cards(image.header))
    if is_nddata(image):
        error, kind = (image.uncertainty, "") if error is None else (error, kind)
        mask = image.mask if mask is None else mask
        wcs = image.wcs if wcs is None else wcs
        image = units.Quantity(image.data, image.unit) if image.unit is not None else image.data
    if hasattr(error, "uncertainty_type") or kind == "":
        error, kind = _uncertainty(given, error)
    data, unit = _with_unit(given, image)
    data = _two_dimensional(given, data, "image")
    if error is None:
        cure = "Give error: sigma of each pixel, or one number for all (`variance` as NDData's uncertainty)"
        raise InputError(given.where, "no error", cure)
    error = _in_unit(given, error, unit, POWERS[kind])
    error = np.broadcast_to(error, data.shape) if np.ndim(error) == 0 else error
    planes = {"error": error, "mask": None if mask is None else np.asarray(mask, bool)}
    for name, plane in planes.items():
        if plane is not None and plane.shape != data.shape:
            found = f"{name} has shape {plane.shape}, and the image {data.shape}"
            raise InputError(given.where, found, "Give arrays of one shape")
    header = _header(given, wcs, data.shape)
    return Planes(data, unit.to_string("fits"), np.array(error), kind, planes["mask"], header)


def _uncertainty(given: Given, error):
    """(array or Quantity, kind) of astropy's uncertainties; (None, sigma) where there is none."""
    if error is None:
        return None, "sigma"
    if error.uncertainty_type not in KINDS:
        found = f"an uncertainty of type {type(error).__name__}"
        cure = "Give a StdDevUncertainty, VarianceUncertainty or InverseVariance"
        raise InputError(given.where, found, cure)
    quantity = error.array if error.unit is None else units.Quantity(error.array, error.unit)
    return quantity, KINDS[error.uncertainty_type]


def _with_unit(given: Given, image) -> tuple[np.ndarray, units.UnitBase]:
    """(array, unit): plain numbers are nJy per pixel."""
    unit = getattr(image, "unit", None)
    if unit is None:
        return np.asarray(image), UNIT
    linear = isinstance(unit, units.UnitBase)  # magnitudes and other logarithms are no such
    if not linear or not (unit.is_equivalent(UNIT) or unit.is_equivalent(UNIT / units.sr)):
        found = f"the unit {unit}, none of a flux density"
        cure = "Multiply by nJy per unit of the image, or by the flux density of zero magnitude in it"
        raise InputError(given.where, found, cure)
    return np.asarray(image.value), unit


def _in_unit(given: Given, value, unit, power: int) -> np.ndarray:
    """Numbers of an error in the image's unit to a power."""
    if getattr(value, "unit", None) is None:
        try:
            return np.asarray(value, "f8")
        except (TypeError, ValueError):
            found = f"error is a {type(value).__name__}, beside an image in memory"
            cure = "Give sigma of each pixel (ny, nx), or one number for all"
            raise InputError(given.where, found, cure) from None
    try:
        return np.asarray(value.to_value(unit**power), "f8")
    except units.UnitConversionError:
        found = f"the error's unit is {value.unit}, and the image's {unit}"
        raise InputError(given.where, found, "Give both in units of a flux density") from None


def _two_dimensional(given: Given, data, name: str) -> np.ndarray:
    if data.ndim != 2 or data.dtype.kind not in "fiu":
        found = f"{name} is an array of shape {data.shape} and type {data.dtype}"
        raise InputError(
            given.where, found, "Give numbers (ny, nx); several images as a list, or a dict by band"
        )
    return data if data.dtype.kind == "f" else data.astype("f4")


def _header(given: Given, wcs, shape) -> fits.Header:
    """Cards of the WCS, given or made up."""
    scale = given.pixel_scale
    if wcs is not None and scale is not None:
        raise InputError(given.where, "both wcs and pixel_scale", "Give one of them")
    if wcs is None and scale is None:
        cure = "Give wcs (astropy.wcs.WCS or a header), or pixel_scale in arcsec"
        raise InputError(given.where, "nothing says how large a pixel is", cure)
    if wcs is None:
        return _made_up(given, scale, shape)
    if isinstance(wcs, fits.Header):
        return _cards(wcs)
    if not isinstance(wcs, WCS):
        cure = "Give an astropy.wcs.WCS (such as WCS(gwcs.to_fits_sip())), or the path of the file"
        raise InputError(given.where, f"a wcs of type {type(wcs).__name__}", cure)
    return wcs.celestial.to_header(relax=True)


def _made_up(given: Given, scale, shape) -> fits.Header:
    """North up, east left, the middle of the image at MADE_UP, so that images of one middle fit together."""
    try:
        arcsec = float(units.Quantity(scale, units.arcsec).value) if np.ndim(scale) == 0 else np.nan
    except (TypeError, ValueError, units.UnitsError):
        arcsec = np.nan
    if not 0 < arcsec < 3600:
        raise InputError(given.where, f"pixel_scale is {scale}", "Give arcsec per pixel, above 0")
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = "RA---TAN", "DEC--TAN"
    wcs.wcs.crval = MADE_UP
    wcs.wcs.crpix = (shape[1] + 1) / 2, (shape[0] + 1) / 2
    wcs.wcs.cdelt = -arcsec / 3600, arcsec / 3600
    return wcs.to_header()


def _cards(header) -> fits.Header:
    """A header that an extension of floats can have."""
    from ..products.images import wcs_cards

    return wcs_cards(header)
