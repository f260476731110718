"""What the uncertainty of the sky that was subtracted adds to the errors of sources.

The constant of each exposure is measured beside the sources and taken off before they are fitted. It has an
error, and with it everything that lies under it moves: by

    dz / d(sky) = H^-1 J^t W 1,      H = J^t W J + curvature of the prior

in the coordinates z, for a constant of 1 nJy/pixel more in the data than was taken off. Draws get a shift of
their own each, for a constant drawn for each exposure; the covariance of an optimum grows by its square. In a
large image the sky is known to a thousandth of a pixel's noise, and nothing changes; in a small one, or for
a source of thousands of pixels, it counts.
"""

from dataclasses import replace

import numpy as np

from ..background.table import rows_by_exposure

SMALL = 1e-3  # of a coordinate's standard deviation: shifts that are left out


def sky_errors(tweakbg, exposures) -> np.ndarray:
    """(E,) standard deviations in nJy/pixel of the sky of named exposures; 0 where no table knows them."""
    known = {} if tweakbg is None else rows_by_exposure(tweakbg)
    errors = [float(known[name]["error"]) if name in known else 0.0 for name in exposures]
    return np.where(np.isfinite(errors), errors, 0.0)


def sky_shifts(model, z, errors) -> np.ndarray:
    """(ndim, E) what z (ndim,) moves by with one standard deviation (E,) of each exposure's sky.

    Zeros where the sky is fitted with the sources, or its errors do not count.
    """
    if model.in_fit_background or not np.any(errors > 0):
        return np.zeros((model.ndim, len(errors)))
    matrix, slopes = model.fisher_and_sky(z)
    scale = 1 / np.sqrt(np.diag(matrix))
    covariance = np.linalg.inv(matrix * np.outer(scale, scale)) * np.outer(scale, scale)
    shifts = covariance @ (slopes * errors)
    counts = np.abs(shifts) > SMALL * np.sqrt(np.diag(covariance))[:, None]
    return shifts if counts.any() else np.zeros_like(shifts)


def shaken(z, shifts, rng) -> np.ndarray:
    """Draws z (N, ndim), each moved for skies drawn for it; rng : numpy Generator."""
    if not shifts.any():
        return z
    return z + rng.standard_normal((len(z), shifts.shape[1])) @ shifts.T


def shaken_optimum(optimum, shifts):
    """An `Optimum` whose covariance has the square of the shifts (ndim, E)."""
    if not shifts.any():
        return optimum
    some = shifts[:, shifts.any(axis=0)]
    slopes = optimum.matrix @ some  # Woodbury: no matrix of coordinates of unlike scale is inverted
    less = slopes @ np.linalg.solve(np.eye(some.shape[1]) + some.T @ slopes, slopes.T)
    return replace(optimum, matrix=optimum.matrix - 0.5 * (less + less.T))
