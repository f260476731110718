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
from numba import njit, types
from numba.extending import intrinsic

from . import formulas
from .arrays import N_SHAPE
from .loops import A, FXX, FXY, FYY, LANES, X, Y, gather, interpolate, slab_model, slab_sums
from .plan import LEAVE, LEVELS, PITCH

jit = njit(cache=True, nogil=True, error_model="numpy")
congruence = njit(formulas.congruence, cache=True)
invert = njit(formulas.invert, cache=True)
contract = njit(formulas.contract, cache=True)
CUT, STEP_LIMIT, WIDE, CROWD = range(4)  # places in the vector of `cpu.Shortcuts`
VECTOR = 8  # lists are filled up to a multiple of this with Gaussians of amplitude 0


@intrinsic
def take_next(typingctx, counter):
    """The value of counter[0] before one is added to it, in one step that threads cannot disturb."""

    def codegen(context, builder, signature, args):
        array = context.make_array(signature.args[0])(context, builder, args[0])
        return builder.atomic_rmw("add", array.data, ir.Constant(ir.IntType(64), 1), "monotonic")

    return types.int64(counter), codegen


@jit
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
    """Gaussians of exposure e: `gauss` (G, 8) x, y, fxx, fyy, fxy, A, dA/d(flux a), v; returns how many."""
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
                fxx, fyy, fxy, norm = invert(
                    v * nxx + psf[p, j, 3], v * nyy + psf[p, j, 4], v * nxy + psf[p, j, 5]
                )
                unit = gain[e, s] * norm * psf[p, j, 0]
                gauss[n, 0], gauss[n, 1] = x0 + psf[p, j, 1], y0 + psf[p, j, 2]
                gauss[n, 2], gauss[n, 3], gauss[n, 4] = fxx, fyy, fxy
                gauss[n, 5], gauss[n, 6], gauss[n, 7] = sources[s, b] * unit * profile[s, k, 0], unit, v
                spread = fxx + fyy + 2.0 * abs(fxy)
                coarsest = 0
                for level in range(LEVELS + 1):
                    rho = 0.5 * 7.0 * PITCH[level] * math.sqrt(spread)
                    reach[level, n] = (options[CUT] + rho) ** 2
                    if level > 0 and max(fxx, fyy) * PITCH[level] ** 2 <= options[WIDE]:
                        coarsest = level
                kind[n, 0], kind[n, 1], kind[n, 2], kind[n, 3] = s, k, coarsest, spread > options[STEP_LIMIT]
                n += 1
    return n


@jit
def select(gauss, reach, kind, candidates, n, level, xm, ym, passed, here):
    """Tests n candidates against the node with middle (xm, ym): (passed on, here smooth, here narrow)."""
    n_pass = n_smooth = n_narrow = 0
    for i in range(n):
        g = candidates[i]
        dx, dy = xm - gauss[g, 0], ym - gauss[g, 1]
        q = gauss[g, 2] * dx * dx + gauss[g, 3] * dy * dy + 2.0 * gauss[g, 4] * dx * dy
        if q > reach[level, g]:
            continue
        if kind[g, 2] < level:
            passed[n_pass] = g
            n_pass += 1
        elif kind[g, 3] and level == 0:
            here[1, n_narrow] = g
            n_narrow += 1
        else:
            here[0, n_smooth] = g
            n_smooth += 1
    return n_pass, n_smooth, n_narrow


@jit
def fill(gauss, listed, first, n, x, y, pitch, given):
    """Gaussians listed[first:first + n] in units of the grid at (x, y); returns n filled up to whole vectors."""
    f_scale, x4, y4 = pitch * pitch, x + 4.0 * pitch, y + 4.0 * pitch
    for i in range(n):
        g = listed[first + i]
        given[X + i], given[Y + i] = (x4 - gauss[g, 0]) / pitch, (y4 - gauss[g, 1]) / pitch
        given[FXX + i], given[FYY + i] = gauss[g, 2] * f_scale, gauss[g, 3] * f_scale
        given[FXY + i], given[A + i] = gauss[g, 4] * f_scale, gauss[g, 5]
    whole = (n + VECTOR - 1) // VECTOR * VECTOR
    for i in range(n, whole):
        given[X + i] = given[Y + i] = given[FXX + i] = given[FYY + i] = given[FXY + i] = given[A + i] = 0.0
    return whole


@jit
def node_model(gauss, here, counts, x, y, pitch, given, expo, state, grid):
    """Adds the Gaussians listed in `here` to `grid`, slab by slab: smooth ones, then narrow ones."""
    slab = 0
    for narrow in range(2):
        for first in range(0, counts[narrow], LANES):
            n = min(LANES, counts[narrow] - first)
            whole = fill(gauss, here[narrow], first, n, x, y, pitch, given[slab])
            slab_model(given[slab], state, expo[slab], whole, narrow == 0, grid)
            slab += 1


@jit
def node_sums(here, counts, pitch, given, expo, resid, slab_total, sums):
    """Six sums of the Gaussians of `node_model` with the residuals on the grid, added to `sums` (G, 6)."""
    slab = 0
    p2 = pitch * pitch
    for narrow in range(2):
        for first in range(0, counts[narrow], LANES):
            n = min(LANES, counts[narrow] - first)
            slab_sums(given[slab], expo[slab], (n + VECTOR - 1) // VECTOR * VECTOR, resid, slab_total)
            for i in range(n):
                g = here[narrow, first + i]
                sums[g, 0] += slab_total[i]
                sums[g, 1] += pitch * slab_total[LANES + i]
                sums[g, 2] += pitch * slab_total[2 * LANES + i]
                sums[g, 3] += p2 * slab_total[3 * LANES + i]
                sums[g, 4] += p2 * slab_total[4 * LANES + i]
                sums[g, 5] += p2 * slab_total[5 * LANES + i]
            slab += 1


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "nsz", "reassoc"})
def residuals(data, weight, model, resid):
    """resid (64,) = weight (data - model), zero where weight is; returns chi2 and the sum of resid."""
    chi2 = total = np.float32(0.0)
    for p in range(64):
        difference = data[p] - model[p]
        r = weight[p] * difference
        r = r if weight[p] > 0 else np.float32(0.0)
        resid[p] = r
        chi2 += r * difference if weight[p] > 0 else np.float32(0.0)
        total += r
    return chi2, total


@jit
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


@jit
def piece_sums(
    first, end, n_gauss, steps, interpolation, data, weight, background, image, crowd,
    gauss, sums, reach, kind, passed, here, given, expo, state, slab_total, grids,
):  # fmt: skip
    """Walks steps[first:end]: adds to `sums` (G, 6); returns chi2 and the sum of the weighted residuals."""
    chi2 = total = 0.0
    n_pass, counts = np.zeros(LEVELS + 2, np.int64), np.zeros((LEVELS + 1, 2), np.int64)
    active = np.zeros(LEVELS + 2, np.bool_)
    for g in range(n_gauss):
        passed[LEVELS + 1, g] = g
    n_pass[LEVELS + 1] = n_gauss
    for step in range(first, end):
        level, x, y, tile = steps[step, 0], steps[step, 1], steps[step, 2], steps[step, 3]
        hx, hy = steps[step, 4], steps[step, 5]
        above = level + 1 if hx >= 0 else LEVELS + 1
        pitch, model, resid = PITCH[level], grids[level, 0], grids[level, 1]
        if tile != LEAVE:
            half = 3.5 * pitch
            n_pass[level], counts[level, 0], counts[level, 1] = select(
                gauss,
                reach,
                kind,
                passed[above],
                n_pass[above],
                level,
                x + half,
                y + half,
                passed[level],
                here[level],
            )
            if level > 0 and not active[above] and counts[level, 0] < crowd:
                for i in range(counts[level, 0]):
                    passed[level, n_pass[level] + i] = here[level, 0, i]
                n_pass[level] += counts[level, 0]
                counts[level, 0] = 0
            if active[above]:
                interpolate(grids[above, 0], interpolation[above, hx], interpolation[above, hy], model)
            else:
                model[:] = 0.0
            node_model(
                gauss, here[level], counts[level], x, y, pitch, given[level], expo[level], state, model
            )
            active[level] = active[above] or counts[level, 0] > 0
            resid[:] = 0.0
        if tile >= 0:
            for p in range(64):
                model[p] += background
            if len(image) > 0:
                image[tile] = model
                continue
            c, r = residuals(data[tile], weight[tile], model, resid)
            chi2 += c
            total += r
        if tile != -1 and len(image) == 0:
            node_sums(here[level], counts[level], pitch, given[level], expo[level], resid, slab_total, sums)
            if active[above]:
                gather(resid, interpolation[above, hx], interpolation[above, hy], grids[above, 1])
    return chi2, total


@jit
def run(
    counter, partial, image, options, steps, pieces, interpolation, data, weight,
    band, position, scale, gain, psf_index, psf, psf_count, sources, profile, profile_count, background,
    gauss, sums, reach, kind, passed, here, given, expo, state, slab_total, grids,
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
            pieces[piece, 1], pieces[piece, 2], n, steps, interpolation, data, weight, np.float32(background[e]),
            image, options[CROWD], gauss, sums, reach, kind, passed, here, given, expo, state, slab_total, grids,
        )  # fmt: skip
        chain(e, b, n, position, scale, sources, profile, gauss, kind, sums, partial[piece, 2:])


@jit
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
