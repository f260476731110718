"""How wide the PSFs of a run's images are on the sky."""

import numpy as np

from ..geometry import linearize
from .matched import core_variance

FWHM = 2 * np.sqrt(2 * np.log(2))  # of a Gaussian, in units of its sigma


def widest_psf(stores, psfstore, bands, interpolation="nearest") -> float:
    """FWHM (arcsec) of the core of the widest PSF in images of `bands`, at their middles; 0 without any."""
    widths = [0.0]
    for store in stores:
        for name in (name for name in store.ids if store.band(name) in bands):
            ny, nx = store.shape(name)
            middle, wcs = ((nx - 1) / 2, (ny - 1) / 2), store.wcs(name)
            ra, dec = wcs.pixel_to_world_values(*middle)
            scale = linearize(wcs, np.atleast_1d(ra), np.atleast_1d(dec))[1][0]
            key = psfstore.resolve(name, store.band(name), store.psf(name))
            variance = core_variance(psfstore.mixture(key, *middle, interpolation))
            widths.append(FWHM * np.sqrt(variance / abs(np.linalg.det(scale))))
    return float(max(widths))
