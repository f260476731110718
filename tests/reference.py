"""The slow likelihood that is seen to be right: float64 numpy, no shortcut, no cut.

Every backend of the kernel answers to it. Its derivatives are central differences.
"""

import dataclasses
import itertools

import numpy as np


def pixels(patch):
    """Pixel coordinates x, y of the tiles, (T, 64)."""
    p = np.arange(64)
    return patch.tile_x[:, None] + p % 8, patch.tile_y[:, None] + p // 8


def model(patch, state):
    """Model image on the tiles, background included, (T, 64) float64."""
    x, y = pixels(patch)
    n_bands = state.sources.shape[1] - 7
    image = np.zeros(patch.data.shape)
    for e in range(patch.n_exposures):
        tiles = slice(patch.exposure_start[e], patch.exposure_start[e + 1])
        image[tiles] = state.background[e]
        for s in range(patch.n_sources):
            flux = state.sources[s, patch.band[e]] * patch.gain[e, s]
            east, north, ee, nn, en = state.sources[s, n_bands : n_bands + 5]
            D = patch.scale[e, s]
            centre = patch.position[e, s] + D @ [east, north]
            N = D @ np.array([[ee, en], [en, nn]]) @ D.T
            psf = patch.psf[patch.psf_index[e, s]]
            for a, v in state.profile[s, : state.profile_count[s], :2]:
                for b, ox, oy, cxx, cyy, cxy in psf[: patch.psf_count[patch.psf_index[e, s]]]:
                    sigma = v * N + np.array([[cxx, cxy], [cxy, cyy]])
                    F = np.linalg.inv(sigma)
                    dx, dy = x[tiles] - (centre[0] + ox), y[tiles] - (centre[1] + oy)
                    quadratic = F[0, 0] * dx**2 + 2 * F[0, 1] * dx * dy + F[1, 1] * dy**2
                    peak = flux * a * b / (2 * np.pi * np.sqrt(np.linalg.det(sigma)))
                    image[tiles] += peak * np.exp(-0.5 * quadratic)
    return image


def chi2(patch, state):
    """Sum of weight * (data - model)^2 over each exposure, (E,)."""
    used = patch.weight > 0
    difference = np.where(used, patch.data.astype("f8") - model(patch, state), 0.0)
    by_tile = (np.where(used, patch.weight, 0.0).astype("f8") * difference**2).sum(axis=1)
    start = patch.exposure_start
    return np.array([by_tile[a:b].sum() for a, b in itertools.pairwise(start)])


def vary(state, s, column, step):
    """The state with sources[s, column] moved by `step` (the profile is moved by hand)."""
    sources = state.sources.copy()
    sources[s, column] += step
    return dataclasses.replace(state, sources=sources)


def vary_profile(state, s, column, step):
    """The state with the profile of source s moved along sersic (column 2) or rhalf (4)."""
    profile = state.profile.copy()
    profile[s, :, :2] += step * profile[s, :, column : column + 2]
    return dataclasses.replace(state, profile=profile)


def vary_background(state, e, step):
    background = state.background.copy()
    background[e] += step
    return dataclasses.replace(state, background=background)


def variations(patch, state, relative=1e-4):
    """Moves of all P parameters, in the order of the Fisher matrix: list of (move, step)."""
    moves = []
    for s in range(patch.n_sources):
        for c in range(state.sources.shape[1] - 2):
            step = relative * max(abs(state.sources[s, c]), 0.1)
            moves.append((lambda h, s=s, c=c: vary(state, s, c, h), step))
        for column in (2, 4):
            size = np.abs(state.profile[s, :, column : column + 2]).max()
            step = relative * np.abs(state.profile[s, :, :2]).max() / size if size else relative
            moves.append((lambda h, s=s, c=column: vary_profile(state, s, c, h), step))
    for e in range(patch.n_exposures):
        step = relative * max(abs(state.background[e]), 0.1)
        moves.append((lambda h, e=e: vary_background(state, e, h), step))
    return moves


def derivative(function, move, step):
    """Central difference of fourth order, in the shape of what `function` returns."""
    d1 = function(move(step)) - function(move(-step))
    d2 = function(move(2 * step)) - function(move(-2 * step))
    return (8 * d1 - d2) / (12 * step)


def gradient(patch, state):
    """Derivative of the total chi2 by all parameters, (P,)."""
    return np.array([derivative(lambda s: chi2(patch, s).sum(), *v) for v in variations(patch, state)])


def fisher(patch, state):
    """J^t W J from derivative images, (P, P)."""
    weight = np.sqrt(np.where(patch.weight > 0, patch.weight, 0.0).astype("f8"))
    images = [(weight * derivative(lambda s: model(patch, s), *v)).ravel() for v in variations(patch, state)]
    return np.array(images) @ np.array(images).T
