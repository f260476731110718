"""Mixtures of Gaussians on a plane: (J, 6) float64 rows of amplitude, x, y, Cxx, Cyy, Cxy (native pixels)."""

import numpy as np

FIELDS = ("amp", "xcen", "ycen", "Cxx", "Cyy", "Cxy")
PIXEL_VARIANCE = 1 / 12  # pixel^2 per axis: what stands for the pixel in mixtures that lack it


def gaussians(mixture, x, y):
    """Unit-flux Gaussians (J, P) at the points `x`, `y` (P,), and their precision (J, 3): xx, yy, xy."""
    cxx, cyy, cxy = np.asarray(mixture, "f8")[:, 3:6].T
    det = cxx * cyy - cxy**2
    precision = np.stack([cyy, cxx, -cxy], axis=1) / det[:, None]
    dx = np.asarray(x)[None] - mixture[:, 1, None]
    dy = np.asarray(y)[None] - mixture[:, 2, None]
    fxx, fyy, fxy = precision.T[:, :, None]
    exponent = 0.5 * (fxx * dx * dx + fyy * dy * dy) + fxy * dx * dy
    return np.exp(-np.minimum(exponent, 80.0)) / (2 * np.pi * np.sqrt(det))[:, None], precision


def evaluate(mixture, x, y):
    """Value of the mixture, per square pixel, at points of any shape."""
    values, _ = gaussians(mixture, np.ravel(x), np.ravel(y))
    return (np.asarray(mixture)[:, 0] @ values).reshape(np.shape(x))


def widen(mixture, variance):
    """The mixture convolved with a round Gaussian of `variance` (pixel^2)."""
    out = np.array(mixture, "f8")
    out[:, 3:5] += variance
    return out
