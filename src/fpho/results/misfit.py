"""How much a model that is wrong adds to the errors of its source, told by what it leaves of the data.

A galaxy that no Sersic profile describes leaves a pattern. Smoothed on a scale over which the pattern is
coherent, its mean square in units of the noise, 1 for a right model, is that of one of its independent parts;
parts like those that are left went into the flux, the size and the position unseen. So variances grow by

    k = 1 + PARTS (m - 1),      m: the largest mean square over scales and bands

weighted by the square of the source's light. The structure of galaxies is coarser than noise, and what a fit
takes up is its coarsest part: PARTS is measured on galaxies with discs, bulges, arms and knots
(`benchmarks/misfit.py`: 90 of two kinds, S/N 20 to 500, have their total flux within 68% intervals in 26% of
cases without this, in 52, 59 and 68% with PARTS 3, 5 and 8). Where S/N is below some 60 the pattern drowns in
the noise, and these errors stay too small: at S/N 20 to 60 40 to 50%.

Structure is much alike in all bands: it moves all fluxes of a source together, and colours hold. So it is
the common part of fluxes that is widened, with positions and shapes. Bands that resolve a galaxy unlike take
up its structure unlike: a hundredth of k - 1 is for colours (pulls of sd 1.26 without, 1.04 with it).
"""

from dataclasses import replace

import numpy as np
from scipy.ndimage import gaussian_filter

from ..patch.tiles import exposure_image
from .fit import source_light

SCALES = (1.0, 1.5, 2.5, 4.0)  # pixels, sigma of the smoothing
PARTS = 6.0
OF_COLOURS = 0.01  # of k - 1
SURE = 2.0  # standard deviations that right models reach by chance, taken off m
LEAST = 0.1  # k - 1 that is left out


def misfit(model, q) -> np.ndarray:
    """k (S,) of a posterior's sources at a vector q (P,); 1 for a model that is right."""
    arrays = model.arrays
    state, _ = model.state(model.transform.inverse_transform(q))
    residual = np.sqrt(arrays.weight) * (arrays.data - model.kernel.model(arrays, state))
    excess = np.zeros((len(model.rows), len(SCALES), len(model.bands)))
    chance = np.full(excess.shape, np.inf)
    images = [_image(arrays, e, residual) for e in range(arrays.n_exposures)]
    squares = [[_power(image, scale) for scale in SCALES] for image in images]
    for s in range(len(model.rows)):
        light = source_light(model, state, s)
        for e, power in enumerate(squares):
            weight = _image(arrays, e, light) ** 2
            total, b = weight.sum(), arrays.band[e]
            if not total > 0:
                continue
            parts = total**2 / np.sum(weight**2) / (4 * np.pi * np.square(SCALES))
            excess[s, :, b] += [np.sum(weight * some) / total - 1 for some in power]
            before = np.where(np.isfinite(chance[s, :, b]), chance[s, :, b], 0.0)
            chance[s, :, b] = before + 2 / np.maximum(parts, 1.0)
    sure = np.where(np.isfinite(chance), excess - SURE * np.sqrt(chance), 0.0)
    more = PARTS * np.max(sure, axis=(1, 2), initial=0.0)
    return 1 + np.where(more > LEAST, more, 0.0)


def widened(model, z, q, spread, factors) -> np.ndarray:
    """z (..., ndim) with what a misfit adds about the values q (P,).

    Positions and shapes of a source go from q by sqrt(k) as far, and so does the part that its fluxes have in
    common, by which all grow or shrink together; what is left of them by sqrt(1 + OF_COLOURS (k - 1)).

    Parameters
    ----------
    spread : (ndim,) standard deviations, which tell how much each band knows of the common part
    factors : (S,) k
    """
    middle = model.transform.inverse_transform(q)
    return middle + (z - middle) @ widening(model.plan, middle, spread, factors).T


def widened_optimum(model, optimum, factors):
    """An `Optimum` with the covariance of `widening`."""
    spread = np.sqrt(np.diag(optimum.covariance))
    back = np.linalg.inv(widening(model.plan, optimum.z, spread, factors))
    return replace(optimum, matrix=back.T @ optimum.matrix @ back)


def widening(plan, z, spread, factors) -> np.ndarray:
    """The matrix (ndim, ndim) by which distances from z (ndim,) grow."""
    matrix, n = np.eye(plan.ndim), plan.n_bands
    for row, unit, origin, k in zip(plan.index, plan.unit, plan.origin, factors, strict=True):
        others, fluxes = row[n:][row[n:] >= 0], row[:n][row[:n] >= 0]
        matrix[others, others] = np.sqrt(k)
        matrix[fluxes, fluxes] = apart = np.sqrt(1 + OF_COLOURS * (k - 1))
        free = row[:n] >= 0
        level = origin[:n][free] / unit[:n][free] + z[fluxes]  # of fluxes, in coordinates
        certainty = level / spread[fluxes] ** 2
        if len(fluxes) and level @ certainty > 0:
            matrix[np.ix_(fluxes, fluxes)] += (
                (np.sqrt(k) - apart) * np.outer(level, certainty) / (level @ certainty)
            )
    return matrix


def _image(arrays, e: int, values) -> np.ndarray:
    """An exposure's tiles (T, 64) as an image (ny, nx), 0 where no pixel is good."""
    part = slice(*arrays.exposure_start[e : e + 2])
    good = np.where(arrays.weight[part] > 0, values[part], 0.0)
    return exposure_image(good, arrays.tile_x[part], arrays.tile_y[part])


def _power(image, scale: float) -> np.ndarray:
    """Square of a residual image smoothed by a Gaussian; 1 in the mean for white noise of unit variance."""
    return 4 * np.pi * scale**2 * gaussian_filter(image, scale, mode="constant") ** 2
