"""Weights of pixels: noise that is correlated from pixel to pixel, at the scale of the sources.

It enters as the white noise that would move a source's flux as much.
"""

from itertools import pairwise

import numpy as np

from ..images.noise import BLOCK
from ..kernel.arrays import N_SHAPE, TILE, PatchArrays, SourceArrays, near_pixels
from .building import PlacedSources

SIDES = (2.0, 32.0)  # pixels; the law is not trusted for narrower or wider sources
NEAR = 3.0  # pixels from a source within which a good one must be for its flux to be measured
AROUND = 8.0  # pixels around a source whose weights tell its noise


def noise_factors(arrays: PatchArrays, tiles, sources: PlacedSources) -> np.ndarray:
    """Factors (E,) on the uncertainties of a patch's exposures, for its active sources.

    An exposure's noise in blocks of L x L pixels grows as L^slope beyond that of independent pixels
    (`fpho.images.noise`); a source counts as a block of L^2 = 1 / (sum of its squared normalised image)
    pixels. Several sources share the mean of their variances.
    """
    factors = np.ones(arrays.n_exposures)
    if not len(sources.components.source):
        return factors
    for e, one in enumerate(tiles):
        if one.noise_slope:
            sides = np.clip(footprint_sides(arrays, e, sources.state), *SIDES)
            factors[e] = np.sqrt(np.mean((sides / BLOCK) ** (2 * one.noise_slope)))
    return factors


def flux_noises(arrays: PatchArrays, sources: PlacedSources) -> tuple[np.ndarray, np.ndarray]:
    """`flux_noise` and `typical_flux_noise`."""
    return flux_noise(arrays, sources), typical_flux_noise(arrays, sources)


def flux_noise(arrays: PatchArrays, sources: PlacedSources) -> np.ndarray:
    """Errors (S, B) in nJy that fluxes of sources would have with all else known.

    NaN where no good pixel is near: off the images, or in a masked hole. The weight of a pixel is the mean
    over the tiles around the source; the widest component counts.
    """
    seen = near_pixels(arrays, NEAR)

    def weight(e, s, side):
        tiles = slice(arrays.exposure_start[e], arrays.exposure_start[e + 1])
        middle = np.stack([arrays.tile_x[tiles], arrays.tile_y[tiles]], axis=1) + (TILE - 1) / 2
        near = np.hypot(*(middle - arrays.position[e, s]).T) < AROUND + side / 2
        return arrays.weight[tiles][near].mean(dtype="f8") if seen[e, s] else 0.0

    return _flux_errors(arrays, sources, weight)


def typical_flux_noise(arrays: PatchArrays, sources: PlacedSources) -> np.ndarray:
    """As `flux_noise` (S, B) if all pixels around a source were like the good ones of the patch.

    A band without any has the median of the others; NaN where there are no pixels at all.
    """
    good = [arrays.weight[a:b][arrays.weight[a:b] > 0] for a, b in pairwise(arrays.exposure_start)]
    typical = [np.median(weights) if len(weights) else 0.0 for weights in good]
    errors = _flux_errors(arrays, sources, lambda e, s, side: typical[e])
    known = errors[np.isfinite(errors)]
    return np.where(np.isfinite(errors), errors, np.median(known) if len(known) else np.nan)


def _flux_errors(arrays, sources: PlacedSources, weight) -> np.ndarray:
    """Errors (S, B) from the `weight` of a pixel, by exposure, component and the side it is worth."""
    state, source = sources.state, sources.components.source
    n_bands, n_sources = state.sources.shape[1] - N_SHAPE, len(sources.components.first)
    information = np.zeros((len(state.sources), n_bands))
    for e in range(arrays.n_exposures):
        for s, side in enumerate(footprint_sides(arrays, e, state)):
            information[s, arrays.band[e]] += weight(e, s, side) * (arrays.gain[e, s] / side) ** 2
    error = np.where(information > 0, 1 / np.sqrt(np.where(information > 0, information, 1)), np.nan)
    return np.array([error[source == s].max(axis=0) for s in range(n_sources)]).reshape(-1, n_bands)


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
