"""Device functions of the likelihood: one Gaussian, its exponential, its share of the gradient.

The formulas are those of `fpho.kernel.formulas`, compiled for the GPU; derivation and names stand
there. Everything that is done once per Gaussian is float64, everything that is done per pixel float32.
"""

import math
from typing import NamedTuple

import numpy as np
from numba import config, cuda

from .. import formulas
from ..arrays import N_SHAPE

SIMULATED = bool(config.ENABLE_CUDASIM)
device = cuda.jit(device=True)
made = formulas.compiled_by(device)
congruence, centre, convolved = made.congruence, made.centre, made.convolved
cut_radius, reach_of, chain_rule = made.cut_radius, made.reach_of, made.chain

# A Gaussian in the pixel loop, rows of `gauss` (ROWS, G) float32: the centre as the nearest float32 and
# the rest, -Fxx / 2, -Fyy / 2, -Fxy, A, dA / d(flux a), its reach: largest d^t F d of a tile's middle.
X, Y, REST_X, REST_Y, HXX, HYY, HXY, AMP, UNIT, REACH, ROWS = range(11)
LOST = 5e-7  # share of a source's flux that may be lost by cuts
HALF_TILE = 3.5  # pixels from the middle of a tile to its outer pixels
TWO = np.float32(2.0)

if SIMULATED:
    exponential = math.exp
else:
    from numba.cuda import libdevice

    exponential = libdevice.fast_expf  # 2^(x log2 e) in hardware: relative error 1e-7 (2 + |x|)


class Patch(NamedTuple):
    """Pixels and geometry on the device: `PatchArrays` with tiles in groups.

    `group` (N, 3) int32: exposure, first tile, tiles; `group_start` (E + 1,) int32: first group of each.
    """

    data: np.ndarray
    weight: np.ndarray
    tile_x: np.ndarray
    tile_y: np.ndarray
    group: np.ndarray
    group_start: np.ndarray
    band: np.ndarray
    position: np.ndarray
    scale: np.ndarray
    gain: np.ndarray
    psf_index: np.ndarray
    psf: np.ndarray
    psf_count: np.ndarray


class State(NamedTuple):
    """`SourceArrays` of Q proposals on the device; each array has a first axis Q."""

    sources: np.ndarray
    profile: np.ndarray
    profile_count: np.ndarray
    background: np.ndarray


@device
def components(patch, state):
    """Places for the Gaussians of one source in one exposure: J K."""
    return patch.psf.shape[1] * state.profile.shape[2]


@device
def in_use(patch, state, q, e, g, n_sources):
    """Whether place g of exposure e holds a Gaussian."""
    n = components(patch, state)
    s, k, j = g // n, g % state.profile.shape[2], g % n // state.profile.shape[2]
    return s < n_sources and k < state.profile_count[q, s] and j < patch.psf_count[patch.psf_index[e, s]]


@device
def gaussian(patch, state, q, e, g):
    """Centre x, y; F (xx, yy, xy); dA / d(flux a); share |a b| of the source, all float64."""
    n, nb = components(patch, state), state.sources.shape[2] - N_SHAPE
    s, k, j = g // n, g % state.profile.shape[2], g % n // state.profile.shape[2]
    p, v = patch.psf_index[e, s], state.profile[q, s, k, 1]
    dxe, dxn, dye, dyn = (
        patch.scale[e, s, 0, 0], patch.scale[e, s, 0, 1], patch.scale[e, s, 1, 0], patch.scale[e, s, 1, 1]
    )  # fmt: skip
    east, north = state.sources[q, s, nb], state.sources[q, s, nb + 1]
    nxx, nyy, nxy = congruence(
        dxe, dxn, dye, dyn,
        state.sources[q, s, nb + 2], state.sources[q, s, nb + 3], state.sources[q, s, nb + 4],
    )  # fmt: skip
    fxx, fyy, fxy, norm = convolved(
        v, nxx, nyy, nxy, patch.psf[p, j, 3], patch.psf[p, j, 4], patch.psf[p, j, 5]
    )
    x, y = centre(patch.position[e, s, 0], patch.position[e, s, 1], dxe, dxn, dye, dyn, east, north)
    x, y = x + patch.psf[p, j, 1], y + patch.psf[p, j, 2]
    share = abs(state.profile[q, s, k, 0] * patch.psf[p, j, 0])
    return x, y, fxx, fyy, fxy, patch.gain[e, s] * norm * patch.psf[p, j, 0], share


@device
def offset(gauss, q, e, g, x, y):
    """Pixel (x, y), whole numbers, from the centre of Gaussian g: exact where it is small."""
    return (
        (np.float32(x) - gauss[q, e, X, g]) - gauss[q, e, REST_X, g],
        (np.float32(y) - gauss[q, e, Y, g]) - gauss[q, e, REST_Y, g],
    )


@device
def reaches(dx, dy, gauss, q, e, g):
    """Whether Gaussian g counts in the tile whose first pixel is (dx, dy) from its centre (true for NaN)."""
    mx, my = dx + np.float32(HALF_TILE), dy + np.float32(HALF_TILE)
    exponent = mx * (gauss[q, e, HXX, g] * mx + gauss[q, e, HXY, g] * my) + gauss[q, e, HYY, g] * my * my
    return not -TWO * exponent > gauss[q, e, REACH, g]


@device
def chain(patch, state, q, e, g, m0, mx, my, mxx, myy, mxy):
    """The six sums of Gaussian g, brought to flux, east, north, m_ee, m_nn, m_en, sersic, rhalf."""
    nb, s, k = state.sources.shape[2] - N_SHAPE, g // components(patch, state), g % state.profile.shape[2]
    _, _, fxx, fyy, fxy, unit, _ = gaussian(patch, state, q, e, g)
    row, flux = state.profile[q, s, k], state.sources[q, s, patch.band[e]]
    return chain_rule(
        fxx, fyy, fxy, unit, flux, row[0], row[1], row[2], row[3], row[4], row[5],
        patch.scale[e, s, 0, 0], patch.scale[e, s, 0, 1], patch.scale[e, s, 1, 0], patch.scale[e, s, 1, 1],
        state.sources[q, s, nb + 2], state.sources[q, s, nb + 3], state.sources[q, s, nb + 4],
        m0, mx, my, mxx, myy, mxy,
    )  # fmt: skip
