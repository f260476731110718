"""PSFs and WCSs of simulated cameras.

A simulated PSF is its image: an optical or Moffat model is drawn on oversampled pixels, tapered at its
edge and normalised, and the truth is drawn through the interpolated image. What a user would get from
a PSF file is so exactly the PSF of the exposures, wings and total flux included.
"""

import numpy as np

TAPER = 0.85  # of the half-width: where the smooth fall to zero at the edge begins


def make_wcs(ra, dec, pixel_scale, shape, rotation=0.0, offset=(0.0, 0.0)):
    """TAN WCS (astropy) with (ra, dec) + offset in the middle of an image of `shape` (ny, nx).

    Parameters
    ----------
    ra, dec : degrees. pixel_scale : arcsec. offset : (east, north) in arcsec of the image's centre.
    rotation : degrees, from north to east, of the detector's y axis.
    """
    from astropy.wcs import WCS

    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.cunit = ["deg", "deg"]
    wcs.wcs.crval = [ra + offset[0] / 3600 / np.cos(np.radians(dec)), dec + offset[1] / 3600]
    wcs.wcs.crpix = [(shape[1] + 1) / 2, (shape[0] + 1) / 2]
    c, s = np.cos(np.radians(rotation)), np.sin(np.radians(rotation))
    wcs.wcs.cd = np.array([[-c, s], [s, c]]) * pixel_scale / 3600
    wcs.wcs.set()
    return wcs


def optical_psf(
    wavelength,
    diameter,
    pixel_scale,
    rotation=0.0,
    jitter=0.02,
    obscuration=0.2,
    struts=4,
    thickness=0.02,
    **aberrations,
):
    """Telescope with central obscuration and struts, GalSim object in detector pixels.

    Parameters
    ----------
    wavelength : micron. diameter : m. pixel_scale : arcsec. rotation : degrees, of the struts.
    jitter : arcsec, sigma of a Gaussian (pointing, charge diffusion). obscuration, thickness (of struts) : of
    the diameter.
    aberrations : `defocus`, `coma1`, `astig1` ... in waves, as in `galsim.OpticalPSF`.
    """
    import galsim

    optics = galsim.OpticalPSF(
        lam=wavelength * 1e3,
        diam=diameter,
        obscuration=obscuration,
        nstruts=struts,
        strut_thick=thickness,
        strut_angle=rotation * galsim.degrees,
        **aberrations,
    )
    return galsim.Convolve(optics, galsim.Gaussian(sigma=jitter)).dilate(1 / pixel_scale)


def moffat_psf(fwhm, pixel_scale, beta=3.0, e1=0.0, e2=0.0):
    """Moffat PSF, GalSim object in detector pixels; fwhm and pixel_scale in arcsec."""
    import galsim

    return galsim.Moffat(beta=beta, fwhm=fwhm).shear(g1=e1, g2=e2).dilate(1 / pixel_scale)


def psf_image(psf, oversample: int, size: int, pixel_response: bool, taper: bool = True) -> np.ndarray:
    """Image of a PSF, (size, size) with size odd, centred, sum 1.

    Parameters
    ----------
    psf : GalSim object in detector pixels, without the pixel. oversample : samples per detector pixel.
    pixel_response : convolve with the square detector pixel first.
    taper : let it fall smoothly to zero at the edge; not for a PSF that already ends inside the image.
    """
    import galsim

    effective = galsim.Convolve(psf, galsim.Pixel(1.0)) if pixel_response else psf
    image = effective.drawImage(nx=size, ny=size, scale=1 / oversample, method="no_pixel", dtype=float).array
    if taper:
        radius = np.hypot(*(np.indices(image.shape) - size // 2)) / (size // 2)
        edge = np.clip((radius - TAPER) / (1 - TAPER), 0, 1)
        image = image * 0.5 * (1 + np.cos(np.pi * edge))
    return image / image.sum()


def psf_from_image(image: np.ndarray, oversample: int):
    """GalSim object in detector pixels, flux 1, interpolated from an image without the pixel response."""
    import galsim

    return galsim.InterpolatedImage(
        galsim.Image(np.ascontiguousarray(image, dtype="f8")),
        scale=1 / oversample,
        flux=1.0,
        x_interpolant="lanczos7",
        normalization="sb",
    )
