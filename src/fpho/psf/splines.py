"""Cubic B-splines on a square of 2 `half` pixels: products of those along x and y, and their values."""

import numpy as np
from scipy import sparse

SPACING = 1 / 3  # pixels between the knots


def knots(half: float) -> int:
    """Splines along one axis."""
    return int(np.ceil(2 * half / SPACING)) + 3


def basis(u, v, half: float):
    """Sparse (P, K^2): values at offsets (P,) of all products of splines."""
    n = knots(half)
    (i, by_x), (j, by_y) = _along(u, half), _along(v, half)
    column = (j[:, :, None] * n + i[:, None, :]).reshape(len(u), 16)
    value = (by_y[:, :, None] * by_x[:, None, :]).reshape(len(u), 16)
    start = np.arange(len(u) + 1) * 16
    return sparse.csr_array((value.ravel(), column.ravel(), start), shape=(len(u), n * n))


def _along(x, half: float):
    """(Indices (P, 4), values (P, 4)) of the cubic splines that are not zero at offsets (P,)."""
    place = (np.asarray(x) + half) / SPACING
    cell = np.clip(np.floor(place).astype(int), 0, knots(half) - 4)
    t = place - cell
    values = [(1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3]
    return cell[:, None] + np.arange(4), np.stack(values, axis=1) / 6
