"""Cut-outs of one galaxy with known truth, drawn by GalSim."""

from dataclasses import dataclass

import galsim
import numpy as np
from astropy.wcs import WCS

TRUTH = {"rhalf_major": 0.32, "sersic": 1.5, "axis_ratio": 0.6, "position_angle": 35.0}
FLUX = {"F200W": 3000.0, "F444W": 6000.0}  # nJy
SCALE = {"F200W": 0.04, "F444W": 0.06}  # arcsec
FWHM = {"F200W": 0.11, "F444W": 0.17}  # arcsec
NOISE = 1.5  # nJy per pixel
PLACE = 150.1, 2.2
OFF = 0.021, -0.013  # arcsec east, north of the middle


@dataclass(frozen=True)
class CutOut:
    """An image (ny, nx) in nJy, its WCS and its PSF, native samples with the pixel in it."""

    image: np.ndarray
    wcs: WCS
    psf: np.ndarray


def wcs_of(scale: float, size: int) -> WCS:
    """North up, east left."""
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = "RA---TAN", "DEC--TAN"
    wcs.wcs.crval = PLACE
    wcs.wcs.crpix = (size + 1) / 2, (size + 1) / 2
    wcs.wcs.cdelt = -scale / 3600, scale / 3600
    return wcs


def galaxy(band: str, seed: int = 7) -> CutOut:
    """The galaxy in a band."""
    scale = SCALE[band]
    size = int(3.6 / scale) // 2 * 2 + 1
    q = TRUTH["axis_ratio"]
    profile = galsim.Sersic(
        TRUTH["sersic"], half_light_radius=TRUTH["rhalf_major"] * np.sqrt(q), flux=FLUX[band]
    )
    # in pixels east is to the left: an angle east of north is counter-clockwise from the y axis
    profile = profile.shear(q=q, beta=(90 + TRUTH["position_angle"]) * galsim.degrees).shift(-OFF[0], OFF[1])
    psf = galsim.Gaussian(fwhm=FWHM[band])
    image = galsim.Convolve(profile, psf).drawImage(nx=size, ny=size, scale=scale).array.astype("f8")
    image += np.random.default_rng(seed).normal(0, NOISE, image.shape)
    return CutOut(image, wcs_of(scale, size), psf.drawImage(nx=31, ny=31, scale=scale).array.astype("f8"))
