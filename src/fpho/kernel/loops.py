"""The loops over grid points: what the processor's time is spent in.

A grid has 8 x 8 points a pitch h apart: the pixels of a tile (h = 1), or the coarser grid of a group
of tiles. In units of h, d = d0 + (i - 4, j - 4) with d0 the point (4, 4) seen from the centre, and
with u = Fxx dx + Fxy dy, w = Fxy dx + Fyy dy the value E = exp(-d^t F d / 2) at neighbouring points
differs by

    E(i + 1, j) / E(i, j) = exp(-u - Fxx / 2)      which itself changes by exp(-Fxx) from point to point
    E(i - 1, j) / E(i, j) = exp(+u - Fxx / 2)      and by exp(-+Fxy) from row to row,

so that six exponentials per Gaussian and grid give all 64 values by two multiplications each, never
more than 4 + 4 steps from the middle. First the middles of the 8 rows with their ratios to both
sides are made (`start`), then the rows, each for the whole list, its 8 points in registers. The six sums
are taken about the middle (3.5, 3.5) of the grid, for one block of Gaussians at a time; points at
equal distance left and right of it share their even and odd parts.

Vectors (`vectors`) run over Gaussians, LANES of them a block. All arrays are flat float32; a list
occupies whole blocks, filled up with Gaussians of amplitude 0. Shapes by block: given (11, LANES), Gaussians
in units of their grid; expo (64, LANES), their E; totals (6, LANES), their sums; spine (25, LANES), for
the blocks of one list. `grids` (LEVELS + 1, 2, 64) holds model and residuals of each level. A list belongs
to a node; the two lists of tiles (smooth, narrow) are shared by the 2 x 2 tiles of a node of level 1, each
standing (ox, oy) from the place that X, Y are given for, each with its own choice of blocks, `live`.
"""

import numpy as np

from .compiled import fused, lean
from .exponential import exponential
from .vectors import (
    LANES,
    columns,
    if_positive,
    lane_sums,
    lanes_within,
    load,
    load_one,
    load_row,
    row_sum,
    store,
    unless_above,
    zero,
)

# rows of `given`: centre, F, amplitude, reach, exp of -Fxx, -Fyy, -Fxy, +Fxy
X, Y, FXX, FYY, FXY, A, REACH, CX, CY, Z, Z_INVERSE = (i * LANES for i in range(11))
GIVEN, EXPO, TOTALS, SPINE = 11 * LANES, 64 * LANES, 6 * LANES, 25 * LANES  # floats of a block
UP, DOWN, STRIDE, RATIO = LANES, 2 * LANES, 3 * LANES, 24 * LANES  # in `spine`: three a row, one for all
P0, P1, P2, P3, P4, P5, P6, P7 = (i * LANES for i in range(8))  # points of a row in `expo`; sums in `totals`

MODEL, RESIDUAL, LEVEL = 0, 64, 128  # places in `grids`; floats of a level
FAR = np.float32(87.0)
HALF, F1, F2, F3, F4 = (np.float32(v) for v in (0.5, 1.0, 2.0, 3.0, 4.0))
W0, W1, W2, W3 = np.float32(0.25), np.float32(1.5), np.float32(2.5), np.float32(3.5)


@fused
def ratios(given, block):
    """What the recurrences of a block have in common on all tiles."""
    g = GIVEN * block
    z = exponential(-load(given, g + FXY))
    store(given, g + CX, exponential(-load(given, g + FXX)))
    store(given, g + CY, exponential(-load(given, g + FYY)))
    store(given, g + Z, z)
    store(given, g + Z_INVERSE, F1 / z)


@fused
def half_spine(spine, at, stride, e, up, down, step, cy, z_up, z_down):
    """Middles of four rows, going up or down, with their ratios to the points right and left of them."""
    for _ in range(4):
        store(spine, at, e)
        store(spine, at + UP, up)
        store(spine, at + DOWN, down)
        at += stride
        e, up, down, step = e * step, up * z_up, down * z_down, step * cy


@lean
def live_blocks(given, first, count, ox, oy, live):
    """Puts the blocks of a list that reach a tile into `live`, from place `first` on; returns how many."""
    n = 0
    for block in range(first, first + (count + LANES - 1) // LANES):
        g = GIVEN * block
        dx, dy = load(given, g + X) + (ox - HALF), load(given, g + Y) + (oy - HALF)
        fxy = load(given, g + FXY)
        q = dx * (load(given, g + FXX) * dx + fxy * dy + fxy * dy) + load(given, g + FYY) * dy * dy
        if lanes_within(q, load(given, g + REACH)) != 0:
            live[first + n] = block
            n += 1
    return n


@fused
def start(given, spine, live, first, n, ox, oy):
    """`spine` of live blocks: (E, E(5) / E, E(3) / E) at the middle of each row, and exp(-Fxx)."""
    for i in range(n):
        g, at = GIVEN * live[first + i], SPINE * i
        dx, dy = load(given, g + X) + ox, load(given, g + Y) + oy
        fxx, fyy, fxy = load(given, g + FXX), load(given, g + FYY), load(given, g + FXY)
        u, w = fxx * dx + fxy * dy, fxy * dx + fyy * dy
        half_q = HALF * (u * dx + w * dy)
        e = unless_above(half_q, FAR, exponential(-half_q))
        cx, cy = load(given, g + CX), load(given, g + CY)
        z, z_inverse = load(given, g + Z), load(given, g + Z_INVERSE)
        up, above = exponential(-u - HALF * fxx), exponential(-w - HALF * fyy)
        down, below = cx / up, cy / above
        store(spine, at + RATIO, cx)
        half_spine(spine, at + 4 * STRIDE, STRIDE, e, up, down, above, cy, z, z_inverse)
        e, up, down, below = e * below, up * z_inverse, down * z, below * cy
        half_spine(spine, at + 3 * STRIDE, -STRIDE, e, up, down, below, cy, z_inverse, z)


@fused
def keep_row(expo, p, a, m, e):
    """Keeps the values `e` of a row; returns the model `m` of its points with a e added."""
    store(expo, p + P0, e[0])
    store(expo, p + P1, e[1])
    store(expo, p + P2, e[2])
    store(expo, p + P3, e[3])
    store(expo, p + P4, e[4])
    store(expo, p + P5, e[5])
    store(expo, p + P6, e[6])
    store(expo, p + P7, e[7])
    return (
        m[0] + a * e[0], m[1] + a * e[1], m[2] + a * e[2], m[3] + a * e[3],
        m[4] + a * e[4], m[5] + a * e[5], m[6] + a * e[6], m[7] + a * e[7],
    )  # fmt: skip


@fused
def add_row(grids, at, m):
    """Adds the sums over the lanes to a row of the model."""
    store(grids, at, load_row(grids, at) + lane_sums(m[0], m[1], m[2], m[3], m[4], m[5], m[6], m[7]))


@fused
def row_by_steps(given, spine, expo, live, first, n, j, at, grids):
    """Row j of 8 points, at `at` in `grids`: keeps E and adds A E to the model."""
    m = zero(), zero(), zero(), zero(), zero(), zero(), zero(), zero()
    for i in range(n):
        block, s = live[first + i], SPINE * i
        e4, up, down = (
            load(spine, s + STRIDE * j),
            load(spine, s + STRIDE * j + UP),
            load(spine, s + STRIDE * j + DOWN),
        )
        c, a = load(spine, s + RATIO), load(given, GIVEN * block + A)
        up_2, down_2 = up * c, down * c
        up_3, down_3 = up_2 * c, down_2 * c
        e5, e3 = e4 * up, e4 * down
        e6, e2 = e5 * up_2, e3 * down_2
        e7, e1 = e6 * up_3, e2 * down_3
        e0 = e1 * (down_3 * c)
        m = keep_row(expo, EXPO * block + P1 * 8 * j, a, m, (e0, e1, e2, e3, e4, e5, e6, e7))
    add_row(grids, at, m)


@fused
def quadratic(dx, fxx, b, c):
    """exp(-d^t F d / 2) with b = Fxy dy and c = Fyy dy^2."""
    return exponential(-HALF * (dx * (fxx * dx + b + b) + c))


@fused
def row_by_exponentials(given, expo, live, first, n, ox, oy, j, at, grids):
    """Row j of 8 points with an exponential for each: for Gaussians too narrow for `row_by_steps`."""
    m = zero(), zero(), zero(), zero(), zero(), zero(), zero(), zero()
    for i in range(n):
        block = live[first + i]
        g = GIVEN * block
        dx, dy = load(given, g + X) + ox, load(given, g + Y) + (oy + (np.float32(j) - F4))
        fxx, b, c = load(given, g + FXX), load(given, g + FXY) * dy, load(given, g + FYY) * dy * dy
        e0, e1 = quadratic(dx - F4, fxx, b, c), quadratic(dx - F3, fxx, b, c)
        e2, e3 = quadratic(dx - F2, fxx, b, c), quadratic(dx - F1, fxx, b, c)
        e4, e5 = quadratic(dx, fxx, b, c), quadratic(dx + F1, fxx, b, c)
        e6, e7 = quadratic(dx + F2, fxx, b, c), quadratic(dx + F3, fxx, b, c)
        a = load(given, g + A)
        m = keep_row(expo, EXPO * block + P1 * 8 * j, a, m, (e0, e1, e2, e3, e4, e5, e6, e7))
    add_row(grids, at, m)


@lean
def list_model(given, spine, expo, live, first, n, by_steps, ox, oy, level, grids):
    """Adds the Gaussians of the blocks live[first:first + n] to the model of a level and keeps their E."""
    if by_steps:
        start(given, spine, live, first, n, ox, oy)
    for j in range(8):
        at = LEVEL * level + MODEL + 8 * j
        if by_steps:
            row_by_steps(given, spine, expo, live, first, n, j, at, grids)
        else:
            row_by_exponentials(given, expo, live, first, n, ox, oy, j, at, grids)


@fused
def row_moments(expo, p, grids, r):
    """Sums of r E, r E x and r E x^2 over one row of 8 points, x from the middle."""
    t3, t4 = load(expo, p + P3) * load_one(grids, r + 3), load(expo, p + P4) * load_one(grids, r + 4)
    t2, t5 = load(expo, p + P2) * load_one(grids, r + 2), load(expo, p + P5) * load_one(grids, r + 5)
    t1, t6 = load(expo, p + P1) * load_one(grids, r + 1), load(expo, p + P6) * load_one(grids, r + 6)
    t0, t7 = load(expo, p + P0) * load_one(grids, r), load(expo, p + P7) * load_one(grids, r + 7)
    even_3, even_2, even_1, even_0 = t3 + t4, t2 + t5, t1 + t6, t0 + t7
    odd = HALF * (t4 - t3) + W1 * (t5 - t2) + (W2 * (t6 - t1) + W3 * (t7 - t0))
    square = (W0 * even_3 + W1 * W1 * even_2) + (W2 * W2 * even_1 + W3 * W3 * even_0)
    return (even_0 + even_1) + (even_2 + even_3), odd, square


@fused
def add(totals, at, value):
    """totals[at:at + LANES] += value."""
    store(totals, at, load(totals, at) + value)


@lean
def list_sums(given, expo, live, first, n, ox, oy, level, grids, totals):
    """Adds the six sums (0, x, y, xx, yy, xy) over a grid, about each Gaussian's centre, to the totals."""
    for i in range(n):
        block = live[first + i]
        m0, mx, my, mxx, myy, mxy = zero(), zero(), zero(), zero(), zero(), zero()
        for j in range(8):
            s, sx, sxx = row_moments(expo, EXPO * block + P1 * 8 * j, grids, LEVEL * level + RESIDUAL + 8 * j)
            y = np.float32(j) - W3
            m0, mx, mxx = m0 + s, mx + sx, mxx + sxx
            my, myy, mxy = my + y * s, myy + (y * y) * s, mxy + y * sx
        g, t = GIVEN * block, TOTALS * block
        cx, cy = load(given, g + X) + (ox - HALF), load(given, g + Y) + (oy - HALF)
        add(totals, t, m0)
        add(totals, t + P1, mx + cx * m0)
        add(totals, t + P2, my + cy * m0)
        add(totals, t + P3, mxx + cx * (mx + mx + cx * m0))
        add(totals, t + P4, myy + cy * (my + my + cy * m0))
        add(totals, t + P5, mxy + cx * my + cy * mx + cx * cy * m0)


@lean
def residuals(data, weight, first, background, grids):
    """Residuals of a tile, weight (data - model) and zero where the weight is; returns chi2 and their sum."""
    chi2 = total = columns() - columns()
    for p in range(0, 64, 8):
        w = load_row(weight, first + p)
        difference = if_positive(w, load_row(data, first + p) - (load_row(grids, MODEL + p) + background))
        r = if_positive(w, w * difference)
        store(grids, RESIDUAL + p, r)
        chi2, total = chi2 + r * difference, total + r
    return row_sum(chi2), row_sum(total)


@fused
def rows_of(b, of):
    """The rows of the matrix b[of:of + 64]."""
    return (
        load_row(b, of), load_row(b, of + 8), load_row(b, of + 16), load_row(b, of + 24),
        load_row(b, of + 32), load_row(b, of + 40), load_row(b, of + 48), load_row(b, of + 56),
    )  # fmt: skip


@fused
def combined(a, at, b):
    """Row vector a[at:at + 8] times the matrix with the rows b."""
    low = (load_one(a, at) * b[0] + load_one(a, at + 1) * b[1]) + (
        load_one(a, at + 2) * b[2] + load_one(a, at + 3) * b[3]
    )
    high = (load_one(a, at + 4) * b[4] + load_one(a, at + 5) * b[5]) + (
        load_one(a, at + 6) * b[6] + load_one(a, at + 7) * b[7]
    )
    return low + high


@fused
def combined_rows(grids, at, matrices, right, work):
    """The rows of a grid times the matrix at `right`, by way of `work`."""
    rows = rows_of(matrices, right)
    for row in range(0, 64, 8):
        store(work, row, combined(grids, at + row, rows))
    return rows_of(work, 0)


@lean
def interpolate(grids, level, matrices, px_t, py, work):
    """Model of a child at `level` from that of its parent: child = py parent px^t (places in `matrices`)."""
    child, parent = LEVEL * level + MODEL, LEVEL * (level + 1) + MODEL
    rows = combined_rows(grids, parent, matrices, px_t, work)
    for at in range(0, 64, 8):
        store(grids, child + at, combined(matrices, py + at, rows))


@lean
def gather(grids, level, matrices, px, py_t, work):
    """Residuals of a child, added to its parent's: parent += py^t child px, the adjoint of `interpolate`."""
    child, parent = LEVEL * level + RESIDUAL, LEVEL * (level + 1) + RESIDUAL
    rows = combined_rows(grids, child, matrices, px, work)
    for at in range(0, 64, 8):
        store(grids, parent + at, load_row(grids, parent + at) + combined(matrices, py_t + at, rows))


@lean
def clear(grids, at):
    """Zeros on the 64 points of a grid."""
    for p in range(at, at + 64, LANES):
        store(grids, p, zero())
