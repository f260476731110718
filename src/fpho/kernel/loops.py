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

Error bounds: rounding accumulates to some 1e-6 of the peak while Fxx + Fyy + 2 |Fxy| <= 1.5 (sigma above
1.15 pixels if round); narrower Gaussians take one exponential per point.
"""

import numpy as np
from numba import njit

from .exponential import exponential

LANES = 112  # Gaussians of a slab; an odd number of cache lines, so that rows do not collide in the cache
SLAB = 64 * LANES
EVEN, UP, DOWN, STEP, ZUP, ZDOWN, CX, CY, AMP = (i * LANES for i in range(9))
HALF_ROWS = 9 * LANES  # floats of the state of the upper rows; those of the lower rows follow
X, Y, FXX, FYY, FXY, A = (i * LANES for i in range(6))
N_INPUT = 6

fast = njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "nsz", "reassoc", "arcp"})
HALF, ONE, ZERO = np.float32(0.5), np.float32(1.0), np.float32(0.0)
FAR = np.float32(87.0)


@fast
def start(given, state, n):
    """The recurrences of n Gaussians: `given` (6, LANES) x, y of the point (4, 4) from the centre, F, A."""
    for g in range(n):
        dx, dy = given[X + g], given[Y + g]
        fxx, fyy, fxy = given[FXX + g], given[FYY + g], given[FXY + g]
        u, w = fxx * dx + fxy * dy, fxy * dx + fyy * dy
        half_q = HALF * (u * dx + w * dy)
        value = exponential(-half_q) if half_q < FAR else ZERO
        up, down = exponential(-u - HALF * fxx), exponential(u - HALF * fxx)
        above, below = exponential(-w - HALF * fyy), exponential(w - HALF * fyy)
        cx, cy, z, z_inverse = exponential(-fxx), exponential(-fyy), exponential(-fxy), exponential(fxy)
        state[EVEN + g], state[UP + g], state[DOWN + g] = value, up, down
        state[STEP + g], state[ZUP + g], state[ZDOWN + g] = above, z, z_inverse
        state[CX + g], state[CY + g], state[AMP + g] = cx, cy, given[A + g]
        lower = HALF_ROWS + g
        state[EVEN + lower], state[UP + lower], state[DOWN + lower] = value * below, up * z_inverse, down * z
        state[STEP + lower], state[ZUP + lower], state[ZDOWN + lower] = below * cy, z_inverse, z
        state[CX + lower], state[CY + lower], state[AMP + lower] = cx, cy, given[A + g]


@fast
def row_by_steps(state, expo, n, model):
    """One row of 8 points: E into `expo` (8, LANES), A E added to `model` (8,), `state` moved on one row."""
    m0 = m1 = m2 = m3 = m4 = m5 = m6 = m7 = ZERO
    for g in range(n):
        e4, up, down = state[EVEN + g], state[UP + g], state[DOWN + g]
        c, a, step = state[CX + g], state[AMP + g], state[STEP + g]
        up_2, down_2 = up * c, down * c
        up_3, down_3 = up_2 * c, down_2 * c
        e5, e3 = e4 * up, e4 * down
        e6, e2 = e5 * up_2, e3 * down_2
        e7, e1 = e6 * up_3, e2 * down_3
        e0 = e1 * (down_3 * c)
        expo[g], expo[LANES + g], expo[2 * LANES + g], expo[3 * LANES + g] = e0, e1, e2, e3
        expo[4 * LANES + g], expo[5 * LANES + g], expo[6 * LANES + g], expo[7 * LANES + g] = e4, e5, e6, e7
        m0, m1, m2, m3 = m0 + a * e0, m1 + a * e1, m2 + a * e2, m3 + a * e3
        m4, m5, m6, m7 = m4 + a * e4, m5 + a * e5, m6 + a * e6, m7 + a * e7
        state[EVEN + g], state[STEP + g] = e4 * step, step * state[CY + g]
        state[UP + g], state[DOWN + g] = up * state[ZUP + g], down * state[ZDOWN + g]
    model[0], model[1], model[2], model[3] = model[0] + m0, model[1] + m1, model[2] + m2, model[3] + m3
    model[4], model[5], model[6], model[7] = model[4] + m4, model[5] + m5, model[6] + m6, model[7] + m7


@fast
def point_by_exponentials(given, expo, n, i, j):
    """E of one point (i, j) into `expo` (LANES,), each by its own exponential; returns the sum of A E."""
    total = ZERO
    for g in range(n):
        dx, dy = given[X + g] + i, given[Y + g] + j
        value = exponential(
            -HALF * (dx * (given[FXX + g] * dx + given[FXY + g] * dy))
            - HALF * dy * (given[FXY + g] * dx + given[FYY + g] * dy)
        )
        expo[g] = value
        total += given[A + g] * value
    return total


@fast
def row_sums(expo, n, r, y, sums):
    """Adds one row's part of the six sums (0, x, y, xx, yy, xy) to `sums` (6, LANES); y of the row from 3.5."""
    r0, r1, r2, r3, r4, r5, r6, r7 = r[0], r[1], r[2], r[3], r[4], r[5], r[6], r[7]
    yy = y * y
    for g in range(n):
        t3, t4 = r3 * expo[3 * LANES + g], r4 * expo[4 * LANES + g]
        t2, t5 = r2 * expo[2 * LANES + g], r5 * expo[5 * LANES + g]
        t1, t6 = r1 * expo[LANES + g], r6 * expo[6 * LANES + g]
        t0, t7 = r0 * expo[g], r7 * expo[7 * LANES + g]
        even_3, even_2, even_1, even_0 = t3 + t4, t2 + t5, t1 + t6, t0 + t7
        s0 = even_0 + even_1 + even_2 + even_3
        sx = (
            HALF * (t4 - t3)
            + np.float32(1.5) * (t5 - t2)
            + np.float32(2.5) * (t6 - t1)
            + np.float32(3.5) * (t7 - t0)
        )
        sxx = (
            np.float32(0.25) * even_3
            + np.float32(2.25) * even_2
            + np.float32(6.25) * even_1
            + np.float32(12.25) * even_0
        )
        sums[g] += s0
        sums[LANES + g] += sx
        sums[2 * LANES + g] += y * s0
        sums[3 * LANES + g] += sxx
        sums[4 * LANES + g] += yy * s0
        sums[5 * LANES + g] += y * sx


@fast
def recentre(given, sums, n):
    """Turns sums about the middle of the grid into sums about each Gaussian's centre."""
    for g in range(n):
        cx, cy = given[X + g] - HALF, given[Y + g] - HALF
        m0, mx, my = sums[g], sums[LANES + g], sums[2 * LANES + g]
        sums[3 * LANES + g] += cx * (mx + mx + cx * m0)
        sums[4 * LANES + g] += cy * (my + my + cy * m0)
        sums[5 * LANES + g] += cx * my + cy * mx + cx * cy * m0
        sums[LANES + g] = mx + cx * m0
        sums[2 * LANES + g] = my + cy * m0


@fast
def slab_model(given, state, expo, n, by_steps, model):
    """Adds a slab of n Gaussians to `model` (64,) and keeps E in `expo` (64, LANES)."""
    if by_steps:
        start(given, state, n)
        for row in range(4):
            j = 4 + row
            row_by_steps(state, expo[8 * j * LANES :], n, model[8 * j :])
            j = 3 - row
            row_by_steps(state[HALF_ROWS:], expo[8 * j * LANES :], n, model[8 * j :])
    else:
        for p in range(64):
            i, j = np.float32((p & 7) - 4), np.float32((p >> 3) - 4)
            model[p] += point_by_exponentials(given, expo[p * LANES :], n, i, j)


@fast
def slab_sums(given, expo, n, r, sums):
    """The six sums of a slab over the grid, about each Gaussian's centre, in units of the pitch."""
    sums[:] = ZERO
    for j in range(8):
        row_sums(expo[8 * j * LANES :], n, r[8 * j :], np.float32(j - 3.5), sums)
    recentre(given, sums, n)


@fast
def interpolate(parent, px, py, child):
    """child (64,) = py parent px^t: grid values of a child from its parent's; px, py (8, 8)."""
    along = np.empty(64, np.float32)
    for j in range(8):
        for i in range(8):
            total = ZERO
            for k in range(8):
                total += py[j, k] * parent[8 * k + i]
            along[8 * j + i] = total
    for j in range(8):
        for i in range(8):
            total = ZERO
            for k in range(8):
                total += along[8 * j + k] * px[i, k]
            child[8 * j + i] = total


@fast
def gather(child, px, py, parent):
    """parent (64,) += py^t child px: the adjoint of `interpolate`, for residuals."""
    along = np.empty(64, np.float32)
    for k in range(8):
        for i in range(8):
            total = ZERO
            for j in range(8):
                total += py[j, k] * child[8 * j + i]
            along[8 * k + i] = total
    for k in range(8):
        for i in range(8):
            total = ZERO
            for j in range(8):
                total += along[8 * k + j] * px[j, i]
            parent[8 * k + i] += total
