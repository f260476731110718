"""The sky between the objects of an image, as it changes over it."""

import numpy as np
import sep

MESH = 256  # pixels on a side of the squares that the sky is measured in


def uneven_sky(exposure, objects) -> np.ndarray:
    """Sky (ny, nx), nJy per pixel: a plane, and what squares of the image show beside it, smoothly joined.

    A star's wings are as faint as the sky's unevenness over an image: one level for all of it is not enough.
    objects : (ny, nx) bool, pixels that are no sky
    """
    data, mask = np.ascontiguousarray(exposure.data, "f4"), objects | ~(exposure.ierr > 0)
    plane = _plane(_by_squares(data, mask, MESH // 4))
    return plane + _by_squares(data - plane, mask, MESH)


def _by_squares(data, mask, side: int) -> np.ndarray:
    return sep.Background(data, mask=mask, bw=side, bh=side).back()


def _plane(image) -> np.ndarray:
    """The plane (ny, nx) of least squares; along each axis it is a line of its own."""
    plane = np.full(image.shape, image.mean(), "f4")
    for axis, n in enumerate(image.shape):
        x = np.arange(n) - (n - 1) / 2
        slope = x @ image.mean(axis=1 - axis) / max(x @ x, 1.0)
        plane += (slope * x).astype("f4")[(slice(None), None) if axis == 0 else (None, slice(None))]
    return plane
