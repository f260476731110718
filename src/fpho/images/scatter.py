"""Uncertainties held against the scatter of blank pixels: a weight that is read as an error is found so."""

import logging

import numpy as np

from ..errors import InputError
from .noise import pixel_scatter
from .table import ExposureSpec

log = logging.getLogger("fpho")
SIDE = 1024  # pixels of the part that is looked at
UNKNOWN = 3.0  # times; an uncertainty of unknown kind that is off by more is none. Drizzling gives 1/2
WORTH_A_WORD = 5.0  # times; of known kind


def check_scatter(data: np.ndarray, ierr: np.ndarray, stated: bool, spec: ExposureSpec) -> None:
    """Compare 1 / `ierr` (nJy, (ny, nx)) with how blank pixels of `data` scatter, in the middle of an image.

    stated : whether the row, or a name in the file, says what kind of uncertainty it is

    Raises
    ------
    InputError
        Where nothing says that these are errors (sigma), and they are more than UNKNOWN times off.
    """
    part = tuple(slice(max(0, (n - SIDE) // 2), (n + SIDE) // 2) for n in data.shape)
    scatter = pixel_scatter(data[part], ierr[part])
    if not np.isfinite(scatter) or scatter <= 0:
        return
    text = f"blank pixels scatter by {scatter:.3g} times the uncertainties"
    if not stated and not 1 / UNKNOWN < scatter < UNKNOWN:
        cure = "Say what they are, by unc_kind in the table of exposures: sigma, variance, ivar or weight"
        raise InputError(spec.unc_path, f"taken for errors (sigma), but {text}", cure)
    if not 1 / WORTH_A_WORD < scatter < WORTH_A_WORD:
        log.warning("%s: %s: are they right? (preprocess.noise_scale)", spec.path, text)
