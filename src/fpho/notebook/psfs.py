"""PSFs as people have them in a notebook, to files and rows of a table of PSF images."""

from pathlib import Path

import h5py
import numpy as np
from astropy.io import fits

from ..errors import InputError
from ..psf.readers import DETECTOR, OVERSAMPLED
from ..psf.source import BAND
from .images import is_path

RESPONSES = ("included", "not_included")
SAMPLES, WIDTHS = 4, 8  # samples per pixel of a PSF given as a formula, and the stamp's half-width in FWHM


def row_of(key: str, psf, band: str, oversample, response: str, folder: Path) -> dict:
    """Cells of the table of PSF images; what is in memory is written into `folder`.

    Raises
    ------
    InputError
        For what is none of the kinds of PSFs.
    """
    if response not in RESPONSES:
        cure = "Say whether the detector's pixel is in the PSF: `included` or `not_included`"
        raise InputError("psf_pixel", repr(response), cure)
    if oversample is not None and not (isinstance(oversample, int | float | np.number) and oversample > 0):
        raise InputError("psf_oversample", repr(oversample), "Give samples per pixel, above 0")
    row = {"key": key, "filter": band if BAND.fullmatch(band) else None, "oversample": oversample}
    path = folder / f"{key}.fits"
    if hasattr(psf, "calc_psf"):  # an instrument of stpsf or webbpsf
        psf = psf.calc_psf(oversample=int(oversample or SAMPLES))
    if isinstance(psf, fits.HDUList):
        psf.writeto(path)
        psf = path
    if is_path(psf):
        path = Path(psf).absolute()
        form = _format(path)
        row |= {"pixel_response": response if form == "fits" else None}
        return row | {"path": path, "format": form}
    data, hdus, samples = _samples(psf, oversample)
    if samples:
        row["oversample"] = samples
    if hasattr(psf, "evaluate") and not _is_image(psf):
        response = "included" if type(psf).__name__.endswith("PRF") else "not_included"
    fits.HDUList([fits.PrimaryHDU(data), *hdus]).writeto(path)
    return row | {"path": path, "format": "gridded" if hdus else "fits", "pixel_response": response}


def is_store(psf) -> bool:
    """Whether a value is the path of a PSF store of fpho, which holds all PSFs of the images."""
    return is_path(psf) and h5py.is_hdf5(psf)


def _format(path: Path) -> str:
    """Format of a file, by what is in it; what cannot be read is for the reader to say."""
    if path.suffix == ".psf":
        return "psfex"
    try:
        with fits.open(path) as hdus:
            names = {hdu.name for hdu in hdus}
            if "PSF_DATA" in names:
                return "psfex"
            if names & {*OVERSAMPLED, *DETECTOR} or "DET_SAMP" in hdus[0].header:
                return "stpsf"
            cube = next((hdu for hdu in hdus if hdu.is_image and hdu.header.get("NAXIS", 0) > 2), None)
            return "gridded" if cube is not None and cube.shape[0] > 1 else "fits"
    except OSError:
        return "fits"


def _samples(psf, oversample):
    """(array, further extensions, samples per pixel that the object itself states) of a PSF in memory."""
    if isinstance(psf, np.ndarray):
        if psf.ndim != 2 or psf.dtype.kind not in "fiu":
            cure = "Give numbers (ny, nx), or a photutils GriddedPSFModel for several positions"
            raise InputError("psf", f"an array of shape {psf.shape} and type {psf.dtype}", cure)
        return np.asarray(psf, "f8"), [], None
    if _is_image(psf):
        steps = np.unique(np.asarray(psf.oversampling, "f8"))
        if len(steps) > 1:
            raise InputError("psf", f"oversampling {steps} differs by axis", "Give the same for both")
        places = getattr(psf, "grid_xypos", None)
        hdus = [] if places is None else [fits.ImageHDU(np.asarray(places, "f8"), name="GRID_XYPOS")]
        return np.asarray(psf.data, "f8"), hdus, float(steps[0])
    if callable(psf) and hasattr(psf, "x_0") and hasattr(psf, "y_0"):  # a model of astropy
        return _drawn(psf, float(oversample or SAMPLES)), [], float(oversample or SAMPLES)
    found = f"an object of type {type(psf).__name__}"
    cure = "Give an array, a path, a photutils model, or an stpsf instrument (or what its calc_psf gives)"
    raise InputError("psf", found, cure)


def _is_image(psf) -> bool:
    return hasattr(psf, "data") and hasattr(psf, "oversampling")


def _drawn(model, samples: float) -> np.ndarray:
    """Samples of a formula about its middle, far enough out that hardly any light is missing."""
    model = model.copy()
    model.x_0, model.y_0 = 0.0, 0.0
    if hasattr(model, "flux"):
        model.flux = 1.0
    widths = [getattr(model, name, 0.0) for name in ("fwhm", "x_fwhm", "y_fwhm")]
    fwhm = max(float(getattr(width, "value", width)) for width in widths)
    if not fwhm > 0:
        found = f"{type(model).__name__} has no fwhm"
        raise InputError("psf", found, "Give an array of its samples and psf_oversample")
    half = int(np.ceil(max(WIDTHS * fwhm, 5.0) * samples))
    y, x = np.mgrid[-half : half + 1, -half : half + 1] / samples
    return np.asarray(model(x, y), "f8") / samples**2  # the sum is the light within
