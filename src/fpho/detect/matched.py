"""Matched filter: the flux of a point source at every pixel of an image, with what that takes.

With residual r, weight w and PSF P the best flux at a position is sum(w r P) / sum(w P^2), with variance
1 / sum(w P^2). The two sums add up over exposures and bands. The same filter on the model of the known
sources says how much flux of theirs a source there would have to be told from.
"""

from dataclasses import dataclass

import numpy as np

from ..psf.mixture import evaluate

MAX_HALF = 60  # pixels
MIN_HALF = 3


@dataclass(frozen=True)
class Maps:
    """Sums of a part of an exposure, each (ny, nx) float32."""

    total: np.ndarray  # sum of w r P, nJy^-1
    norm: np.ndarray  # sum of w P^2, nJy^-2
    known: np.ndarray  # sum of w m P, nJy^-1: the model of known sources m in place of r


def filter_exposure(exposure, model: np.ndarray, mixture: np.ndarray, cut) -> Maps:
    """Matched-filter sums of a part of an exposure, less the model (ny, nx) of known sources.

    mixture : (J, 6), the PSF there. cut : (rows, columns) of the part, edges of `half_size` included.
    """
    stamp = psf_stamp(mixture)
    weight = exposure.ierr[cut].astype("f8") ** 2
    return Maps(
        _correlate(weight * (exposure.data[cut] - model[cut]), stamp),
        np.maximum(_correlate(weight, stamp**2), 0),
        _correlate(weight * np.abs(model[cut]), stamp),
    )


def psf_stamp(mixture: np.ndarray) -> np.ndarray:
    """PSF (2 h + 1, 2 h + 1) of a source on the central pixel, with h its `half_size`."""
    half = half_size(mixture)
    y, x = np.mgrid[-half : half + 1, -half : half + 1].astype("f8")
    return evaluate(mixture, x, y)


def core_variance(mixture: np.ndarray) -> float:
    """Variance (pixel^2) of the round Gaussian with the same noise-equivalent area as the PSF.

    sum P^2 = 1 / (4 pi variance); exact for a mixture, whose products are Gaussians again.
    """
    total = 0.0
    for one in mixture:
        pair = mixture.copy()
        pair[:, 0] *= one[0]
        pair[:, 3:] += one[3:]
        total += float(evaluate(pair, one[1], one[2]))
    return 1 / (4 * np.pi * total)


def half_size(mixture: np.ndarray) -> int:
    """Half-size in pixels of a stamp that holds what the filter needs: five sigma of the core."""
    return int(np.clip(np.ceil(5 * np.sqrt(core_variance(mixture))), MIN_HALF, MAX_HALF))


def _correlate(image, stamp) -> np.ndarray:
    from scipy import signal  # half a second to import

    return signal.oaconvolve(image, stamp[::-1, ::-1], mode="same").astype("f4")
