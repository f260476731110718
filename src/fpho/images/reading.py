"""From FITS files to exposures."""

import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..config import Preprocess
from ..errors import InputError
from .exposure import Exposure
from .noise import measure_noise_scale
from .table import ExposureSpec
from .units import flux_factor
from .wcs import asdf_bytes, best_wcs

DO_NOT_USE = 1  # bit of JWST's DQ


def read_exposure(spec: ExposureSpec, options: Preprocess | None = None) -> Exposure:
    """The image of a row of the table, in nJy per pixel.

    A pixel is masked where the data or the uncertainty are not finite, the uncertainty is zero or
    negative, or the mask has one of the bits of `options.bitmask`.
    """
    from astropy.io import fits

    options = options or Preprocess()
    with open_fits(spec.path) as hdus:
        spec = with_defaults(spec, hdus)
        science = image_hdu(hdus, spec.sci_ext, spec.path)
        header = science.header.copy()
        data = np.array(science.data, "f8")
        factor = _factor(spec, hdus, science, options)
        content = asdf_bytes(hdus)
        wcs = best_wcs(_distorted(header, hdus), content, data.shape, spec.path)
    sigma = _uncertainty(spec, data.shape)
    data, sigma = data * factor, sigma * factor
    if spec.background_path is not None:
        data = data - _plane(spec.background_path, spec.background_ext, data.shape, spec.path) * factor
    good = np.isfinite(data) & np.isfinite(sigma) & (sigma > 0) & ~_masked(spec, options, data.shape)
    ierr = np.zeros(data.shape, "f4")
    ierr[good] = 1 / sigma[good]
    data = np.where(good, data, 0.0)
    if not good.any():
        raise InputError(spec.path, "no good pixel is left", "Check the mask, its bits and the uncertainties")
    exposure = Exposure(
        id=spec.id,
        band=spec.band,
        kind=spec.kind,
        data=data.astype("f4"),
        ierr=ierr,
        wcs=wcs,
        header=fits.Header(header, copy=True),
        psf=spec.psf,
        gwcs=content if type(wcs).__name__ == "ExactWCS" else b"",
    )
    return cap_snr(scale_noise(exposure, options.noise_scale), options.max_snr)


def read_fits(path, sci_ext="SCI", unc_ext="ERR", band=None, kind="exposure", **more) -> Exposure:
    """A plain FITS file without a table: the band is its FILTER keyword, the id its name."""
    path = Path(path)
    with open_fits(path) as hdus:
        headers = [image_hdu(hdus, sci_ext, path).header, hdus[0].header]
        named = [header["FILTER"] for header in headers if "FILTER" in header]
    if band is None and not named:
        raise InputError(path, "no keyword FILTER", "Add it to the header, or use a table of exposures")
    spec = ExposureSpec(
        id=path.name.removesuffix(".gz").removesuffix(".fits"),
        band=band or named[0].strip(),
        path=path,
        kind=kind,
        sci_ext=sci_ext,
        unc_ext=unc_ext,
        **more,
    )
    return read_exposure(spec)


def scale_noise(exposure: Exposure, scale) -> Exposure:
    """Uncertainties multiplied by a factor, or by the one measured in blank pixels (`measure`)."""
    if scale == "measure":
        scale = measure_noise_scale(exposure.data, exposure.ierr)
    return replace(exposure, ierr=(exposure.ierr / scale).astype("f4"), noise_scale=float(scale))


def cap_snr(exposure: Exposure, max_snr: float | None) -> Exposure:
    """Uncertainties raised so that no pixel's S/N exceeds `max_snr`."""
    if max_snr is None:
        return exposure
    snr = np.abs(exposure.data) * exposure.ierr
    return replace(exposure, ierr=(exposure.ierr / np.maximum(snr / max_snr, 1)).astype("f4"))


def open_fits(path):
    """An open FITS file, or an error that says what is wrong with it."""
    from astropy.io import fits

    if not Path(path).is_file():
        raise InputError(path, "no such file", "Mend the path in the table of exposures")
    try:
        return fits.open(path, memmap=False)
    except OSError as error:
        raise InputError(path, f"not a FITS file ({error})", "Give a FITS image") from None


def image_hdu(hdus, extension, path):
    """The extension of an image by name or index; the first image where none is named."""
    if extension is None:
        names = [hdu.name for hdu in hdus]
        found = [hdu for hdu in hdus if hdu.is_image and hdu.header.get("NAXIS") == 2]
        hdu = hdus["SCI"] if "SCI" in names else (found[0] if found else None)
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


def with_defaults(spec: ExposureSpec, hdus) -> ExposureSpec:
    """The row with what the file itself tells: reader, extensions, kind of uncertainty."""
    names = [hdu.name for hdu in hdus]
    telescope = str(hdus[0].header.get("TELESCOP", "")).upper()
    reader = spec.reader
    if reader == "auto":
        reader = "jwst" if telescope == "JWST" else "hst" if telescope == "HST" else "generic"
    values = {"reader": reader}
    if spec.unc_path is None:
        values["unc_path"] = spec.path
        if spec.unc_ext is None:
            values["unc_ext"] = next((name for name in ("ERR", "WHT") if name in names), "ERR")
        weights = values.get("unc_ext", spec.unc_ext) == "WHT"
        values["unc_kind"] = spec.unc_kind or ("weight" if weights else "sigma")
    else:
        values["unc_kind"] = spec.unc_kind or "sigma"
    if spec.mask_path is None and (spec.mask_ext is not None or "DQ" in names):
        values.update(mask_path=spec.path, mask_ext=spec.mask_ext if spec.mask_ext is not None else "DQ")
    return replace(spec, **values)


def _distorted(header, hdus):
    """The science header; look-up distortions (D2IM, CPDIS) are named once and left out."""
    if any(key.startswith(("CPDIS", "D2IMDIS")) for key in header):
        header = header.copy()
        for key in [key for key in header if key.startswith(("CPDIS", "D2IM", "DP1", "DP2", "CPERR"))]:
            header.remove(key, remove_all=True, ignore_missing=True)
        warnings.warn(f"{hdus.filename()}: look-up table distortions are not applied", stacklevel=2)
    return header


def _factor(spec, hdus, science, options) -> float | np.ndarray:
    if spec.flux_scale is not None:
        return spec.flux_scale
    if not options.do_fluxcal:
        return 1.0
    factor = flux_factor((science.header, hdus[0].header), spec.path)
    if spec.reader == "jwst" and "AREA" in [hdu.name for hdu in hdus]:
        return factor * np.array(hdus["AREA"].data, "f8")
    return factor


def _uncertainty(spec, shape) -> np.ndarray:
    """Sigma in the image's units; not positive or not finite where there is none."""
    values = _plane(spec.unc_path, spec.unc_ext, shape, spec.path)
    with np.errstate(divide="ignore", invalid="ignore"):
        if spec.unc_kind == "variance":
            return np.sqrt(values)
        if spec.unc_kind in ("ivar", "weight"):
            return 1 / np.sqrt(values)
    return values


def _masked(spec, options, shape) -> np.ndarray:
    if spec.mask_path is None:
        return np.zeros(shape, bool)
    bits = _plane(spec.mask_path, spec.mask_ext, shape, spec.path).astype("i8")
    wanted = options.bitmask
    if wanted == -1:
        wanted = DO_NOT_USE if spec.reader == "jwst" else -1
    return (bits & wanted) != 0


def _plane(path, extension, shape, science) -> np.ndarray:
    """Another image of the same pixels, float64."""
    with open_fits(path) as hdus:
        plane = np.array(image_hdu(hdus, extension, path).data, "f8")
    if plane.shape != shape:
        found = f"its shape {plane.shape} is not that of {science}, {shape}"
        raise InputError(path, found, "Give a file on the same pixels")
    return plane
