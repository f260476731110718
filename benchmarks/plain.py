"""The plain scalar loop that the kernel is measured against.

Pixel by pixel, in double precision without fast-math: one loop over the Gaussians for the model, one
for seven derivatives (flux, x, y, two of shape, n, rhalf), each with its own exponential, each
Gaussian cut at 6 sigma. So do the kernels in use today; it must not be slower than it needs to be.
"""

import math

import numpy as np
from numba import njit

from fpho.kernel.cpu import EXACT, _scratch
from fpho.kernel.mixture import set_up


@njit(cache=True)
def exposure_loop(data, weight, tile_x, tile_y, gauss, n, owner, gradient):
    """chi2 and gradient (S, 7) of one exposure, the number of pairs within the cut."""
    chi2, survive = 0.0, 0
    for t in range(len(data)):
        for p in range(64):
            x, y = float(tile_x[t] + (p & 7)), float(tile_y[t] + (p >> 3))
            model = 0.0
            for g in range(n):
                dx, dy = x - gauss[g, 0], y - gauss[g, 1]
                q = gauss[g, 2] * dx * dx + 2.0 * gauss[g, 4] * dx * dy + gauss[g, 3] * dy * dy
                if q < 36.0:
                    model += gauss[g, 5] * math.exp(-0.5 * q)
            difference = data[t, p] - model
            chi2 += weight[t, p] * difference * difference
            r = -2.0 * weight[t, p] * difference
            for g in range(n):
                dx, dy = x - gauss[g, 0], y - gauss[g, 1]
                q = gauss[g, 2] * dx * dx + 2.0 * gauss[g, 4] * dx * dy + gauss[g, 3] * dy * dy
                if q < 36.0:
                    survive += 1
                    e = r * math.exp(-0.5 * q)
                    m = gauss[g, 5] * e
                    ux, uy = gauss[g, 2] * dx + gauss[g, 4] * dy, gauss[g, 4] * dx + gauss[g, 3] * dy
                    hxx, hyy = 0.5 * m * (ux * ux - gauss[g, 2]), 0.5 * m * (uy * uy - gauss[g, 3])
                    hxy = m * (ux * uy - gauss[g, 4])
                    s = owner[g, 0]
                    gradient[s, 0] += gauss[g, 6] * e
                    gradient[s, 1] += m * ux
                    gradient[s, 2] += m * uy
                    gradient[s, 3] += gauss[g, 7] * (hxx - hyy)
                    gradient[s, 4] += gauss[g, 7] * hxy
                    gradient[s, 5] += gauss[g, 7] * (hxx + hyy)
                    gradient[s, 6] += gauss[g, 7] * (hxx + hyy) + gauss[g, 6] * e
    return chi2, survive


def evaluate(patch, state, exposures):
    """Runs the plain loop over some exposures: chi2 by exposure, pairs within 6 sigma."""
    size = patch.n_sources * patch.psf.shape[1] * state.profile.shape[1]
    gauss, _, reach, kind = _scratch(size)[:4]
    chi2, survive = [], 0
    for e in exposures:
        n = set_up(
            e, patch.band[e], EXACT.vector(), patch.position, patch.scale, patch.gain, patch.psf_index,
            patch.psf, patch.psf_count, state.sources, state.profile, state.profile_count, gauss, reach, kind,
        )  # fmt: skip
        tiles = slice(patch.exposure_start[e], patch.exposure_start[e + 1])
        pixels = patch.data[tiles], patch.weight[tiles], patch.tile_x[tiles], patch.tile_y[tiles]
        value, count = exposure_loop(*pixels, gauss, n, kind, np.zeros((patch.n_sources, 7)))
        chi2.append(value)
        survive += count
    return np.array(chi2), survive
