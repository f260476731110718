"""Fisher matrix J^t W J, a block of tiles at a time.

The derivative images of the sources that reach a block (8 rows for each: flux, east, north, m_ee, m_nn,
m_en, sersic, rhalf, times sqrt(weight)) form a thin matrix; its product with itself is added to the
exposure's. Only one block of images is held. With u = F d the images of one Gaussian m = A E are

    dm/dcentre = m u      dm/dSigma = m (u u^t - F) / 2      dm/dv = <dm/dSigma, N>      dm/da = m / a

and the chain to the parameters is that of the gradient (`fpho.kernel.formulas`). Images are float32 and
cut like the model's; products are summed in float64 over blocks. The order is fixed: no threads here.
"""

import math

import numpy as np

from .arrays import N_SHAPE
from .compiled import entry, fast, lean
from .exponential import exponential
from .loops import HALF
from .walk import congruence, set_up

U = np.uint64  # indices of these loops are unsigned: numba would test signed ones for being negative
ZERO = np.float32(0.0)
BLOCK = 8  # tiles
WIDTH = 64 * BLOCK
I0, I1, I2, I3, I4, I5, I6, I7 = (U(64 * i) for i in range(8))
ONE, TWO, THREE, FOUR, EIGHT = U(1), U(2), U(3), U(4), U(8)


@fast
def add_gaussian(image, ox, oy, f, n, amp, flux, by_a, a_n, v_n, a_r, v_r, v):
    """Adds one Gaussian to the images (8 * 64,) of its source in a tile.

    Images: flux, x, y, Nxx, Nyy, Nxy, sersic, rhalf. (ox, oy): first pixel from the centre; f, n: F, N;
    by_a: dm/da / E; a_n .. v_r: derivatives of a and v.
    """
    fxx, fyy, fxy = f
    nxx, nyy, nxy = n
    for p in range(U(64)):
        dx, dy = ox + np.float32(p & U(7)), oy + np.float32(p >> THREE)
        ux, uy = fxx * dx + fxy * dy, fxy * dx + fyy * dy
        e = exponential(-HALF * (ux * dx + uy * dy))
        m = amp * e
        h = HALF * m
        hxx, hyy, hxy = h * (ux * ux - fxx), h * (uy * uy - fyy), h * (ux * uy - fxy)
        dv = hxx * nxx + hyy * nyy + (hxy + hxy) * nxy
        da = by_a * e
        image[I0 + p] += flux * e
        image[I1 + p] += m * ux
        image[I2 + p] += m * uy
        image[I3 + p] += v * hxx
        image[I4 + p] += v * hyy
        image[I5 + p] += v * hxy
        image[I6 + p] += da * a_n + dv * v_n
        image[I7 + p] += da * a_r + dv * v_r


@lean
def store(image, d, root, stack, row, at):
    """Images of a source brought to its parameters, times sqrt(weight), into 8 rows of `stack`."""
    xe, xn, ye, yn = d[0, 0], d[0, 1], d[1, 0], d[1, 1]
    for p in range(64):
        w, q = root[p], at + p
        gx, gy = w * image[64 + p], w * image[128 + p]
        ee, nn, en = congruence(xe, ye, xn, yn, w * image[192 + p], w * image[256 + p], w * image[320 + p])
        stack[row, q] = w * image[p]
        stack[row + 1, q], stack[row + 2, q] = xe * gx + ye * gy, xn * gx + yn * gy
        stack[row + 3, q], stack[row + 4, q], stack[row + 5, q] = ee, nn, 2.0 * en
        stack[row + 6, q], stack[row + 7, q] = w * image[384 + p], w * image[448 + p]


@lean
def put(total, place, i, j, value):
    """Adds the product of rows i <= j to the lower triangle of `total`."""
    if j >= i:
        a, b = place[i], place[j]
        total[max(a, b), min(a, b)] += value


@fast
def add_products(stack, n_rows, place, total):
    """Products of all pairs of rows, summed over pixels, into the lower triangle of `total`."""
    for i in range(U(0), U(n_rows), FOUR):
        for j in range(i, U(n_rows), TWO):
            s00 = s10 = s20 = s30 = s01 = s11 = s21 = s31 = ZERO
            for p in range(U(WIDTH)):
                a0, a1, a2, a3 = stack[i, p], stack[i + ONE, p], stack[i + TWO, p], stack[i + THREE, p]
                b0, b1 = stack[j, p], stack[j + ONE, p]
                s00, s10, s20, s30 = s00 + a0 * b0, s10 + a1 * b0, s20 + a2 * b0, s30 + a3 * b0
                s01, s11, s21, s31 = s01 + a0 * b1, s11 + a1 * b1, s21 + a2 * b1, s31 + a3 * b1
            put(total, place, i, j, s00)
            put(total, place, i + ONE, j, s10)
            put(total, place, i + TWO, j, s20)
            put(total, place, i + THREE, j, s30)
            put(total, place, i, j + ONE, s01)
            put(total, place, i + ONE, j + ONE, s11)
            put(total, place, i + TWO, j + ONE, s21)
            put(total, place, i + THREE, j + ONE, s31)


@lean
def fill_block(
    e, b, first, end, n_gauss, weight, tile_x, tile_y, scale, sources, profile, gauss, reach, kind,
    image, root, slot, place, stack,
):  # fmt: skip
    """Derivative images of tiles first:end into `stack`; `place` (rows,): their columns; returns the rows."""
    nb = sources.shape[1] - N_SHAPE
    n_src, n_rows = len(sources), 4
    slot[:] = -1
    stack[:4] = 0.0
    place[0], place[1], place[2], place[3] = 8 * n_src, 8 * n_src + 1, 8 * n_src + 1, 8 * n_src + 1
    for t in range(first, end):
        at = 64 * (t - first)
        for p in range(64):
            root[p] = math.sqrt(weight[t, p]) if weight[t, p] > 0 else 0.0
            stack[0, at + p] = root[p]
        g = 0
        while g < n_gauss:
            s, used = kind[g, 0], False
            d, amount = scale[e, s], sources[s, b]
            n = congruence(
                d[0, 0], d[0, 1], d[1, 0], d[1, 1], sources[s, nb + 2], sources[s, nb + 3], sources[s, nb + 4]
            )
            n32 = np.float32(n[0]), np.float32(n[1]), np.float32(n[2])
            while g < n_gauss and kind[g, 0] == s:
                ox, oy, k = tile_x[t] - gauss[g, 0], tile_y[t] - gauss[g, 1], kind[g, 1]
                fxx, fyy, fxy = gauss[g, 2], gauss[g, 3], gauss[g, 4]
                dx, dy = ox + 3.5, oy + 3.5
                if not (dx * (fxx * dx + 2.0 * fxy * dy) + fyy * dy * dy > reach[0, g]):
                    if not used:
                        used = True
                        image[:] = np.float32(0.0)
                    f32 = np.float32(fxx), np.float32(fyy), np.float32(fxy)
                    amp, unit, v = gauss[g, 5], gauss[g, 6], gauss[g, 7]
                    add_gaussian(
                        image, np.float32(ox), np.float32(oy), f32, n32, np.float32(amp),
                        np.float32(unit * profile[s, k, 0]), np.float32(unit * amount),
                        np.float32(profile[s, k, 2]), np.float32(profile[s, k, 3]),
                        np.float32(profile[s, k, 4]), np.float32(profile[s, k, 5]), np.float32(v),
                    )  # fmt: skip
                g += 1
            if used:
                if slot[s] < 0:
                    slot[s] = n_rows
                    for i in range(8):
                        stack[n_rows + i, :] = np.float32(0.0)
                        place[n_rows + i] = 8 * s + i
                    n_rows += 8
                store(image, d, root, stack, slot[s], at)
    return n_rows


@entry
def fisher_matrix(
    options, weight, tile_x, tile_y, start, band, position, scale, gain, psf_index, psf, psf_count,
    sources, profile, profile_count, gauss, reach, kind,
):  # fmt: skip
    """J^t W J (P, P) float64; see `fpho.kernel`."""
    n_exp, n_src = position.shape[0], position.shape[1]
    nb = sources.shape[1] - N_SHAPE
    width, size = nb + N_SHAPE, 8 * n_src + 2
    out = np.zeros((n_src * width + n_exp, n_src * width + n_exp))
    image, root = np.empty(512, np.float32), np.empty(64)
    slot, place, column = (
        np.empty(n_src, np.int64),
        np.empty(8 * n_src + 4, np.int64),
        np.empty(size, np.int64),
    )
    stack = np.zeros((8 * n_src + 4, WIDTH + 16), np.float32)
    for e in range(n_exp):
        b = band[e]
        n = set_up(
            e, b, options, position, scale, gain, psf_index, psf, psf_count, sources, profile, profile_count,
            gauss, reach, kind,
        )  # fmt: skip
        total = np.zeros((size, size))  # its last row and column take what fills up the rows to fours
        for first in range(start[e], start[e + 1], BLOCK):
            rows = fill_block(
                e, b, first, min(first + BLOCK, start[e + 1]), n, weight, tile_x, tile_y, scale, sources,
                profile, gauss, reach, kind, image, root, slot, place, stack,
            )  # fmt: skip
            add_products(stack, rows, place, total)
        for s in range(n_src):
            column[8 * s] = s * width + b
            for i in range(N_SHAPE):
                column[8 * s + 1 + i] = s * width + nb + i
        column[8 * n_src] = n_src * width + e
        spread(total, column, 8 * n_src + 1, out)
    return out


@lean
def spread(total, column, n, out):
    """Adds an exposure's matrix, of which the lower triangle is filled, to the whole one."""
    for i in range(n):
        for j in range(i):
            out[column[i], column[j]] += total[i, j]
            out[column[j], column[i]] += total[i, j]
        out[column[i], column[i]] += total[i, i]
