"""The loops over grid points: what the processor's time is spent in.

A grid has 8 x 8 points a pitch h apart: the pixels of a tile (h = 1), or the coarser grid of a group
of tiles. In units of h, d = d0 + (i - 4, j - 4) with d0 the point (4, 4) seen from the centre, and
with u = Fxx dx + Fxy dy, w = Fxy dx + Fyy dy the value E = exp(-d^t F d / 2) at neighbouring points
differs by

    E(i + 1, j) / E(i, j) = exp(-u - Fxx / 2)      which itself changes by exp(-Fxx) from point to point
    E(i - 1, j) / E(i, j) = exp(+u - Fxx / 2)      and by exp(-+Fxy) from row to row,

so that seven exponentials per Gaussian and grid give all 64 values by two multiplications each, never
more than 4 + 4 steps from the middle. Vectors run over Gaussians: the lists below are arrays (rows, LANES),
flattened, one row per quantity. The six sums are taken about the middle (3.5, 3.5) of the grid; points at
equal distance left and right of it share their even and odd parts.

Shapes: given (LISTS, slabs, 6 LANES), lists of Gaussians in units of their grid; expo (LISTS, slabs,
64 LANES), their E; totals (LISTS, slabs, 6 LANES), their sums; grids (LEVELS + 1, 2, 64), model and
residuals of a level; state (18 LANES,), sums (6 LANES,). A list belongs to a node; the two lists of tiles
(smooth, narrow) are shared by the 2 x 2 tiles of a node of level 1, each standing (ox, oy) from the place
that X, Y are given for.
"""

import numpy as np

from .compiled import fast
from .exponential import exponential

LANES = 112  # Gaussians of a slab; an odd number of cache lines, so that rows do not collide in the cache
U = np.uint64  # indices of the vector loops are unsigned: numba would test signed ones for being negative
EVEN, UP, DOWN, STEP, ZUP, ZDOWN, CX, CY, AMP = (U(i * LANES) for i in range(9))
HALF_ROWS = U(9 * LANES)  # floats of the state of the upper rows; those of the lower rows follow
X, Y, FXX, FYY, FXY, A = (U(i * LANES) for i in range(6))
P0, P1, P2, P3, P4, P5, P6, P7 = (U(i * LANES) for i in range(8))  # points of a row; also the six sums
ROW, ONE, THREE, FOUR, EIGHT = U(8 * LANES), U(1), U(3), U(4), U(8)

MODEL, RESIDUAL = 0, 1  # places in `grids`
HALF, ZERO = np.float32(0.5), np.float32(0.0)
F1, F2, F3, F4 = np.float32(1), np.float32(2), np.float32(3), np.float32(4)
FAR = np.float32(87.0)
W0, W1, W2, W3 = np.float32(0.25), np.float32(1.5), np.float32(2.5), np.float32(3.5)


@fast
def start(given, state, which, slab, n, ox, oy):
    """The recurrences of n Gaussians, from the point (4, 4) seen from the centre and F."""
    for g in range(U(n)):
        dx, dy = given[which, slab, X + g] + ox, given[which, slab, Y + g] + oy
        fxx, fyy, fxy = given[which, slab, FXX + g], given[which, slab, FYY + g], given[which, slab, FXY + g]
        a = given[which, slab, A + g]
        u, w = fxx * dx + fxy * dy, fxy * dx + fyy * dy
        half_q = HALF * (u * dx + w * dy)
        value = exponential(-half_q) if half_q < FAR else ZERO
        up, down = exponential(-u - HALF * fxx), exponential(u - HALF * fxx)
        above, below = exponential(-w - HALF * fyy), exponential(w - HALF * fyy)
        cx, cy, z, z_inverse = exponential(-fxx), exponential(-fyy), exponential(-fxy), exponential(fxy)
        state[EVEN + g], state[UP + g], state[DOWN + g] = value, up, down
        state[STEP + g], state[ZUP + g], state[ZDOWN + g] = above, z, z_inverse
        state[CX + g], state[CY + g], state[AMP + g] = cx, cy, a
        low = HALF_ROWS + g
        state[EVEN + low], state[UP + low], state[DOWN + low] = value * below, up * z_inverse, down * z
        state[STEP + low], state[ZUP + low], state[ZDOWN + low] = below * cy, z_inverse, z
        state[CX + low], state[CY + low], state[AMP + low] = cx, cy, a


@fast
def row_by_steps(state, half, expo, which, slab, j, n, level, grids):
    """Row j of 8 points: keeps E, adds A E to the model, moves `state` of a half (0 up, 1 down) on."""
    m0 = m1 = m2 = m3 = m4 = m5 = m6 = m7 = ZERO
    for i in range(U(n)):
        g = half * HALF_ROWS + i
        e4, up, down = state[EVEN + g], state[UP + g], state[DOWN + g]
        c, a, step = state[CX + g], state[AMP + g], state[STEP + g]
        up_2, down_2 = up * c, down * c
        up_3, down_3 = up_2 * c, down_2 * c
        e5, e3 = e4 * up, e4 * down
        e6, e2 = e5 * up_2, e3 * down_2
        e7, e1 = e6 * up_3, e2 * down_3
        e0 = e1 * (down_3 * c)
        p = j * ROW + i
        expo[which, slab, p + P0], expo[which, slab, p + P1] = e0, e1
        expo[which, slab, p + P2], expo[which, slab, p + P3] = e2, e3
        expo[which, slab, p + P4], expo[which, slab, p + P5] = e4, e5
        expo[which, slab, p + P6], expo[which, slab, p + P7] = e6, e7
        m0, m1, m2, m3 = m0 + a * e0, m1 + a * e1, m2 + a * e2, m3 + a * e3
        m4, m5, m6, m7 = m4 + a * e4, m5 + a * e5, m6 + a * e6, m7 + a * e7
        state[EVEN + g], state[STEP + g] = e4 * step, step * state[CY + g]
        state[UP + g], state[DOWN + g] = up * state[ZUP + g], down * state[ZDOWN + g]
    p = EIGHT * j
    for m in (m0, m1, m2, m3, m4, m5, m6, m7):
        grids[level, MODEL, p] += m
        p += ONE


@fast
def quadratic(dx, fxx, b, c):
    """exp(-d^t F d / 2) with b = Fxy dy and c = Fyy dy^2."""
    return exponential(-HALF * (dx * (fxx * dx + b + b) + c))


@fast
def row_by_exponentials(given, expo, which, slab, j, n, ox, oy, level, grids):
    """Row j of 8 points with an exponential for each: for Gaussians too narrow for `row_by_steps`."""
    m0 = m1 = m2 = m3 = m4 = m5 = m6 = m7 = ZERO
    y = oy + np.float32(j) - F4
    for g in range(U(n)):
        dx, dy = given[which, slab, X + g] + ox, given[which, slab, Y + g] + y
        fxx, fyy = given[which, slab, FXX + g], given[which, slab, FYY + g]
        fxy, a = given[which, slab, FXY + g], given[which, slab, A + g]
        b, c = fxy * dy, fyy * dy * dy
        e0, e1 = quadratic(dx - F4, fxx, b, c), quadratic(dx - F3, fxx, b, c)
        e2, e3 = quadratic(dx - F2, fxx, b, c), quadratic(dx - F1, fxx, b, c)
        e4, e5 = quadratic(dx, fxx, b, c), quadratic(dx + F1, fxx, b, c)
        e6, e7 = quadratic(dx + F2, fxx, b, c), quadratic(dx + F3, fxx, b, c)
        p = j * ROW + g
        expo[which, slab, p + P0], expo[which, slab, p + P1] = e0, e1
        expo[which, slab, p + P2], expo[which, slab, p + P3] = e2, e3
        expo[which, slab, p + P4], expo[which, slab, p + P5] = e4, e5
        expo[which, slab, p + P6], expo[which, slab, p + P7] = e6, e7
        m0, m1, m2, m3 = m0 + a * e0, m1 + a * e1, m2 + a * e2, m3 + a * e3
        m4, m5, m6, m7 = m4 + a * e4, m5 + a * e5, m6 + a * e6, m7 + a * e7
    p = EIGHT * j
    for m in (m0, m1, m2, m3, m4, m5, m6, m7):
        grids[level, MODEL, p] += m
        p += ONE


@fast
def slab_model(given, state, expo, which, slab, n, by_steps, ox, oy, level, grids):
    """Adds a slab of n Gaussians to the model of the level and keeps their E."""
    if by_steps:
        start(given, state, which, slab, n, ox, oy)
        for row in range(FOUR):
            row_by_steps(state, U(0), expo, which, slab, FOUR + row, n, level, grids)
            row_by_steps(state, ONE, expo, which, slab, THREE - row, n, level, grids)
    else:
        for j in range(EIGHT):
            row_by_exponentials(given, expo, which, slab, j, n, ox, oy, level, grids)


@fast
def row_moments(expo, which, slab, g, r0, r1, r2, r3, r4, r5, r6, r7):
    """Sums of r E, r E x and r E x^2 over one row of 8 points, x from the middle."""
    t3, t4 = r3 * expo[which, slab, P3 + g], r4 * expo[which, slab, P4 + g]
    t2, t5 = r2 * expo[which, slab, P2 + g], r5 * expo[which, slab, P5 + g]
    t1, t6 = r1 * expo[which, slab, P1 + g], r6 * expo[which, slab, P6 + g]
    t0, t7 = r0 * expo[which, slab, g], r7 * expo[which, slab, P7 + g]
    even_3, even_2, even_1, even_0 = t3 + t4, t2 + t5, t1 + t6, t0 + t7
    odd = HALF * (t4 - t3) + W1 * (t5 - t2) + W2 * (t6 - t1) + W3 * (t7 - t0)
    square = (W0 * even_3 + W1 * W1 * even_2) + (W2 * W2 * even_1 + W3 * W3 * even_0)
    return (even_0 + even_1) + (even_2 + even_3), odd, square


@fast
def rows_sums(expo, which, slab, n, row, level, grids, sums):
    """Adds the rows 4 + row and 3 - row to the six sums (0, x, y, xx, yy, xy) about the middle."""
    up, low = EIGHT * (FOUR + row), EIGHT * (THREE - row)
    u0, u1, u2, u3 = (
        grids[level, RESIDUAL, up],
        grids[level, RESIDUAL, up + U(1)],
        grids[level, RESIDUAL, up + U(2)],
        grids[level, RESIDUAL, up + U(3)],
    )
    u4, u5, u6, u7 = (
        grids[level, RESIDUAL, up + U(4)],
        grids[level, RESIDUAL, up + U(5)],
        grids[level, RESIDUAL, up + U(6)],
        grids[level, RESIDUAL, up + U(7)],
    )
    l0, l1, l2, l3 = (
        grids[level, RESIDUAL, low],
        grids[level, RESIDUAL, low + U(1)],
        grids[level, RESIDUAL, low + U(2)],
        grids[level, RESIDUAL, low + U(3)],
    )
    l4, l5, l6, l7 = (
        grids[level, RESIDUAL, low + U(4)],
        grids[level, RESIDUAL, low + U(5)],
        grids[level, RESIDUAL, low + U(6)],
        grids[level, RESIDUAL, low + U(7)],
    )
    y = np.float32(row) + HALF
    for g in range(U(n)):
        s, sx, sxx = row_moments(expo, which, slab, up * P1 + g, u0, u1, u2, u3, u4, u5, u6, u7)
        t, tx, txx = row_moments(expo, which, slab, low * P1 + g, l0, l1, l2, l3, l4, l5, l6, l7)
        sums[g] += s + t
        sums[P1 + g] += sx + tx
        sums[P2 + g] += y * (s - t)
        sums[P3 + g] += sxx + txx
        sums[P4 + g] += y * y * (s + t)
        sums[P5 + g] += y * (sx - tx)


@fast
def recentre(given, which, slab, n, ox, oy, sums, totals):
    """Adds the sums about the middle of the grid to the totals, which are about each Gaussian's centre."""
    for g in range(U(n)):
        cx, cy = given[which, slab, X + g] + ox - HALF, given[which, slab, Y + g] + oy - HALF
        m0, mx, my = sums[g], sums[P1 + g], sums[P2 + g]
        totals[which, slab, g] += m0
        totals[which, slab, P1 + g] += mx + cx * m0
        totals[which, slab, P2 + g] += my + cy * m0
        totals[which, slab, P3 + g] += sums[P3 + g] + cx * (mx + mx + cx * m0)
        totals[which, slab, P4 + g] += sums[P4 + g] + cy * (my + my + cy * m0)
        totals[which, slab, P5 + g] += sums[P5 + g] + cx * my + cy * mx + cx * cy * m0


@fast
def slab_sums(given, expo, which, slab, n, ox, oy, level, grids, sums, totals):
    """The six sums of a slab over the grid, in units of the pitch, added to the totals."""
    for g in range(U(n)):
        sums[g] = sums[P1 + g] = sums[P2 + g] = sums[P3 + g] = sums[P4 + g] = sums[P5 + g] = ZERO
    for row in range(FOUR):
        rows_sums(expo, which, slab, n, row, level, grids, sums)
    recentre(given, which, slab, n, ox, oy, sums, totals)


@fast
def interpolate(grids, level, matrices, above, hx, hy, n, work):
    """Model of a child at `level` from its parent's at `above`: child = py parent px^t.

    n is 8, read at run time: a loop known to be that short would be unrolled instead of made vectors.
    """
    for j in range(EIGHT):
        for i in range(U(n)):
            total = ZERO
            for k in range(EIGHT):
                total += grids[above, MODEL, EIGHT * j + k] * matrices[above, hx, 1, EIGHT * k + i]
            work[EIGHT * j + i] = total
    for j in range(EIGHT):
        for i in range(U(n)):
            total = ZERO
            for k in range(EIGHT):
                total += matrices[above, hy, 0, EIGHT * j + k] * work[EIGHT * k + i]
            grids[level, MODEL, EIGHT * j + i] = total


@fast
def gather(grids, level, matrices, above, hx, hy, n, work):
    """Residuals of a child, added to its parent's: parent += py^t child px, the adjoint of `interpolate`."""
    for j in range(EIGHT):
        for i in range(U(n)):
            total = ZERO
            for k in range(EIGHT):
                total += grids[level, RESIDUAL, EIGHT * j + k] * matrices[above, hx, 0, EIGHT * k + i]
            work[EIGHT * j + i] = total
    for j in range(EIGHT):
        for i in range(U(n)):
            total = ZERO
            for k in range(EIGHT):
                total += matrices[above, hy, 1, EIGHT * j + k] * work[EIGHT * k + i]
            grids[above, RESIDUAL, EIGHT * j + i] += total
