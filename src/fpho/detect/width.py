"""How wide the PSFs of a run's images are on the sky."""

import numpy as np

from ..geometry import linearize
from .matched import core_variance

FWHM = 2 * np.sqrt(2 * np.log(2))  # of a Gaussian, in units of its sigma


def widest_core(stores, psfstore, bands, interpolation="nearest") -> float:
    """FWHM (arcsec) of the core of the widest PSF in images of `bands`, at their middles; 0 without any."""
    widths = [0.0]
    for store in stores:
        for name in (name for name in store.ids if store.band(name) in bands):
            key = psfstore.resolve(name, store.band(name), store.psf(name))
            sigma = _core(store.wcs(name), store.shape(name), key, psfstore, interpolation)
            widths.append(FWHM * sigma)
    return float(max(widths))


def core_sizes(exposures, psfstore, interpolation="nearest") -> np.ndarray:
    """Sigma (E,) in arcsec of the PSF's core in the middle of each image."""
    sizes = []
    for one in exposures:
        key = psfstore.resolve(one.id, one.band, one.psf)
        sizes.append(_core(one.wcs, one.data.shape, key, psfstore, interpolation))
    return np.array(sizes)


def _core(wcs, shape, key, psfstore, interpolation) -> float:
    middle = (shape[1] - 1) / 2, (shape[0] - 1) / 2
    ra, dec = wcs.pixel_to_world_values(*middle)
    scale = linearize(wcs, np.atleast_1d(ra), np.atleast_1d(dec))[1][0]
    variance = core_variance(psfstore.mixture(key, *middle, interpolation))
    return float(np.sqrt(variance / abs(np.linalg.det(scale))))
