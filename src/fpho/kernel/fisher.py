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
from .compiled import entry, fused, lean
from .exponential import exponential
from .frames import aligned_frame
from .lanes import first_lane, lane_sums
from .loops import F1, HALF, WIDTH
from .mixture import (
    A_N,
    A_R,
    AMP,
    CROWD,
    GX,
    GXX,
    GXY,
    GY,
    GYY,
    TEST,
    UNIT,
    V_N,
    V_R,
    WEIGHT,
    V,
    congruence,
    fill_blocks,
    set_up,
    within,
)
from .plan import LEVELS
from .vectors import LANES, ROWS, columns, in_strip, joined, load_strip, no_strip, rows_sum, store, zero

BLOCK = 8  # tiles
PIXELS = 64 * BLOCK
ROOM = PIXELS + 16  # floats of a row of the stack, so that rows do not collide in the cache
NOTHING = (np.float32(0.0), np.float32(0.0), np.float32(0.0))
I0, I1, I2, I3, I4, I5, I6, I7 = (64 * i for i in range(8))


@fused
def add_to(image, at, value):
    """Adds a strip to image[at:]."""
    store(image, at, load_strip(image, at) + value)


@lean
def add_gaussian(image, ox, oy, f, n, amp, flux, by_a, a_n, v_n, a_r, v_r, v):
    """Adds one Gaussian to the images (8 * 64,) of its source in a tile, row by row.

    Images: flux, x, y, Nxx, Nyy, Nxy, sersic, rhalf. (ox, oy): first pixel from the centre; f, n: F, N;
    by_a: dm/da / E; a_n .. v_r: derivatives of a and v.
    """
    aligned_frame()
    fxx, fyy, fxy = f
    nxx, nyy, nxy = n
    dx, dy, down = in_strip(columns() + ox), joined(zero() + oy, zero() + (oy + F1)), np.float32(ROWS)
    for p in range(0, 64, WIDTH):
        ux, uy = fxx * dx + fxy * dy, fxy * dx + fyy * dy
        e = exponential(-HALF * (ux * dx + uy * dy))
        m = amp * e
        h = HALF * m
        hxx, hyy, hxy = h * (ux * ux - fxx), h * (uy * uy - fyy), h * (ux * uy - fxy)
        dv = hxx * nxx + hyy * nyy + (hxy + hxy) * nxy
        add_to(image, I0 + p, flux * e)
        add_to(image, I1 + p, m * ux)
        add_to(image, I2 + p, m * uy)
        add_to(image, I3 + p, v * hxx)
        add_to(image, I4 + p, v * hyy)
        add_to(image, I5 + p, v * hxy)
        add_to(image, I6 + p, (by_a * a_n) * e + v_n * dv)
        add_to(image, I7 + p, (by_a * a_r) * e + v_r * dv)
        dy = dy + down


@lean
def put_source(image, d, root, stack, at):
    """Images of a source brought to its parameters, times sqrt(weight), into 8 rows of `stack` at `at`."""
    xe, xn, ye, yn = np.float32(d[0, 0]), np.float32(d[0, 1]), np.float32(d[1, 0]), np.float32(d[1, 1])
    for p in range(0, 64, WIDTH):
        w, q = load_strip(root, p), at + p
        gx, gy = w * load_strip(image, I1 + p), w * load_strip(image, I2 + p)
        xx, yy, xy = load_strip(image, I3 + p), load_strip(image, I4 + p), load_strip(image, I5 + p)
        ee, nn, en = congruence(xe, ye, xn, yn, w * xx, w * yy, w * xy)
        store(stack, q, w * load_strip(image, I0 + p))
        store(stack, q + ROOM, xe * gx + ye * gy)
        store(stack, q + 2 * ROOM, xn * gx + yn * gy)
        store(stack, q + 3 * ROOM, ee)
        store(stack, q + 4 * ROOM, nn)
        store(stack, q + 5 * ROOM, en + en)
        store(stack, q + 6 * ROOM, w * load_strip(image, I6 + p))
        store(stack, q + 7 * ROOM, w * load_strip(image, I7 + p))


@lean
def put(total, place, i, j, value):
    """Adds the product of rows i <= j to the lower triangle of `total`."""
    if j >= i:
        a, b = place[i], place[j]
        total[max(a, b), min(a, b)] += value


@lean
def add_products(stack, n_rows, place, total, found):
    """Products of all pairs of rows, summed over pixels, into the lower triangle of `total`; found (8,)."""
    aligned_frame()
    for i in range(0, n_rows, 4):
        for j in range(i, n_rows, 2):
            products(stack, i * ROOM, j * ROOM, found)
            for k in range(4):
                put(total, place, i + k, j, found[2 * k])
                put(total, place, i + k, j + 1, found[2 * k + 1])


@fused
def products(stack, a, b, found):
    """Scalar products of the four rows of pixels that begin at a with the two that begin at b."""
    s00, s01, s10, s11, s20, s21, s30, s31 = (
        no_strip(),
        no_strip(),
        no_strip(),
        no_strip(),
        no_strip(),
        no_strip(),
        no_strip(),
        no_strip(),
    )
    for p in range(0, PIXELS, WIDTH):
        b0, b1 = load_strip(stack, b + p), load_strip(stack, b + ROOM + p)
        a0, a1 = load_strip(stack, a + p), load_strip(stack, a + ROOM + p)
        a2, a3 = load_strip(stack, a + 2 * ROOM + p), load_strip(stack, a + 3 * ROOM + p)
        s00, s01, s10, s11 = s00 + a0 * b0, s01 + a0 * b1, s10 + a1 * b0, s11 + a1 * b1
        s20, s21, s30, s31 = s20 + a2 * b0, s21 + a2 * b1, s30 + a3 * b0, s31 + a3 * b1
    store(found, 0, rows_sum(lane_sums(s00, s01, s10, s11, s20, s21, s30, s31)))


@lean
def keep_source(e, s, scale, image, root, stack, slot, place, n_rows, at):
    """Images of source s at place `at` of its rows of `stack`, begun where it has none; returns the rows."""
    aligned_frame()
    if slot[s] < 0:
        slot[s] = n_rows
        for i in range(8):
            stack[n_rows + i, :] = np.float32(0.0)
            place[n_rows + i] = 8 * s + i
        n_rows += 8
    put_source(image, scale[e, s], root, stack, slot[s] * ROOM + at)
    return n_rows


@lean
def shape_in_pixels(d, m):
    """N = D M D^t (xx, yy, xy), float32, from the row m of a source's shape."""
    xx, yy, xy = congruence(d[0, 0], d[0, 1], d[1, 0], d[1, 1], m[0], m[1], m[2])
    return np.float32(xx), np.float32(yy), np.float32(xy)


@lean
def fill_block(
    e, b, first, end, n_blocks, weight, tile_x, tile_y, scale, sources, gauss, kind, tests,
    image, root, slot, place, stack,
):  # fmt: skip
    """Derivative images of tiles first:end into `stack`; `place` (rows,): their columns; returns the rows."""
    aligned_frame()
    nb, n_src, n_rows = sources.shape[1] - N_SHAPE, len(sources), 4
    slot[:] = -1
    stack[:4] = 0.0
    place[0], place[1], place[2], place[3] = 8 * n_src, 8 * n_src + 1, 8 * n_src + 1, 8 * n_src + 1
    for t in range(first, end):
        at, s, amount, n = 64 * (t - first), -1, 0.0, NOTHING
        x, y = np.float32(tile_x[t] + 3.5), np.float32(tile_y[t] + 3.5)
        for p in range(64):
            root[p] = math.sqrt(weight[t, p]) if weight[t, p] > 0 else np.float32(0.0)
            stack[0, at + p] = root[p]
        for block in range(n_blocks):
            bits = within(tests, block, 0, x, y)
            while bits != 0:
                g = kind[block * LANES + first_lane(bits), 1]
                bits &= bits - 1
                if kind[g, 0] != s:  # Gaussians stand in the order of the sources
                    if s >= 0:
                        n_rows = keep_source(e, s, scale, image, root, stack, slot, place, n_rows, at)
                    s = kind[g, 0]
                    image[:] = np.float32(0.0)
                    amount, n = sources[s, b], shape_in_pixels(scale[e, s], sources[s, nb + 2 :])
                f = np.float32(gauss[g, GXX]), np.float32(gauss[g, GYY]), np.float32(gauss[g, GXY])
                add_gaussian(
                    image, np.float32(tile_x[t] - gauss[g, GX]), np.float32(tile_y[t] - gauss[g, GY]), f, n,
                    np.float32(gauss[g, AMP]), np.float32(gauss[g, UNIT] * gauss[g, WEIGHT]),
                    np.float32(gauss[g, UNIT] * amount), np.float32(gauss[g, A_N]), np.float32(gauss[g, V_N]),
                    np.float32(gauss[g, A_R]), np.float32(gauss[g, V_R]), np.float32(gauss[g, V]),
                )  # fmt: skip
        if s >= 0:
            n_rows = keep_source(e, s, scale, image, root, stack, slot, place, n_rows, at)
    return n_rows


@entry
def fisher_matrix(
    options, weight, tile_x, tile_y, start, band, position, scale, gain, psf_index, psf, psf_count,
    sources, profile, profile_count, gauss, reach, kind, placed, image, root, stack,
):  # fmt: skip
    """J^t W J (P, P) float64; see `fpho.kernel`.

    Work, float32: image (512,), root (64,), stack (8 S + 4, ROOM), which begin where cache lines do.
    """
    aligned_frame()
    n_exp, n_src = position.shape[0], position.shape[1]
    nb = sources.shape[1] - N_SHAPE
    width, size = nb + N_SHAPE, 8 * n_src + 2
    out = np.zeros((n_src * width + n_exp, n_src * width + n_exp))
    found = np.empty(8, np.float32)
    slot, place, column = (
        np.empty(n_src, np.int64),
        np.empty(8 * n_src + 4, np.int64),
        np.empty(size, np.int64),
    )
    n_blocks = (len(gauss) + LANES - 1) // LANES
    tests, masks = np.empty(n_blocks * TEST, np.float32), np.empty((n_blocks, LEVELS + 2), np.int64)
    for e in range(n_exp):
        b = band[e]
        n = set_up(
            e, b, options, position, scale, gain, psf_index, psf, psf_count, sources, profile, profile_count,
            gauss, reach, kind,
        )  # fmt: skip
        n_blocks = fill_blocks(n, options[CROWD], gauss, reach, kind, tests, masks, placed)
        total = np.zeros((size, size))  # its last row and column take what fills up the rows to fours
        for first in range(start[e], start[e + 1], BLOCK):
            rows = fill_block(
                e, b, first, min(first + BLOCK, start[e + 1]), n_blocks, weight, tile_x, tile_y, scale,
                sources, gauss, kind, tests, image, root, slot, place, stack,
            )  # fmt: skip
            add_products(stack, rows, place, total, found)
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
