"""Derivative images for the Fisher matrix on the GPU; formulas as in `fpho.kernel.fisher`.

One thread is one pixel of one source: it adds up the eight images of all the source's Gaussians that
reach its tile and brings them to the parameters. The images of a block of tiles form a thin matrix; its
product with itself is one library call (`transport.gram`), summed over blocks in float64 on the host.
"""

import math

import numpy as np
from numba import cuda

from ..arrays import N_SHAPE
from .device import (
    AMP,
    HXX,
    HXY,
    HYY,
    TWO,
    UNIT,
    components,
    congruence,
    device,
    exponential,
    offset,
    reaches,
)

HALF = np.float32(0.5)
ZERO = np.float32(0.0)


@device
def shape_in_pixels(patch, state, e, s):
    """N = D M D^t (xx, yy, xy), float32."""
    nb = state.sources.shape[2] - N_SHAPE
    xx, yy, xy = congruence(
        patch.scale[e, s, 0, 0], patch.scale[e, s, 0, 1], patch.scale[e, s, 1, 0], patch.scale[e, s, 1, 1],
        state.sources[0, s, nb + 2], state.sources[0, s, nb + 3], state.sources[0, s, nb + 4],
    )  # fmt: skip
    return np.float32(xx), np.float32(yy), np.float32(xy)


@device
def image_values(patch, state, gauss, e, s, tile, p):
    """Derivatives of this pixel's model by flux, x, y, Nxx, Nyy, Nxy, sersic, rhalf of source s."""
    flux = mx = my = mxx = myy = mxy = sersic = rhalf = ZERO
    nxx, nyy, nxy = shape_in_pixels(patch, state, e, s)
    n, amount = components(patch, state), np.float32(state.sources[0, s, patch.band[e]])
    for g in range(s * n, (s + 1) * n):
        ox, oy = offset(gauss, 0, e, g, patch.tile_x[tile], patch.tile_y[tile])
        if reaches(ox, oy, gauss, 0, e, g):
            k = g % state.profile.shape[2]
            dx, dy = ox + np.float32(p % 8), oy + np.float32(p // 8)
            fxx, fyy, fxy = -TWO * gauss[0, e, HXX, g], -TWO * gauss[0, e, HYY, g], -gauss[0, e, HXY, g]
            ux, uy = fxx * dx + fxy * dy, fxy * dx + fyy * dy
            exp = np.float32(exponential(-HALF * (ux * dx + uy * dy)))
            m, unit = gauss[0, e, AMP, g] * exp, gauss[0, e, UNIT, g] * exp
            h = HALF * m
            hxx, hyy, hxy = h * (ux * ux - fxx), h * (uy * uy - fyy), h * (ux * uy - fxy)
            by_v, by_a = hxx * nxx + hyy * nyy + TWO * hxy * nxy, unit * amount
            v = np.float32(state.profile[0, s, k, 1])
            flux += unit * np.float32(state.profile[0, s, k, 0])
            mx, my = mx + m * ux, my + m * uy
            mxx, myy, mxy = mxx + v * hxx, myy + v * hyy, mxy + v * hxy
            row = state.profile[0, s, k]
            sersic += by_a * np.float32(row[2]) + by_v * np.float32(row[3])
            rhalf += by_a * np.float32(row[4]) + by_v * np.float32(row[5])
    return flux, mx, my, mxx, myy, mxy, sersic, rhalf


@cuda.jit
def derivatives(patch, state, gauss, e, first, images):
    """Images of tiles first.. of exposure e times sqrt(weight): (8 S + 1, 64 tiles) float32.

    Rows: the parameters of the sources, eight each, and the background. One block for a tile and a source.
    """
    s, p, at = cuda.blockIdx.y, cuda.threadIdx.x, 64 * cuda.blockIdx.x + cuda.threadIdx.x
    tile = first + cuda.blockIdx.x
    root = math.sqrt(max(patch.weight[tile, p], ZERO))
    n_sources = images.shape[0] // 8
    if s == n_sources:
        images[8 * s, at] = root
        return
    flux, mx, my, mxx, myy, mxy, sersic, rhalf = image_values(patch, state, gauss, e, s, tile, p)
    xe, xn = patch.scale[e, s, 0, 0], patch.scale[e, s, 0, 1]
    ye, yn = patch.scale[e, s, 1, 0], patch.scale[e, s, 1, 1]
    ee, nn, en = congruence(xe, ye, xn, yn, mxx, myy, mxy)  # d / dM = D^t (d / dN) D
    images[8 * s, at] = root * flux
    images[8 * s + 1, at], images[8 * s + 2, at] = root * (xe * mx + ye * my), root * (xn * mx + yn * my)
    images[8 * s + 3, at], images[8 * s + 4, at] = root * ee, root * nn
    images[8 * s + 5, at] = TWO * root * en
    images[8 * s + 6, at], images[8 * s + 7, at] = root * sersic, root * rhalf
