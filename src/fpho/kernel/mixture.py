"""The Gaussians of one exposure: made, merged, put into blocks for the tests of the tree; the chain rule.

Neighbouring Gaussians of a profile that meet the same Gaussian of the PSF differ only in v. Let G(v) be
the Gaussian of covariance v N + C. Three or more of them, of weights a_i > 0, are replaced by two, at
the nodes of Gauss's quadrature for this distribution of v: the two have its moments of v up to the third,
so flux, second and higher moments on the sky stay, and by the remainder of that quadrature

    |sum of G(v_i) - sum of both|  <=  1/4! sup |d^4 G / dv^4|  sum a_i (v_i - v_low)^2 (v_i - v_high)^2

everywhere. In Fourier space d/dv is -k^t N k / 2, so d^4 G / dv^4 has a positive transform and is largest
at the centre, where it falls with v; there G = |v N + C|^(-1/2) / 2 pi, and the supremum over 4! is at
most lambda^4 G with lambda the larger eigenvalue of F N at the smallest v. The two Gaussians carry the
derivatives of their own a and v, so that the gradient is that of the value.
"""

import math

import numpy as np

from . import formulas
from .arrays import N_SHAPE
from .compiled import lean
from .frames import aligned_frame
from .lanes import lanes_within
from .plan import LEVELS, PITCH
from .vectors import LANES, load, store

made = formulas.compiled_by(lean)
congruence, contract, centre, convolved = made.congruence, made.contract, made.centre, made.convolved
cut_radius, reach_of, chain_rule = made.cut_radius, made.reach_of, made.chain

LOST, STEP_LIMIT, WIDE, GRID_ERROR, CROWD, MERGE_ERROR = range(6)  # places in the vector of `cpu.Shortcuts`
# largest |(x - x0) ... (x - x7)| f^(8)(x) / 8! between 8 points, for exp(-x^2 / 2 sigma^2): times sigma^-8
GRID_FACTOR = 1.63
TINY = 1e-30
# columns of `gauss` (G, COLUMNS): centre, F, amplitude, dA / d(flux a), v, a, derivatives by sersic and
# rhalf, |a b|
GX, GY, GXX, GYY, GXY, AMP, UNIT, V, WEIGHT, A_N, V_N, A_R, V_R, SHARE, COLUMNS = range(15)
PREACH = 6  # column of `placed`: reach on a tile; those before it are of `gauss`
# rows of a block of `tests`: centre, Fxx, Fyy, 2 Fxy, reach at each level
TX, TY, TXX, TYY, TXY2, TREACH = (i * LANES for i in range(6))
TEST = (6 + LEVELS) * LANES
NARROW_BITS = LEVELS + 1  # place in `masks`


@lean
def set_up(
    e, b, options, position, scale, gain, psf_index, psf, psf_count, sources, profile, profile_count,
    gauss, reach, kind,
):  # fmt: skip
    """Gaussians of exposure e: fills `gauss` (G, COLUMNS), `reach` (LEVELS + 1, G); returns how many.

    Also `kind` (G, 4): source, place by size, coarsest level, narrow.
    """
    n, nb = 0, sources.shape[1] - N_SHAPE
    for s in range(position.shape[1]):
        d, p, first = scale[e, s], psf_index[e, s], n
        x, y = centre(
            position[e, s, 0], position[e, s, 1], d[0, 0], d[0, 1], d[1, 0], d[1, 1],
            sources[s, nb], sources[s, nb + 1],
        )  # fmt: skip
        nxx, nyy, nxy = congruence(
            d[0, 0], d[0, 1], d[1, 0], d[1, 1], sources[s, nb + 2], sources[s, nb + 3], sources[s, nb + 4]
        )
        peak = peak_of(nxx, nyy, nxy, psf[p], psf_count[p], profile[s], profile_count[s])
        limit, flux = options[MERGE_ERROR] * peak, sources[s, b]
        for j in range(psf_count[p]):
            k, c = 0, psf[p, j]
            while k < profile_count[s]:
                end = k + 1
                if limit > 0:
                    end = group(k, nxx, nyy, nxy, c, profile[s], profile_count[s], limit)
                for g in range(n, put_nodes(n, k, end, profile[s], gauss)):
                    fxx, fyy, fxy, norm = convolved(gauss[g, V], nxx, nyy, nxy, c[3], c[4], c[5])
                    unit = gain[e, s] * norm * c[0]
                    gauss[g, GX], gauss[g, GY] = x + c[1], y + c[2]
                    gauss[g, GXX], gauss[g, GYY], gauss[g, GXY] = fxx, fyy, fxy
                    gauss[g, AMP], gauss[g, UNIT] = flux * unit * gauss[g, WEIGHT], unit
                    gauss[g, SHARE], kind[g, 0] = abs(gauss[g, WEIGHT] * c[0]), s
                    put_in_order(first, g, gauss, kind)
                    n += 1
                k = end
        for g in range(first, n):
            height = abs(gauss[g, UNIT] * gauss[g, WEIGHT]) / (peak * gain[e, s] + TINY)
            classify(g, gauss[g, SHARE] * (n - first), height, options, gauss, reach, kind)
    return n


@lean
def peak_of(nxx, nyy, nxy, psf, psf_count, profile, profile_count):
    """Sum of the heights of all Gaussians of a source of flux 1."""
    peak = 0.0
    for j in range(psf_count):
        for k in range(profile_count):
            norm = convolved(profile[k, 1], nxx, nyy, nxy, psf[j, 3], psf[j, 4], psf[j, 5])[3]
            peak += abs(norm * profile[k, 0] * psf[j, 0])
    return peak


@lean
def group(k, nxx, nyy, nxy, c, profile, profile_count, limit):
    """End of the longest row of Gaussians of the profile from k on that two may replace; else k + 1."""
    fxx, fyy, fxy, norm = convolved(profile[k, 1], nxx, nyy, nxy, c[3], c[4], c[5])
    half = 0.5 * contract(fxx, fyy, fxy, nxx, nyy, nxy)
    det = (fxx * fyy - fxy * fxy) * (nxx * nyy - nxy * nxy)
    largest = half + math.sqrt(max(half * half - det, 0.0))
    worst, end, known = largest**4 * norm * abs(c[0]), k + 1, k + 1
    while known < profile_count and profile[k, 0] > 0 and profile[known, 0] > 0:
        if not profile[known, 1] >= profile[k, 1]:
            break
        known += 1
        if known >= k + 3:
            if not worst * quadrature(profile, k, known)[5] < limit:
                break
            end = known
    return end


@lean
def quadrature(profile, k, end):
    """The two nodes for the Gaussians k:end of a profile: they stand `root` below and above mean + middle.

    Returns weight, mean and variance of the distribution of v, middle, root, the sum in the error's bound.
    """
    a = mean = square = cube = error = 0.0
    for i in range(k, end):
        a += profile[i, 0]
        mean += profile[i, 0] * profile[i, 1]
    mean /= a
    for i in range(k, end):
        d = profile[i, 1] - mean
        square += profile[i, 0] * d * d
        cube += profile[i, 0] * d * d * d
    middle = 0.5 * cube / square
    root = math.sqrt(middle * middle + square / a)
    for i in range(k, end):
        d = profile[i, 1] - mean - middle
        error += profile[i, 0] * (d * d - root * root) ** 2
    return a, mean, square / a, middle, root, error


@lean
def slopes(profile, k, end, column, nodes):
    """Derivatives of weight and v of the lower node, then of the upper; `column` holds da, the next dv."""
    a, mean, square, middle, root, _ = nodes
    by_a = by_mean = by_square = by_cube = 0.0
    for i in range(k, end):
        by_a += profile[i, column]
        by_mean += profile[i, column] * (profile[i, 1] - mean) + profile[i, 0] * profile[i, column + 1]
    by_mean /= a
    for i in range(k, end):
        d, da, dv = profile[i, 1] - mean, profile[i, column], profile[i, column + 1]
        by_square += da * (d * d - square) + 2.0 * profile[i, 0] * d * dv
        by_cube += da * (d * d * d - 2.0 * middle * square) + 3.0 * profile[i, 0] * d * d * dv
    by_square, by_cube = by_square / a, by_cube / a - 3.0 * square * by_mean
    by_middle = (0.5 * by_cube - middle * by_square) / square
    by_root = (middle * by_middle + 0.5 * by_square) / root
    lower = 0.5 * (middle + root) / root  # share of the lower node in the weight
    by_lower = 0.5 * (by_middle + by_root - 2.0 * lower * by_root) / root
    return (
        by_a * lower + a * by_lower,
        by_mean + by_middle - by_root,
        by_a * (1.0 - lower) - a * by_lower,
        by_mean + by_middle + by_root,
    )


@lean
def put_nodes(n, k, end, profile, gauss):
    """Rows n.. of `gauss` for the Gaussian k or the two for k:end: weight, v, derivatives; the next row."""
    if end == k + 1:
        for i in range(6):
            gauss[n, (WEIGHT, V, A_N, V_N, A_R, V_R)[i]] = profile[k, i]
        return n + 1
    nodes = quadrature(profile, k, end)
    a, mean, _, middle, root, _ = nodes
    low = 0.5 * (middle + root) / root * a
    gauss[n, WEIGHT], gauss[n, V] = low, mean + middle - root
    gauss[n + 1, WEIGHT], gauss[n + 1, V] = a - low, mean + middle + root
    gauss[n, A_N], gauss[n, V_N], gauss[n + 1, A_N], gauss[n + 1, V_N] = slopes(profile, k, end, 2, nodes)
    gauss[n, A_R], gauss[n, V_R], gauss[n + 1, A_R], gauss[n + 1, V_R] = slopes(profile, k, end, 4, nodes)
    return n + 2


@lean
def put_in_order(first, n, gauss, kind):
    """Keeps kind[first:, 1] in the order of size, wide Gaussians first."""
    i, key = n, gauss[n, GXX] + gauss[n, GYY]
    while i > first and gauss[kind[i - 1, 1], GXX] + gauss[kind[i - 1, 1], GYY] > key:
        kind[i, 1] = kind[i - 1, 1]
        i -= 1
    kind[i, 1] = n


@lean
def classify(g, flux, height, options, gauss, reach, kind):
    """How far Gaussian g reaches and on which grids it may stand, by `cpu.Shortcuts`.

    flux: its share of the source's flux, times the number of Gaussians; height: its share of the peak.
    """
    fxx, fyy, fxy = gauss[g, GXX], gauss[g, GYY], gauss[g, GXY]
    cut, spread = cut_radius(flux, options[LOST]), fxx + fyy + 2.0 * abs(fxy)
    limit = min(options[WIDE], math.sqrt(math.sqrt(options[GRID_ERROR] / (GRID_FACTOR * height + TINY))))
    kind[g, 2], kind[g, 3] = 0, spread > options[STEP_LIMIT]
    for level in range(LEVELS + 1):
        reach[level, g] = reach_of(cut, 3.5 * PITCH[level], fxx, fyy, fxy)
        if level > 0 and max(fxx, fyy) * PITCH[level] ** 2 <= limit:
            kind[g, 2] = level


@lean
def fill_blocks(n, crowd, gauss, reach, kind, tests, masks, placed):
    """Puts n Gaussians, by source and size, into blocks for `within`; returns the number of blocks.

    `masks` (blocks, LEVELS + 2) int64: bits of the lanes that stand on each level, and of the narrow ones.
    `placed` (G + 1, LANES): what lists take of a Gaussian, in the order of the blocks; the last row fills up.
    Levels with fewer than `crowd` Gaussians are left out.
    """
    aligned_frame()
    for level in range(LEVELS, 0, -1):
        count = 0
        for g in range(n):
            count += kind[g, 2] == level
        if count < crowd:
            for g in range(n):
                kind[g, 2] = min(kind[g, 2], level - 1)
    n_blocks = (n + LANES - 1) // LANES
    for block in range(n_blocks):
        for i in range(LEVELS + 2):
            masks[block, i] = 0
    for i in range(n_blocks * LANES):
        block, lane = i // LANES, i % LANES
        t = TEST * block + lane
        if i >= n:  # fills the block up, reaches nothing
            for row in range(t, t + TEST, LANES):
                store(tests, row, np.float32(0.0 if row < t + TREACH else -1.0))
            continue
        g = kind[i, 1]
        for column in range(PREACH):
            placed[i, column] = gauss[g, column]
        placed[i, PREACH] = reach[0, g]
        store(tests, t + TX, np.float32(gauss[g, GX]))
        store(tests, t + TY, np.float32(gauss[g, GY]))
        store(tests, t + TXX, np.float32(gauss[g, GXX]))
        store(tests, t + TYY, np.float32(gauss[g, GYY]))
        store(tests, t + TXY2, np.float32(2.0 * gauss[g, GXY]))
        for level in range(LEVELS + 1):
            store(tests, t + TREACH + level * LANES, reach[level, g])
        masks[block, kind[g, 2]] |= 1 << lane
        masks[block, NARROW_BITS] |= kind[g, 3] << lane
    return n_blocks


@lean
def within(tests, block, level, x, y):
    """Bits of the Gaussians of a block that reach a node with its middle at (x, y)."""
    aligned_frame()
    t = TEST * block
    dx, dy = x - load(tests, t + TX), y - load(tests, t + TY)
    q = dx * (load(tests, t + TXX) * dx + load(tests, t + TXY2) * dy) + load(tests, t + TYY) * dy * dy
    return lanes_within(q, load(tests, t + TREACH + level * LANES))


@lean
def chain(e, b, n_gauss, scale, sources, gauss, kind, sums, out):
    """The six sums (in the order of blocks) brought to the parameters: adds to `out` (S * 8,).

    These are flux, east, north, M (ee, nn, en), sersic, rhalf.
    """
    nb = sources.shape[1] - N_SHAPE
    for i in range(n_gauss):
        s = kind[kind[i, 1], 0]
        g, m, d = gauss[kind[i, 1]], sums[i], scale[e, s]
        part = chain_rule(
            g[GXX], g[GYY], g[GXY], g[UNIT], sources[s, b], g[WEIGHT], g[V], g[A_N], g[V_N], g[A_R], g[V_R],
            d[0, 0], d[0, 1], d[1, 0], d[1, 1], sources[s, nb + 2], sources[s, nb + 3], sources[s, nb + 4],
            m[0], m[1], m[2], m[3], m[4], m[5],
        )  # fmt: skip
        for c in range(8):
            out[8 * s + c] += part[c]
