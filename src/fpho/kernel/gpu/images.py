"""Derivative images for the Fisher matrix on the GPU; formulas as in `fpho.kernel.fisher`.

One thread is one pixel of one source: it adds up the eight images of all the source's Gaussians that
reach its tile and brings them to the parameters. The images of a block of tiles form a thin matrix; its
product with itself is one library call (`transport.Stream.gram`), summed over blocks in float64 on the host.
"""

import math

import numpy as np
from numba import cuda

from .device import (
    AMP,
    HXX,
    HXY,
    HYY,
    TWO,
    UNIT,
    congruence,
    device,
    exponential,
    flux_of,
    job_of,
    offset,
    place,
    reaches,
    record,
    scale_of,
    shape_of,
)
from .layout import DERIVATIVES

HALF = np.float32(0.5)
ZERO = np.float32(0.0)


@device
def shape_in_pixels(patches, work, job, e, s):
    """N = D M D^t (xx, yy, xy), float32."""
    dxe, dxn, dye, dyn = scale_of(patches, job, e, s)
    mee, mnn, men = shape_of(work, job, s)
    xx, yy, xy = congruence(dxe, dxn, dye, dyn, mee, mnn, men)
    return np.float32(xx), np.float32(yy), np.float32(xy)


@device
def image_values(patches, work, job, e, s, tile, p):
    """Derivatives of this pixel's model by flux, x, y, Nxx, Nyy, Nxy, sersic, rhalf of source s."""
    flux = mx = my = mxx = myy = mxy = sersic = rhalf = ZERO
    nxx, nyy, nxy = shape_in_pixels(patches, work, job, e, s)
    n, size, amount = job.n_psf * job.n_profile, job.size, np.float32(flux_of(patches, work, job, e, s))
    for g in range(s * n, (s + 1) * n):
        ox, oy = offset(work, job, e, g, patches.i4[job.tile_x + tile], patches.i4[job.tile_y + tile])
        if reaches(ox, oy, work, job, e, g):
            _, k, _ = place(job, g)
            at, row = record(job, e, g), job.profile + 6 * (s * job.n_profile + k)
            dx, dy = ox + np.float32(p % 8), oy + np.float32(p // 8)
            fxx, fyy = -TWO * work.f4[at + HXX * size], -TWO * work.f4[at + HYY * size]
            fxy = -work.f4[at + HXY * size]
            ux, uy = fxx * dx + fxy * dy, fxy * dx + fyy * dy
            exp = np.float32(exponential(-HALF * (ux * dx + uy * dy)))
            m, unit = work.f4[at + AMP * size] * exp, work.f4[at + UNIT * size] * exp
            h = HALF * m
            hxx, hyy, hxy = h * (ux * ux - fxx), h * (uy * uy - fyy), h * (ux * uy - fxy)
            by_v, by_a = hxx * nxx + hyy * nyy + TWO * hxy * nxy, unit * amount
            v = np.float32(work.f8[row + 1])
            flux += unit * np.float32(work.f8[row])
            mx, my = mx + m * ux, my + m * uy
            mxx, myy, mxy = mxx + v * hxx, myy + v * hyy, mxy + v * hxy
            sersic += by_a * np.float32(work.f8[row + 2]) + by_v * np.float32(work.f8[row + 3])
            rhalf += by_a * np.float32(work.f8[row + 4]) + by_v * np.float32(work.f8[row + 5])
    return flux, mx, my, mxx, myy, mxy, sersic, rhalf


@cuda.jit
def derivatives(patches, work, e, first, columns):
    """Images of tiles first.. of exposure e times sqrt(weight): `image` (8 S + 1, columns), 64 a tile.

    Rows: the parameters of the sources, eight each, and the background. One block for a tile and a source.
    """
    job = job_of(work, 0)
    rows = job.n_sources + 1
    s, tile, p = cuda.blockIdx.x % rows, first + cuda.blockIdx.x // rows, cuda.threadIdx.x
    at = job.image + DERIVATIVES * s * columns + 64 * (tile - first) + p
    root = math.sqrt(max(patches.f4[job.weight + 64 * tile + p], ZERO))
    if s == job.n_sources:
        work.f4[at] = root
        return
    flux, mx, my, mxx, myy, mxy, sersic, rhalf = image_values(patches, work, job, e, s, tile, p)
    xe, xn, ye, yn = scale_of(patches, job, e, s)
    ee, nn, en = congruence(xe, ye, xn, yn, mxx, myy, mxy)  # d / dM = D^t (d / dN) D
    work.f4[at] = root * flux
    work.f4[at + columns], work.f4[at + 2 * columns] = root * (xe * mx + ye * my), root * (xn * mx + yn * my)
    work.f4[at + 3 * columns], work.f4[at + 4 * columns] = root * ee, root * nn
    work.f4[at + 5 * columns] = TWO * root * en
    work.f4[at + 6 * columns], work.f4[at + 7 * columns] = root * sersic, root * rhalf
