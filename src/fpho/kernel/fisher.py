"""Fisher matrix J^t W J, tile by tile: the derivative images of a tile and their products."""

import math

import numpy as np
from numba import njit

from .arrays import N_SHAPE
from .walk import congruence, contract, invert

PIXELS = 64
CUT = 6.0
_jit = njit(cache=True, nogil=True, error_model="numpy")


@_jit
def _setup(
    e, b, position, scale, gain, psf_index, psf, psf_count, sources, profile, profile_count, gauss, owner
):
    """Gaussians of exposure e into `gauss` (G, 8): x, y, fxx, fyy, fxy, A, dA/dflux, reach; `owner` (G, 3)."""
    n, nb = 0, sources.shape[1] - N_SHAPE
    for s in range(position.shape[1]):
        d = scale[e, s]
        east, north = sources[s, nb], sources[s, nb + 1]
        x0 = position[e, s, 0] + d[0, 0] * east + d[0, 1] * north
        y0 = position[e, s, 1] + d[1, 0] * east + d[1, 1] * north
        nxx, nyy, nxy = congruence(
            d[0, 0], d[0, 1], d[1, 0], d[1, 1], sources[s, nb + 2], sources[s, nb + 3], sources[s, nb + 4]
        )
        p = psf_index[e, s]
        for j in range(psf_count[p]):
            for k in range(profile_count[s]):
                v = profile[s, k, 1]
                sxx, syy, sxy = v * nxx + psf[p, j, 3], v * nyy + psf[p, j, 4], v * nxy + psf[p, j, 5]
                fxx, fyy, fxy, norm = invert(sxx, syy, sxy)
                unit = gain[e, s] * norm * psf[p, j, 0]
                gauss[n, 0], gauss[n, 1] = x0 + psf[p, j, 1], y0 + psf[p, j, 2]
                gauss[n, 2], gauss[n, 3], gauss[n, 4] = fxx, fyy, fxy
                gauss[n, 5], gauss[n, 6] = sources[s, b] * unit * profile[s, k, 0], unit
                gauss[n, 7] = CUT * math.sqrt(max(sxx, syy) + 0.0)
                owner[n, 0], owner[n, 1], owner[n, 2] = s, k, j
                n += 1
    return n


@_jit
def _list_tile(gauss, n_gauss, tx, ty, listed):
    """Gaussians whose box reaches the tile at (tx, ty), into `listed`; returns how many."""
    n = 0
    for g in range(n_gauss):
        if (
            abs(tx + 3.5 - gauss[g, 0]) <= gauss[g, 7] + 3.5
            and abs(ty + 3.5 - gauss[g, 1]) <= gauss[g, 7] + 3.5
        ):
            listed[n] = g
            n += 1
    return n


@_jit
def _derivatives(
    e, b, tx, ty, scale, sources, profile, gauss, owner, listed, n_listed, image
):  # image (S, 8, 64): flux, east, north, m_ee, m_nn, m_en, sersic, rhalf
    nb = sources.shape[1] - N_SHAPE
    for i in range(n_listed):
        g = listed[i]
        s, k = owner[g, 0], owner[g, 1]
        d = scale[e, s]
        fxx, fyy, fxy, amp = gauss[g, 2], gauss[g, 3], gauss[g, 4], gauss[g, 5]
        nxx, nyy, nxy = congruence(
            d[0, 0], d[0, 1], d[1, 0], d[1, 1], sources[s, nb + 2], sources[s, nb + 3], sources[s, nb + 4]
        )
        for p in range(PIXELS):
            dx, dy = tx + (p & 7) - gauss[g, 0], ty + (p >> 3) - gauss[g, 1]
            ux, uy = fxx * dx + fxy * dy, fxy * dx + fyy * dy
            value = math.exp(-0.5 * (ux * dx + uy * dy))
            m = amp * value
            hxx, hyy, hxy = 0.5 * m * (ux * ux - fxx), 0.5 * m * (uy * uy - fyy), 0.5 * m * (ux * uy - fxy)
            by_a, by_v = gauss[g, 6] * sources[s, b] * value, contract(hxx, hyy, hxy, nxx, nyy, nxy)
            v = profile[s, k, 1]
            ee, nn, en = congruence(d[0, 0], d[1, 0], d[0, 1], d[1, 1], v * hxx, v * hyy, v * hxy)
            image[s, 0, p] += gauss[g, 6] * profile[s, k, 0] * value
            image[s, 1, p] += m * (d[0, 0] * ux + d[1, 0] * uy)
            image[s, 2, p] += m * (d[0, 1] * ux + d[1, 1] * uy)
            image[s, 3, p] += ee
            image[s, 4, p] += nn
            image[s, 5, p] += 2.0 * en
            image[s, 6, p] += by_a * profile[s, k, 2] + by_v * profile[s, k, 3]
            image[s, 7, p] += by_a * profile[s, k, 4] + by_v * profile[s, k, 5]


@_jit
def fisher_matrix(
    weight, tile_x, tile_y, start, band, position, scale, gain, psf_index, psf, psf_count,
    sources, profile, profile_count,
):  # fmt: skip
    n_exp, n_src = position.shape[0], position.shape[1]
    nb = sources.shape[1] - N_SHAPE
    width = nb + N_SHAPE
    size = max(1, n_src * psf.shape[1] * profile.shape[1])
    gauss, owner, listed = np.empty((size, 8)), np.empty((size, 3), np.int64), np.empty(size, np.int64)
    out = np.zeros((n_src * width + n_exp, n_src * width + n_exp))
    image, column = np.empty((n_src, 8, PIXELS)), np.empty((n_src * 8 + 1), np.int64)
    stack = np.empty((n_src * 8 + 1, PIXELS))
    for e in range(n_exp):
        n_gauss = _setup(
            e,
            band[e],
            position,
            scale,
            gain,
            psf_index,
            psf,
            psf_count,
            sources,
            profile,
            profile_count,
            gauss,
            owner,
        )
        for s in range(n_src):
            column[8 * s] = s * width + band[e]
            for i in range(N_SHAPE):
                column[8 * s + 1 + i] = s * width + nb + i
        column[8 * n_src] = n_src * width + e
        total = np.zeros((n_src * 8 + 1, n_src * 8 + 1))
        for t in range(start[e], start[e + 1]):
            image[:] = 0.0
            n = _list_tile(gauss, n_gauss, tile_x[t], tile_y[t], listed)
            _derivatives(
                e, band[e], tile_x[t], tile_y[t], scale, sources, profile, gauss, owner, listed, n, image
            )
            for p in range(PIXELS):
                w = math.sqrt(weight[t, p]) if weight[t, p] > 0 else 0.0
                for s in range(n_src):
                    for i in range(8):
                        stack[8 * s + i, p] = image[s, i, p] * w
                stack[8 * n_src, p] = w
            total += np.dot(stack, stack.T)
        for i in range(8 * n_src + 1):
            for j in range(8 * n_src + 1):
                out[column[i], column[j]] += total[i, j]
    return out
