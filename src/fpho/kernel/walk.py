"""One thread's way through the quadtree: set up Gaussians, list them node by node, sum, chain rule.

Entering a node, the Gaussians handed down by its parent are tested against it: kept if the node's
middle is within cut + rho sigma, rho being the largest distance in sigma from the middle to a corner.
The ones wide enough for the node's grid are evaluated there, the rest is handed down. At a tile
the residuals are formed; leaving a node, the residuals gathered on its grid give the sums of
the Gaussians that were evaluated there: the exact derivative of the interpolated model.
"""

import math

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from . import formulas
from .arrays import N_SHAPE
from .compiled import entry, fast, lean
from .loops import (
    FXX,
    FXY,
    FYY,
    GIVEN,
    LEVEL,
    MODEL,
    P1,
    P2,
    P3,
    P4,
    P5,
    RESIDUAL,
    TOTALS,
    A,
    X,
    Y,
    gather,
    interpolate,
    list_model,
    list_sums,
)
from .plan import LEAVE, LEVELS, PITCH
from .vectors import LANES, load_one, store, zero

congruence = lean(formulas.congruence)
invert = lean(formulas.invert)
contract = lean(formulas.contract)
LOST, STEP_LIMIT, WIDE, GRID_ERROR, CROWD = range(5)  # places in the vector of `cpu.Shortcuts`
ZEROS = (np.float32(0.0), np.float32(0.0))
# largest |(x - x0) ... (x - x7)| f^(8)(x) / 8! between 8 points, for exp(-x^2 / 2 sigma^2): times sigma^-8
GRID_FACTOR = 1.63
MIN_RATIO, TINY = 90.0, 1e-30  # no Gaussian is cut within 3 sigma
# lists: 0 the smooth ones of tiles, 1.. one for each level, last the narrow ones of tiles
NARROW, LISTS = LEVELS + 1, LEVELS + 2


@intrinsic
def take_next(typingctx, counter):
    """The value of counter[0] before one is added to it, in one step that threads cannot disturb."""

    def codegen(context, builder, signature, args):
        array = context.make_array(signature.args[0])(context, builder, args[0])
        return builder.atomic_rmw("add", array.data, ir.Constant(ir.IntType(64), 1), "monotonic")

    return types.int64(counter), codegen


@lean
def set_up(
    e,
    b,
    options,
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
    reach,
    kind,
):
    """Gaussians of exposure e: `gauss` (G, 8) x, y, fxx, fyy, fxy, A, dA/d(flux a), v; returns how many.

    Also `kind` (G, 4): source, component, coarsest level, narrow; `reach` (LEVELS + 1, G).
    """
    n, nb = 0, sources.shape[1] - N_SHAPE
    for s in range(position.shape[1]):
        d = scale[e, s]
        east, north = sources[s, nb], sources[s, nb + 1]
        x0 = position[e, s, 0] + d[0, 0] * east + d[0, 1] * north
        y0 = position[e, s, 1] + d[1, 0] * east + d[1, 1] * north
        nxx, nyy, nxy = congruence(
            d[0, 0], d[0, 1], d[1, 0], d[1, 1], sources[s, nb + 2], sources[s, nb + 3], sources[s, nb + 4]
        )
        p, first, peak = psf_index[e, s], n, 0.0
        for j in range(psf_count[p]):
            for k in range(profile_count[s]):
                v = profile[s, k, 1]
                fxx, fyy, fxy, norm = invert(
                    v * nxx + psf[p, j, 3], v * nyy + psf[p, j, 4], v * nxy + psf[p, j, 5]
                )
                unit = gain[e, s] * norm * psf[p, j, 0]
                gauss[n, 0], gauss[n, 1] = x0 + psf[p, j, 1], y0 + psf[p, j, 2]
                gauss[n, 2], gauss[n, 3], gauss[n, 4] = fxx, fyy, fxy
                gauss[n, 5], gauss[n, 6], gauss[n, 7] = sources[s, b] * unit * profile[s, k, 0], unit, v
                kind[n, 0], kind[n, 1] = s, k
                peak += abs(unit * profile[s, k, 0])
                n += 1
        for g in range(first, n):
            j, k = (g - first) // profile_count[s], kind[g, 1]
            flux = abs(profile[s, k, 0] * psf[p, j, 0])
            classify(
                g, flux * (n - first), abs(gauss[g, 6] * profile[s, k, 0]) / peak, options, gauss, reach, kind
            )
    return n


@lean
def classify(g, flux, height, options, gauss, reach, kind):
    """How far Gaussian g reaches and on which grids it may stand, by `cpu.Shortcuts`.

    flux: its share of the source's flux, times the number of Gaussians; height: its share of the peak.
    """
    fxx, fyy, fxy = gauss[g, 2], gauss[g, 3], gauss[g, 4]
    cut = math.sqrt(2.0 * math.log(max(flux / options[LOST], MIN_RATIO)))
    spread = fxx + fyy + 2.0 * abs(fxy)
    limit = min(options[WIDE], math.sqrt(math.sqrt(options[GRID_ERROR] / (GRID_FACTOR * height + TINY))))
    kind[g, 2], kind[g, 3] = 0, spread > options[STEP_LIMIT]
    for level in range(LEVELS + 1):
        reach[level, g] = (cut + 3.5 * PITCH[level] * math.sqrt(spread)) ** 2
        if level > 0 and max(fxx, fyy) * PITCH[level] ** 2 <= limit:
            kind[g, 2] = level


@lean
def enter(gauss, g, x4, y4, pitch, which, blocks, given, listed, counts):
    """Adds Gaussian g to a list, in units of the grid with point (4, 4) at (x4, y4)."""
    n, f_scale = counts[which], pitch * pitch
    at = GIVEN * (which * blocks + n // LANES) + n % LANES
    store(given, at + X, np.float32((x4 - gauss[g, 0]) / pitch))
    store(given, at + Y, np.float32((y4 - gauss[g, 1]) / pitch))
    store(given, at + FXX, np.float32(gauss[g, 2] * f_scale))
    store(given, at + FYY, np.float32(gauss[g, 3] * f_scale))
    store(given, at + FXY, np.float32(gauss[g, 4] * f_scale))
    store(given, at + A, np.float32(gauss[g, 5]))
    listed[which, n] = g
    counts[which] = n + 1


@lean
def select(gauss, reach, kind, passed, above, n, level, x, y, crowd, blocks, given, listed, counts):
    """Tests the n Gaussians handed down to the node at (x, y); returns how many it hands down itself.

    A node that carries tiles (level 1, or a tile without parents) lists those of its tiles, smooth and
    narrow; with fewer than `crowd` Gaussians for its own grid, these are handed down as well.
    """
    pitch, tiles = PITCH[level], level <= 1
    xm, ym, x4, y4 = x + 3.5 * pitch, y + 3.5 * pitch, x + 4.0 * pitch, y + 4.0 * pitch
    n_pass = counts[level] = counts[NARROW] = 0
    if tiles:
        counts[0] = 0
    for i in range(n):
        g = passed[above, i]
        dx, dy = xm - gauss[g, 0], ym - gauss[g, 1]
        if dx * (gauss[g, 2] * dx + 2.0 * gauss[g, 4] * dy) + gauss[g, 3] * dy * dy > reach[level, g]:
            continue
        if level > 0 and kind[g, 2] >= level:
            enter(gauss, g, x4, y4, pitch, level, blocks, given, listed, counts)
        elif tiles:
            enter(gauss, g, x + 4.0, y + 4.0, 1.0, NARROW if kind[g, 3] else 0, blocks, given, listed, counts)
        else:
            passed[level, n_pass] = g
            n_pass += 1
    if level > 0 and counts[level] < crowd:
        for i in range(counts[level]):
            g = listed[level, i]
            if tiles:
                enter(gauss, g, x + 4.0, y + 4.0, 1.0, 0, blocks, given, listed, counts)
            else:
                passed[level, n_pass] = g
                n_pass += 1
        counts[level] = 0
    return n_pass


@lean
def close(which, blocks, given, counts, totals):
    """Fills a list up to whole blocks with Gaussians of amplitude 0, and sets its totals to zero."""
    n, first = counts[which], which * blocks
    for i in range(n, up_to_blocks(n) * LANES):
        for row in (X, Y, FXX, FYY, FXY, A):
            store(given, GIVEN * (first + i // LANES) + i % LANES + row, np.float32(0.0))
    for block in range(first, first + up_to_blocks(n)):
        for row in range(6):
            store(totals, TOTALS * block + LANES * row, zero())


@lean
def up_to_blocks(n):
    """Blocks that n Gaussians take."""
    return (n + LANES - 1) // LANES


@lean
def deliver(which, blocks, listed, counts, totals, pitch, sums):
    """Adds the totals of a list, in units of its grid, to the `sums` (G, 6) of the Gaussians, in pixels."""
    p2 = pitch * pitch
    for i in range(counts[which]):
        g, t = listed[which, i], TOTALS * (which * blocks + i // LANES) + i % LANES
        sums[g, 0] += load_one(totals, t)
        sums[g, 1] += pitch * load_one(totals, t + P1)
        sums[g, 2] += pitch * load_one(totals, t + P2)
        sums[g, 3] += p2 * load_one(totals, t + P3)
        sums[g, 4] += p2 * load_one(totals, t + P4)
        sums[g, 5] += p2 * load_one(totals, t + P5)


@fast
def residuals(data, weight, tile, background, grids):
    """Residuals of a tile, weight (data - model) and zero where the weight is; returns chi2 and their sum."""
    chi2 = total = np.float32(0.0)
    for p in range(64):
        difference = data[tile, p] - (grids[MODEL + p] + background)
        used = weight[tile, p] > 0
        r = weight[tile, p] * difference if used else np.float32(0.0)
        grids[RESIDUAL + p] = r
        chi2 += r * difference if used else np.float32(0.0)
        total += r
    return chi2, total


@lean
def chain(e, b, n_gauss, position, scale, sources, profile, gauss, kind, sums, out):
    """The six sums, brought to the parameters: adds to `out` (S * 8,) flux, east, north, M, sersic, rhalf."""
    nb = sources.shape[1] - N_SHAPE
    for g in range(n_gauss):
        s, k = kind[g, 0], kind[g, 1]
        d = scale[e, s]
        fxx, fyy, fxy, amp, v = gauss[g, 2], gauss[g, 3], gauss[g, 4], gauss[g, 5], gauss[g, 7]
        m0, mx, my = sums[g, 0], sums[g, 1], sums[g, 2]
        hxx, hyy, hxy = congruence(fxx, fxy, fxy, fyy, sums[g, 3], sums[g, 4], sums[g, 5])
        hxx, hyy, hxy = -amp * (hxx - m0 * fxx), -amp * (hyy - m0 * fyy), -amp * (hxy - m0 * fxy)
        cx, cy = -2.0 * amp * (fxx * mx + fxy * my), -2.0 * amp * (fxy * mx + fyy * my)
        # d chi2 / dM of this Gaussian; v d/dv is its contraction with M
        ee, nn, en = congruence(d[0, 0], d[1, 0], d[0, 1], d[1, 1], hxx, hyy, hxy)
        by_v = contract(ee, nn, en, sources[s, nb + 2], sources[s, nb + 3], sources[s, nb + 4])
        by_unit = -2.0 * m0 * gauss[g, 6]
        by_a = by_unit * sources[s, b]
        out[8 * s] += by_unit * profile[s, k, 0]
        out[8 * s + 1] += d[0, 0] * cx + d[1, 0] * cy
        out[8 * s + 2] += d[0, 1] * cx + d[1, 1] * cy
        out[8 * s + 3] += v * ee
        out[8 * s + 4] += v * nn
        out[8 * s + 5] += v * 2.0 * en
        out[8 * s + 6] += by_a * profile[s, k, 2] + by_v * profile[s, k, 3]
        out[8 * s + 7] += by_a * profile[s, k, 4] + by_v * profile[s, k, 5]


@lean
def places(parent, half, transposed):
    """Where the matrix to a child of level `parent` begins in `Plan.interpolation`."""
    return 64 * (4 * parent + 2 * half + transposed)


@lean
def clear(grids, at):
    """Zeros on the 64 points of a grid."""
    for p in range(at, at + 64):
        grids[p] = np.float32(0.0)


@lean
def piece_sums(
    first, end, n_gauss, steps, interpolation, data, weight, background, image, crowd,
    gauss, sums, reach, kind, passed, listed, given, expo, totals, spine, grids, numbers, work,
):  # fmt: skip
    """Walks steps[first:end]: adds to `sums` (G, 6); returns chi2 and the sum of the weighted residuals."""
    chi2, total, draw, blocks = 0.0, 0.0, len(image) > 0, len(totals) // (LISTS * TOTALS)
    counts, n_pass, active = numbers[0], numbers[1], numbers[2]
    corner_x = corner_y = 0
    active[LEVELS + 1] = 0
    for g in range(n_gauss):
        passed[LEVELS + 1, g] = g
    n_pass[LEVELS + 1] = n_gauss
    for step in range(first, end):
        level, x, y, tile = steps[step, 0], steps[step, 1], steps[step, 2], steps[step, 3]
        hx, hy = steps[step, 4], steps[step, 5]
        above = level + 1 if hx >= 0 else LEVELS + 1
        carries = level == 1 or above > LEVELS > level  # a node whose lists serve tiles
        if tile != LEAVE:
            if level > 0 or carries:
                n_pass[level] = select(
                    gauss, reach, kind, passed, above, n_pass[above], level, x, y,
                    0 if active[above] else crowd, blocks, given, listed, counts,
                )  # fmt: skip
                close(level, blocks, given, counts, totals)
            if carries:
                close(0, blocks, given, counts, totals)
                close(NARROW, blocks, given, counts, totals)
                corner_x, corner_y = x, y
            if active[above]:
                interpolate(grids, level, interpolation, places(above, hx, 1), places(above, hy, 0), work)
            else:
                clear(grids, LEVEL * level + MODEL)
            clear(grids, LEVEL * level + RESIDUAL)
            ox, oy = (np.float32(x - corner_x), np.float32(y - corner_y)) if level == 0 else ZEROS
            for which in range(level, LISTS, NARROW if level == 0 else LISTS):
                first, last = which * blocks, which * blocks + up_to_blocks(counts[which])
                if first < last:
                    list_model(given, spine, expo, first, last, which != NARROW, ox, oy, level, grids)
            active[level] = active[above] != 0 or (level > 0 and counts[level] > 0)
        if tile >= 0:
            if draw:
                for p in range(64):
                    image[tile, p] = grids[MODEL + p] + background
                continue
            c, r = residuals(data, weight, tile, background, grids)
            chi2 += c
            total += r
        if draw or tile == -1:
            continue
        ox, oy = (np.float32(x - corner_x), np.float32(y - corner_y)) if level == 0 else ZEROS
        for which in range(level, LISTS, NARROW if level == 0 else LISTS):
            first, last = which * blocks, which * blocks + up_to_blocks(counts[which])
            list_sums(given, expo, first, last, ox, oy, level, grids, totals)
        for which in range(LISTS):
            of_tiles = which == 0 or which == NARROW  # delivered by the node that they were made for
            if (carries and of_tiles) or (which == level and not of_tiles):
                deliver(which, blocks, listed, counts, totals, 1.0 if of_tiles else PITCH[which], sums)
        if active[above]:
            gather(grids, level, interpolation, places(above, hx, 0), places(above, hy, 1), work)
    return chi2, total


@entry
def run(
    counter, partial, image, options, steps, pieces, interpolation, data, weight,
    band, position, scale, gain, psf_index, psf, psf_count, sources, profile, profile_count, background,
    gauss, sums, reach, kind, passed, listed, given, expo, totals, spine, grids, numbers, work,
):  # fmt: skip
    """Takes pieces of work until none is left; fills `image` or `partial` (I, 2 + 8 S)."""
    while True:
        piece = take_next(counter)
        if piece >= len(pieces):
            break
        e = pieces[piece, 0]
        b = band[e]
        n = set_up(
            e, b, options, position, scale, gain, psf_index, psf, psf_count, sources, profile, profile_count,
            gauss, reach, kind,
        )  # fmt: skip
        sums[:n] = 0.0
        partial[piece, 0], partial[piece, 1] = piece_sums(
            pieces[piece, 1], pieces[piece, 2], n, steps, interpolation, data, weight,
            np.float32(background[e]), image, options[CROWD], gauss, sums, reach, kind, passed, listed, given,
            expo, totals, spine, grids, numbers, work,
        )  # fmt: skip
        chain(e, b, n, position, scale, sources, profile, gauss, kind, sums, partial[piece, 2:])


@entry
def add_up(pieces, band, partial, sources):
    """Partial sums in the order of the pieces: chi2 (E,), gradient (S, B + 7), background gradient (E,)."""
    nb = sources.shape[1] - N_SHAPE
    chi2, by_background, gradient = np.zeros(len(band)), np.zeros(len(band)), np.zeros(sources.shape)
    for i in range(len(pieces)):
        e = pieces[i, 0]
        chi2[e] += partial[i, 0]
        by_background[e] -= 2.0 * partial[i, 1]
        for s in range(len(sources)):
            gradient[s, band[e]] += partial[i, 2 + 8 * s]
            for c in range(N_SHAPE):
                gradient[s, nb + c] += partial[i, 2 + 8 * s + 1 + c]
    return chi2, gradient, by_background
