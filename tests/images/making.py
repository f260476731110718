"""FITS files for the tests of readers."""

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS

RA, DEC, SCALE = 53.1, -27.8, 0.05


def header(shape=(40, 50), **keywords) -> fits.Header:
    wcs = WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.crval = ["RA---TAN", "DEC--TAN"], [RA, DEC]
    wcs.wcs.crpix = [(shape[1] + 1) / 2, (shape[0] + 1) / 2]
    wcs.wcs.cd = SCALE / 3600 * np.diag([-1.0, 1.0])
    made = wcs.to_header()
    made.update(keywords)
    return made


def write(path, primary=None, **planes):
    """Extensions by name, each an array or (array, header)."""
    hdus = [fits.PrimaryHDU(header=fits.Header(primary or {}))]
    for name, content in planes.items():
        data, head = content if isinstance(content, tuple) else (content, None)
        hdus.append(fits.ImageHDU(data, head, name=name))
    fits.HDUList(hdus).writeto(path, overwrite=True)
    return path
