"""Values that mean `no data`: huge or vanishing errors, -99, exact zeros, and pixels that cannot be.

Masks are often left out where a value says the same: an RMS map of 1e10 or 1e30 outside the coverage
(SWarp, SExtractor, CANDELS), a science image of exactly 0 there or in a saturated core (JWST), -99 or 1e30.
"""

import logging

import numpy as np

from ..errors import InputError

log = logging.getLogger("fpho")
HUGE = 1e4  # times the smallest errors (1st percentile): a pixel of no weight
TINY = 1e-3  # times the median error: no noise of a detector
WILD = 1e8  # sigma; no pixel has such a S/N
SENTINELS = (0.0, *(sign * value for value in (99, 99.99, 999, 9999, 99999) for sign in (-1.0, 1.0)))
REPEATED = 4  # pixels with exactly that value
CONTINUOUS = 0.9  # part of the pixels with a value of their own, in an image that is not quantised
SAMPLE = 20_000
NOISY = 0.1  # sigma: neighbours of a real image differ by more
PLAUSIBLE = (1e-12, 1e15)  # nJy, the median error


def no_data(data: np.ndarray, sigma: np.ndarray, good: np.ndarray, where) -> np.ndarray:
    """Pixels (ny, nx) bool among the `good` ones whose value or error says that there is no data.

    data, sigma : (ny, nx), in the units of the file; said in the log, with the values that were met.
    """
    found = np.zeros(good.shape, bool)
    if not good.any():
        return found
    for bad, text in (
        (_huge(sigma, good), "errors so large that they mean no data"),
        (_tiny(sigma, good), "errors too small to be noise"),
    ):
        found |= _said(bad, sigma, text, where)
    left = good & ~found
    with np.errstate(over="ignore"):
        wild = left & (np.abs(data) > WILD * sigma)
        single = data.astype("f4")  # as files have it
    found |= _said(wild, data, f"values beyond {WILD:g} sigma", where)
    left &= ~wild
    suspect = left & np.isin(single, np.float32(SENTINELS))
    if np.count_nonzero(suspect) >= REPEATED and _is_noise(data, sigma, left & ~suspect):
        for value in np.unique(single[suspect]):
            same = suspect & (single == value)
            near = np.count_nonzero(left & (np.abs(data - value) < 0.01 * abs(value)))
            count = np.count_nonzero(same)
            if count >= REPEATED and 2 * count > near and not same.all():
                found |= _said(same, data, "a value repeated that means no data", where)
    return found


def require_plausible(sigma: np.ndarray, where) -> None:
    """Stop at calibrated errors (nJy per pixel) that no image has."""
    middle = float(np.median(sigma))
    if not PLAUSIBLE[0] <= middle <= PLAUSIBLE[1]:
        found = f"the noise of a pixel would be {middle:.3g} nJy"
        raise InputError(where, found, "Mend flux_scale, the calibration in the header or the uncertainties")


def _huge(sigma, good):
    return good & (sigma > HUGE * np.percentile(_thinned(sigma[good]), 1))


def _tiny(sigma, good):
    usual = good & ~_huge(sigma, good)
    return good & (sigma < TINY * np.median(_thinned(sigma[usual])))


def _is_noise(data, sigma, good) -> bool:
    """Whether the image holds noise that is not quantised, so that a repeated value means something."""
    values = _thinned(data[good], SAMPLE)
    if len(values) < 100 or len(np.unique(values)) < CONTINUOUS * len(values):
        return False
    pair = good[:, 1:] & good[:, :-1]
    steps = _thinned((np.abs(np.diff(data, axis=1)) / sigma[:, 1:])[pair], SAMPLE)
    return len(steps) > 0 and bool(np.median(steps) > NOISY)


def _thinned(values, most: int = 1_000_000):
    return values[:: max(1, len(values) // most)]


def _said(bad, values, text, where) -> np.ndarray:
    if bad.any():
        low, high = values[bad].min(), values[bad].max()
        met = f"{low:g}" if low == high else f"{low:g} to {high:g}"
        log.warning("%s: %d pixels of %s, %s: masked", where, np.count_nonzero(bad), met, text)
    return bad
