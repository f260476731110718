"""How significant light is, at each pixel of a tile of the sky, in all bands together.

The matched-filter image of each band is one of S/N. Their chi-square image (Szalay, Connolly & Szokoly 1999,
AJ 117, 68), of positive values alone, finds sources of any colour. It is given as the deviate of a normal
distribution that is exceeded as rarely as this chi-square is by noise, so that a threshold means the same
whatever the number of bands.
"""

from functools import cache

import numpy as np
from scipy import special

from ..robust import SIGMA_OF_MAD
from .grid import cut_out, resample
from .matched import filter_exposure, half_size

COVERED = 1e-6  # of the largest weight: less is the edge of an image
BLANK = 0.1  # of the noise's variance: where known sources' light matters less than that
LARGEST = 35.0  # root of chi-square up to which probabilities are finite numbers


def significance(tile, exposures, models, psfs, bands, model_error: float) -> np.ndarray:
    """Significance (ny, nx) of a point source at each pixel of a tile, in sigma.

    Parameters
    ----------
    psfs : of each exposure, a function of (x, y) that gives its PSF (J, 6)
    bands : those that are added up; exposures of others are left out
    model_error : part of the known sources' light that `models` may be wrong by, at any place
    """
    sums = {band: np.zeros((3, *tile.shape)) for band in bands}
    for exposure, model, psf in zip(exposures, models, psfs, strict=True):
        if exposure.band in sums:
            _add(sums[exposure.band], tile, exposure, model, psf)
    chi2, seen, known = np.zeros(tile.shape), np.zeros(tile.shape, int), np.zeros(tile.shape)
    for total, norm, light in sums.values():
        covered = norm > COVERED * norm.max()
        snr, systematic = _signal(total, norm, model_error * light, covered)
        chi2 += np.maximum(snr, 0) ** 2
        known += systematic**2
        seen += covered
    return deviate(np.sqrt(chi2), seen) / np.sqrt(1 + known)


def deviate(chi: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Normal deviate as rare as the root of a sum of squared positive deviates of `seen` bands; 0 of none."""
    out = np.zeros(np.shape(chi))
    for n in np.unique(seen[seen > 0]):
        here = seen == n
        at, value = _table(int(n))
        beyond = np.maximum(chi[here] - LARGEST, 0)
        out[here] = np.interp(chi[here], at, value) + beyond
    return out


@cache
def _table(n: int):
    """Root of chi-square and normal deviate: chi-bar-square with binomial weights."""
    at = np.linspace(0, LARGEST, 701)
    k = np.arange(1, n + 1)
    rare = special.chdtrc(k, at[:, None] ** 2) @ (special.comb(n, k) * 0.5**n)
    return at, -special.ndtri(rare)


def _add(sums, tile, exposure, model, psf) -> None:
    """Matched-filter sums of an exposure onto those of its band (3, ny, nx), in place."""
    x, y = tile.positions(exposure)
    cut = cut_out(x, y, exposure.data.shape, 2)
    if cut is None:
        return
    mixture = psf(*(0.5 * (part.start + part.stop - 1) for part in reversed(cut)))
    cut = cut_out(x, y, exposure.data.shape, 2 + half_size(mixture))
    maps = filter_exposure(exposure, model, mixture, cut)
    x, y = x - cut[1].start, y - cut[0].start
    sums[0] += resample(maps.total, x, y, 3)
    sums[1] += np.maximum(resample(maps.norm, x, y, 1), 0)
    sums[2] += np.maximum(resample(maps.known, x, y, 1), 0)


def _signal(total, norm, light, covered):
    """(S/N, systematic error in units of the noise), each (ny, nx).

    Noise is scaled up where the blank sky scatters by more than its errors say (it is correlated): by how
    far its negative side reaches, which sources do not touch.
    """
    root = np.sqrt(np.where(covered, norm, 1.0))
    snr, systematic = (np.where(covered, values / root, 0.0) for values in (total, light))
    below = snr[covered & (systematic**2 < BLANK) & (snr < 0)]
    scatter = SIGMA_OF_MAD * np.median(-below) if below.size else 1.0
    scale = max(1.0, scatter)
    return snr / scale, systematic / scale
