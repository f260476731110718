"""Where an image shines too faintly for single pixels to show it."""

import numpy as np

MODEL_ERROR = 0.6  # part of known light that a model may be wrong by, before others' light is seen
# Sigmas (pixels) of the Gaussian means in which light is looked for, how many sigma of such a mean it has,
# and how far (pixels) around it nothing is used
BLOTS, BLOT, GROWN = (2.0, 4.0), 3.0, 3


def shining(data, ierr, model=None) -> np.ndarray:
    """Pixels (ny, nx) where Gaussian means of an image show what single pixels do not, and those around.

    data : the image less sky and less what is known. model : what is known; part of it may be wrong
    """
    from scipy.ndimage import binary_dilation, gaussian_filter

    weight = np.square(ierr, dtype="f4")
    off = np.zeros(data.shape, bool)
    for width in BLOTS:
        mean = np.abs(gaussian_filter(weight * data, width))
        narrow = width / np.sqrt(2)  # the square of a Gaussian is one
        limit = BLOT * np.sqrt(gaussian_filter(weight, narrow) / (4 * np.pi * width**2))
        if model is not None:
            limit += MODEL_ERROR * gaussian_filter(weight * np.abs(model), width)
        off |= mean > limit
    return binary_dilation(off, np.ones((3, 3), bool), iterations=GROWN)
