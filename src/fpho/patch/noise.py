"""Weights of pixels: noise that is correlated from pixel to pixel, at the scale of the sources.

It enters as the white noise that would move a source's flux as much.
"""

import numpy as np

from ..images.noise import BLOCK
from ..kernel.arrays import N_SHAPE, TILE, PatchArrays, SourceArrays
from .building import components_of_rows, source_state

SIDES = (2.0, 32.0)  # pixels; the law is not trusted for narrower or wider sources
AROUND = 8.0  # pixels around a source whose weights tell its noise


def noise_factors(arrays: PatchArrays, tiles, rows, bands, table) -> np.ndarray:
    """Factors (E,) on the uncertainties of a patch's exposures, for its active sources, scene rows (S,).

    An exposure's noise in blocks of L x L pixels grows as L^slope beyond that of independent pixels
    (`fpho.images.noise`); a source counts as a block of L^2 = 1 / (sum of its squared normalised image)
    pixels. Several sources share the mean of their variances.
    """
    factors = np.ones(arrays.n_exposures)
    if not len(rows):
        return factors
    state = source_state(rows, bands, table)
    for e, one in enumerate(tiles):
        if one.noise_slope:
            sides = np.clip(footprint_sides(arrays, e, state), *SIDES)
            factors[e] = np.sqrt(np.mean((sides / BLOCK) ** (2 * one.noise_slope)))
    return factors


def flux_noise(arrays: PatchArrays, rows, bands, table) -> np.ndarray:
    """Errors (S, B) in nJy that fluxes of scene rows (S,) would have with all else known; NaN off the images.

    The weight of a pixel is the mean over the tiles around the source; the widest component counts.
    """
    state, source = source_state(rows, bands, table), components_of_rows(rows).source
    information = np.zeros((len(state.sources), len(bands)))
    for e, start in enumerate(arrays.exposure_start[:-1]):
        tiles = slice(start, arrays.exposure_start[e + 1])
        middle = np.stack([arrays.tile_x[tiles], arrays.tile_y[tiles]], axis=1) + (TILE - 1) / 2
        sides = footprint_sides(arrays, e, state)
        for s, side in enumerate(sides):
            near = np.hypot(*(middle - arrays.position[e, s]).T) < AROUND + side / 2
            if near.any():
                weight = arrays.weight[tiles][near].mean(dtype="f8")
                information[s, arrays.band[e]] += weight * (arrays.gain[e, s] / side) ** 2
    error = np.where(information > 0, 1 / np.sqrt(np.where(information > 0, information, 1)), np.nan)
    return np.array([error[source == s].max(axis=0) for s in range(len(rows))]).reshape(-1, len(bands))


def by_exposure(arrays: PatchArrays, values) -> np.ndarray:
    """Values (E,) of the exposures for their tiles, (T, 1) float32."""
    return np.repeat(np.asarray(values, "f4"), np.diff(arrays.exposure_start))[:, None]


def footprint_sides(arrays: PatchArrays, e: int, state: SourceArrays) -> np.ndarray:
    """Sides (S,) in pixels of the squares that the sources' images in exposure e are worth."""
    shape_at = state.sources.shape[1] - N_SHAPE + 2  # after fluxes and position
    out = np.zeros(len(state.sources))
    for s in range(len(out)):
        ee, nn, en = state.sources[s, shape_at : shape_at + 3]
        scale, index = arrays.scale[e, s], arrays.psf_index[e, s]
        shape = scale @ np.array([[ee, en], [en, nn]]) @ scale.T
        profile = state.profile[s, : state.profile_count[s]]
        psf = arrays.psf[index, : arrays.psf_count[index]]
        amplitude = np.outer(profile[:, 0], psf[:, 0]).ravel()
        covariance = [
            np.add.outer(profile[:, 1] * part, psf[:, column]).ravel()
            for part, column in ((shape[0, 0], 3), (shape[1, 1], 4), (shape[0, 1], 5))
        ]
        place = np.tile(psf[:, 1:3], (len(profile), 1))
        out[s] = 1 / np.sqrt(_squared_sum(amplitude / amplitude.sum(), covariance, place))
    return out


def _squared_sum(amplitude, covariance, place) -> float:
    """Integral of the square of a sum of Gaussians: each pair is a Gaussian of the summed covariances."""
    xx, yy, xy = (np.add.outer(part, part) for part in covariance)
    dx, dy = (np.subtract.outer(place[:, k], place[:, k]) for k in (0, 1))
    determinant = xx * yy - xy**2
    distance = (yy * dx**2 - 2 * xy * dx * dy + xx * dy**2) / determinant
    pairs = np.outer(amplitude, amplitude) * np.exp(-0.5 * distance) / (2 * np.pi * np.sqrt(determinant))
    return max(float(pairs.sum()), 1e-12)
