"""Images in the layout of JWST's pipeline, as its `_cal` files have it."""

import numpy as np

from ..files import atomic

SQUARE_DEGREE = (np.pi / 180) ** 2  # sr
NJY_PER_MJY = 1e15
LONG = 0.04  # arcsec: larger pixels are those of NIRCam's long-wavelength detectors


def cal_name(program: int, visit: int, number: int, pixel_scale: float) -> str:
    """Name of a file: of an exposure (from 1) of a visit (from 1) of a program."""
    detector = "along" if pixel_scale > LONG else "a1"
    return f"jw{program:05d}001001_{visit:02d}101_{number:05d}_nrc{detector}_cal.fits"


def write_cal(path, image, noise, wcs, band: str) -> None:
    """SCI and ERR in MJy/sr, DQ of 32 bits, PIXAR_SR, and the keywords by which NIRCam is known.

    image : (ny, nx), nJy per pixel. noise : sigma, a number or an array like it.
    """
    from astropy.io import fits
    from astropy.wcs.utils import proj_plane_pixel_area

    sr = proj_plane_pixel_area(wcs) * SQUARE_DEGREE
    factor = 1 / (NJY_PER_MJY * sr)
    header = wcs.to_header(relax=True)
    header["BUNIT"], header["PIXAR_SR"] = "MJy/sr", sr
    sigma = np.broadcast_to(np.asarray(noise * factor, "f4"), image.shape)
    layers = {"SCI": (image * factor).astype("f4"), "ERR": sigma, "DQ": np.zeros(image.shape, "u4")}
    primary = fits.PrimaryHDU()
    primary.header.update({"TELESCOP": "JWST", "INSTRUME": "NIRCAM", "FILTER": band})
    primary.header.update({"PUPIL": "CLEAR", "EXP_TYPE": "NRC_IMAGE"})
    hdus = [fits.ImageHDU(data, header if name == "SCI" else None, name) for name, data in layers.items()]
    with atomic(path, seal=True) as temporary:
        fits.HDUList([primary, *hdus]).writeto(temporary, overwrite=True)
