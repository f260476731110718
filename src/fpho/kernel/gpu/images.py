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
    HALF_TILE,
    HXX,
    HXY,
    HYY,
    REACH,
    TO_POWER,
    UNIT,
    congruence,
    device,
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
from .machine import pointer, power

HALF, TWO = np.float32(0.5), np.float32(2.0)
TO_F = np.float32(1.0 / TO_POWER)
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
    x, y = pointer(patches.i4, job.tile_x)[tile], pointer(patches.i4, job.tile_y)[tile]
    for g in range(s * n, (s + 1) * n):
        gauss = record(work, job, e, g)
        dx, dy = offset(gauss, size, x, y)
        hxx, hxy, hyy = gauss[HXX * size], gauss[HXY * size], gauss[HYY * size]
        half = np.float32(HALF_TILE)
        if reaches(dx + half, dy + half, hxx, hxy, hyy, gauss[REACH * size]):
            _, k, _ = place(job, g)
            profile = pointer(work.f8, job.profile + 6 * (s * job.n_profile + k))
            dx, dy = dx + np.float32(p % 8), dy + np.float32(p // 8)
            fxx, fyy, fxy = TO_F * hxx, TO_F * hyy, HALF * TO_F * hxy
            ux, uy = fxx * dx + fxy * dy, fxy * dx + fyy * dy
            exp = power(dx * (hxx * dx + hxy * dy) + hyy * dy * dy)
            m, unit = gauss[AMP * size] * exp, gauss[UNIT * size] * exp
            h = HALF * m
            nearxx, nearyy, nearxy = h * (ux * ux - fxx), h * (uy * uy - fyy), h * (ux * uy - fxy)
            by_v, by_a = nearxx * nxx + nearyy * nyy + TWO * nearxy * nxy, unit * amount
            v = np.float32(profile[1])
            flux += unit * np.float32(profile[0])
            mx, my = mx + m * ux, my + m * uy
            mxx, myy, mxy = mxx + v * nearxx, myy + v * nearyy, mxy + v * nearxy
            sersic += by_a * np.float32(profile[2]) + by_v * np.float32(profile[3])
            rhalf += by_a * np.float32(profile[4]) + by_v * np.float32(profile[5])
    return flux, mx, my, mxx, myy, mxy, sersic, rhalf


@cuda.jit
def derivatives(patches, work, e, first, columns):
    """Images of tiles first.. of exposure e times sqrt(weight): `image` (8 S + 1, columns), 64 a tile.

    Rows: the parameters of the sources, eight each, and the background. One block for a tile and a source.
    """
    job = job_of(work, 0)
    rows = job.n_sources + 1
    s, tile, p = cuda.blockIdx.x % rows, first + cuda.blockIdx.x // rows, cuda.threadIdx.x
    image = pointer(work.f4, job.image + DERIVATIVES * s * columns + 64 * (tile - first) + p)
    root = math.sqrt(max(pointer(patches.f4, job.weight)[64 * tile + p], ZERO))
    if s == job.n_sources:
        image[0] = root
        return
    flux, mx, my, mxx, myy, mxy, sersic, rhalf = image_values(patches, work, job, e, s, tile, p)
    xe, xn, ye, yn = scale_of(patches, job, e, s)
    ee, nn, en = congruence(xe, ye, xn, yn, mxx, myy, mxy)  # d / dM = D^t (d / dN) D
    image[0] = root * flux
    image[columns], image[2 * columns] = root * (xe * mx + ye * my), root * (xn * mx + yn * my)
    image[3 * columns], image[4 * columns] = root * ee, root * nn
    image[5 * columns] = TWO * root * en
    image[6 * columns], image[7 * columns] = root * sersic, root * rhalf
