"""How much a model that is wrong adds to the errors of its source, told by what it leaves of the data.

A galaxy that no Sersic profile describes leaves a pattern. Smoothed on a scale over which the pattern is
coherent, its mean square in units of the noise, 1 for a right model, is that of one of its independent parts;
parts like those that are left went into the flux, the size and the position unseen. So variances grow by

    k = 1 + PARTS (m - 1),      m: the largest mean square over scales and bands

weighted by the square of the source's light. The structure of galaxies is coarser than noise, and what a fit
takes up is its coarsest part: PARTS is measured on galaxies with discs, bulges, arms and knots
(`benchmarks/misfit.py`: 90 of two kinds, S/N 20 to 500, have their total flux within 68% intervals in 26% of
cases without this, in 52, 59 and 68% with PARTS 3, 5 and 8). Where S/N is below some 60 the pattern drowns in
the noise; there the structure of the field's bright galaxies says what to expect (`structure`).

Structure is much alike in all bands: it moves all fluxes of a source together, and colours hold. So it is
the common part of fluxes that is widened, with positions and shapes. Bands that resolve a galaxy unlike take
up its structure unlike: a hundredth of k - 1 is for colours (pulls of sd 1.26 without, 1.04 with it).
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy.ndimage import gaussian_filter

from ..patch.tiles import exposure_image
from .fit import sizes_of, source_light

SCALES = (1.0, 1.5, 2.5, 4.0)  # pixels, sigma of the smoothing
PARTS = 6.0
OF_COLOURS = 0.01  # of k - 1
SURE = 2.0  # standard deviations that right models reach by chance, taken off m
LEAST = 0.1  # k - 1 that is left out


@dataclass(frozen=True)
class Patterns:
    """What a model leaves of S sources' data, smoothed on K scales, in B bands.

    A band without good pixels of a source has excess and leverage 0, and chance infinite.
    """

    excess: np.ndarray  # (S, K, B) mean square in units of the noise's, less 1; summed over exposures
    chance: np.ndarray  # (S, K, B) its variance for a model that is right
    leverage: np.ndarray  # (S, K, B) that of a pattern as bright as the galaxy, as far as it is resolved

    def factors(self, structure=None) -> np.ndarray:
        """k (S,), by which variances grow; 1 for a model that is right.

        structure : (K, B) share, squared, that such patterns have of the light of the field's galaxies; what
            they are expected to leave counts where the noise hides it. None: where it is not known
        """
        found = np.where(np.isfinite(self.chance), self.excess - SURE * np.sqrt(self.chance), 0.0)
        if structure is not None:
            found = np.maximum(found, self._expected(structure))
        more = PARTS * np.max(found, axis=(1, 2), initial=0.0)
        return 1 + np.where(more > LEAST, more, 0.0)

    def _expected(self, structure) -> np.ndarray:
        """Excess (S, K, B) that the structure of the field's galaxies makes, as far as the data allow it.

        A galaxy has `amount` times what is usual: 1 +- 1 beforehand, and what its clearest pattern says.
        """
        usual = structure * self.leverage
        clear = (usual**2 / self.chance).reshape(len(usual), -1)
        says = (self.excess * usual / self.chance).reshape(len(usual), -1)
        best = np.argmax(clear, axis=1)[:, None]
        clear, says = (np.take_along_axis(some, best, axis=1)[..., None] for some in (clear, says))
        return np.maximum((says + 1) / (clear + 1), 0.0) * usual


def patterns(model, q) -> Patterns:
    """Of a posterior's sources at a vector q (P,)."""
    arrays = model.arrays
    state, _ = model.state(model.transform.inverse_transform(q))
    residual = np.sqrt(arrays.weight) * (arrays.data - model.kernel.model(arrays, state))
    sizes = sizes_of(model, q)
    excess = np.zeros((len(model.rows), len(SCALES), len(model.bands)))
    chance, leverage = np.full(excess.shape, np.inf), np.zeros(excess.shape)
    images = [_image(arrays, e, residual) for e in range(arrays.n_exposures)]
    squares = [[_power(image, scale) for scale in SCALES] for image in images]
    for s in range(len(model.rows)):
        light = source_light(model, state, s)
        for e, power in enumerate(squares):
            weight = _image(arrays, e, light) ** 2
            total, b = weight.sum(), arrays.band[e]
            if not total > 0:
                continue
            bright = 4 * np.pi * np.square(SCALES) * np.sum(weight**2) / total
            excess[s, :, b] += [np.sum(weight * some) / total - 1 for some in power]
            before = np.where(np.isfinite(chance[s, :, b]), chance[s, :, b], 0.0)
            chance[s, :, b] = before + 2 / np.maximum(total / bright, 1.0)
            leverage[s, :, b] += bright * _resolved(model, e, s, sizes[s], np.sqrt(weight))
    return Patterns(excess, chance, leverage)


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


def _resolved(model, e: int, s: int, size: float, light) -> float:
    """Square of the part that a galaxy's own size has in the area of its image; 0 for a star.

    Areas are those of round Gaussians: 4 pi sigma^2, and (sum l)^2 / sum l^2 of the image.
    """
    if model.plan.is_point[s]:
        return 0.0
    scale = abs(np.linalg.det(model.arrays.scale[e, model.plan.components.first[s]]))  # pixels in an arcsec^2
    own = 4 * np.pi * scale * size**2 / (2 * np.log(2))
    return min(1.0, own * np.sum(light**2) / np.sum(light) ** 2) ** 2


def _image(arrays, e: int, values) -> np.ndarray:
    """An exposure's tiles (T, 64) as an image (ny, nx), 0 where no pixel is good."""
    part = slice(*arrays.exposure_start[e : e + 2])
    good = np.where(arrays.weight[part] > 0, values[part], 0.0)
    return exposure_image(good, arrays.tile_x[part], arrays.tile_y[part])


def _power(image, scale: float) -> np.ndarray:
    """Square of a residual image smoothed by a Gaussian; 1 in the mean for white noise of unit variance."""
    return 4 * np.pi * scale**2 * gaussian_filter(image, scale, mode="constant") ** 2
