"""What is uncertain beside a patch's sources adds to their errors: sky that was taken off, fixed neighbours.

These were measured elsewhere and taken off the data before the sources were fitted. They have errors, and
with them everything that lies under them moves: by

    dz / dt = H^-1 J^t W I,      H = J^t W J + curvature of the prior

in the coordinates z, for light t I more in the data than was taken off (I: its image in nJy/pixel, t: a
number of standard deviations). To first order this is what a fit of both together says of the sources. Draws
get a shift of their own each, for a t drawn for each image; an optimum's covariance grows by its square.
"""

from dataclasses import replace

import numpy as np

SMALL = 1e-3  # of a coordinate's standard deviation: shifts that are left out


def shifts(model, matrix, slopes) -> np.ndarray:
    """(ndim, K) what z (ndim,) moves by with one standard deviation of each of K images.

    matrix : (ndim, ndim) H. slopes : (ndim, K) J^t W I, for one standard deviation

    Where the model is not linear, a shift is not longer than the prior is wide. Zeros where none counts.
    """
    if not slopes.any():
        return np.zeros_like(slopes)
    scale = 1 / np.sqrt(np.diag(matrix))
    covariance = np.linalg.inv(matrix * np.outer(scale, scale)) * np.outer(scale, scale)
    most = np.where(model.plan.linear, np.inf, model.prior_width)[:, None]
    found = np.clip(covariance @ slopes, -most, most)
    counts = np.abs(found) > SMALL * np.sqrt(np.diag(covariance))[:, None]
    return found if counts.any() else np.zeros_like(found)


def shaken(z, moved, rng) -> np.ndarray:
    """Draws z (N, ndim), moved by `shifts` (ndim, K) times numbers drawn for each; rng : numpy Generator."""
    if not moved.any():
        return z
    return z + rng.standard_normal((len(z), moved.shape[1])) @ moved.T


def shaken_optimum(optimum, moved):
    """An `Optimum` whose covariance has the square of `shifts` (ndim, K)."""
    if not moved.any():
        return optimum
    some = moved[:, moved.any(axis=0)]
    slopes = optimum.matrix @ some  # Woodbury: no matrix of coordinates of unlike scale is inverted
    less = slopes @ np.linalg.solve(np.eye(some.shape[1]) + some.T @ slopes, slopes.T)
    return replace(optimum, matrix=optimum.matrix - 0.5 * (less + less.T))
