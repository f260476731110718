"""Cubic B-splines on a square: products of those along x and y, and their values."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import sparse

FINEST, PER_FWHM = 1 / 3, 5  # pixels between the knots, and knots per FWHM of what they describe


@dataclass(frozen=True)
class Square:
    """Where splines stand. half : pixels to the edge. spacing : pixels between the knots."""

    half: float
    spacing: float

    @classmethod
    def around(cls, half: float, fwhm: float) -> "Square":
        """Knots as fine as a PSF of some FWHM (pixels) asks for."""
        return cls(half, max(FINEST, fwhm / PER_FWHM))

    @cached_property
    def knots(self) -> np.ndarray:
        """Places (K,) of the splines along one axis, pixels."""
        count = int(np.ceil(2 * self.half / self.spacing)) + 3
        return (np.arange(count) - 1) * self.spacing - self.half

    def inside(self, u, v) -> np.ndarray:
        """Which offsets (...) lie in it."""
        return (np.abs(u) < self.half) & (np.abs(v) < self.half)


def basis(u, v, square: Square):
    """Sparse (P, K^2): values at offsets (P,) of all products of splines."""
    n = len(square.knots)
    (i, by_x), (j, by_y) = _along(u, square), _along(v, square)
    column = (j[:, :, None] * n + i[:, None, :]).reshape(len(u), 16)
    value = (by_y[:, :, None] * by_x[:, None, :]).reshape(len(u), 16)
    start = np.arange(len(u) + 1) * 16
    return sparse.csr_array((value.ravel(), column.ravel(), start), shape=(len(u), n * n))


def _along(x, square: Square):
    """(Indices (P, 4), values (P, 4)) of the cubic splines that are not zero at offsets (P,)."""
    place = (np.asarray(x) + square.half) / square.spacing
    cell = np.clip(np.floor(place).astype(int), 0, len(square.knots) - 4)
    t = place - cell
    values = [(1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3]
    return cell[:, None] + np.arange(4), np.stack(values, axis=1) / 6
