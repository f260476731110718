"""The sky that was subtracted, as one of the things that are uncertain beside a patch's sources.

The constant of each exposure is measured beside the sources and taken off before they are fitted. In a large
image it is known to a thousandth of a pixel's noise, and nothing changes; in a small one, or for a source of
thousands of pixels, it counts.
"""

import numpy as np

from ..background.table import rows_by_exposure


def sky_errors(tweakbg, exposures) -> np.ndarray:
    """(E,) standard deviations in nJy/pixel of the sky of named exposures; 0 where no table knows them.

    A sky that was measured and, not being significant, left in is uncertain by its value, too.
    """
    known = {} if tweakbg is None else rows_by_exposure(tweakbg)
    rows = [known.get(name) for name in exposures]
    left = [0.0 if row is None or row["used"] else float(row["constant"]) for row in rows]
    errors = np.array([0.0 if row is None else float(row["error"]) for row in rows])
    return np.where(np.isfinite(errors), np.hypot(errors, left), 0.0)


def sky_slopes(model, slopes, errors) -> np.ndarray:
    """J^t W 1 (ndim, E) for one standard deviation (E,) of each exposure's sky.

    slopes : (ndim, E) of `Posterior.fisher_and_sky`

    No columns (ndim, 0) where the sky is fitted with the sources, or no error is known.
    """
    if model.in_fit_background or not np.any(errors > 0):
        return np.zeros((model.ndim, 0))
    return slopes * errors
