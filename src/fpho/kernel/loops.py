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
equal distance left and right of it share a product.

Vectors (`vectors`) run over Gaussians, LANES of them a block. A strip is a vector of the same block on ROWS
rows, one after the other: with ROWS = 2 strip k holds the rows 3 - k and 4 + k, with ROWS = 1 row k. All
arrays are flat float32; a list occupies whole blocks, filled up with Gaussians of amplitude 0. Shapes by
block: given (11, LANES), Gaussians in units of their grid; totals (6, LANES), their sums; expo (STRIPS, 8,
ROWS, LANES), their E, and spine (3 STRIPS + 1, ROWS, LANES), both by place among the live blocks of a list,
the spine for one list at a time. residual (STRIPS, 8, ROWS, LANES) has a grid's residuals, each in all lanes.
`grids` (LEVELS + 1, 2, 64) holds model and residuals of each level. A list belongs to a node; the two
lists of tiles (smooth, narrow) are shared by the 2 x 2 tiles of a node of level 1, each standing (ox, oy)
from the place that X, Y are given for, each with its own choice of blocks, `live`.
"""

import numpy as np

from .compiled import fused, lean
from .exponential import exponential
from .frames import aligned_frame
from .lanes import lane_sums, lanes_within, row_sum
from .vectors import (
    LANES,
    ROWS,
    columns,
    first_row,
    if_positive,
    in_strip,
    joined,
    last_row,
    load,
    load_one,
    load_strip,
    multiply_add,
    no_strip,
    ones_of,
    rows_sum,
    store,
    unless_above,
    zero,
)

# rows of `given`: centre, F, amplitude, reach, exp of -Fxx, -Fyy, -Fxy, +Fxy
X, Y, FXX, FYY, FXY, A, REACH, CX, CY, Z, Z_INVERSE = (i * LANES for i in range(11))
STRIPS, WIDTH = 8 // ROWS, ROWS * LANES  # of a grid; floats of a point of a strip
E0, UP, DOWN, STRIDE, RATIO = 0, WIDTH, 2 * WIDTH, 3 * WIDTH, 3 * STRIPS * WIDTH  # places in `spine`
GIVEN, EXPO, TOTALS, SPINE = 11 * LANES, 64 * LANES, 6 * LANES, RATIO + WIDTH  # floats of a block
P0, P1, P2, P3, P4, P5, P6, P7 = (i * WIDTH for i in range(8))  # points of a strip in `expo`
T0, TX, TY, TXX, TYY, TXY = (i * LANES for i in range(6))  # in `totals`

MODEL, RESIDUAL, LEVEL = 0, 64, 128  # places in `grids`; floats of a level
FAR = np.float32(87.0)
HALF, F1, F2, F3, F4 = (np.float32(v) for v in (0.5, 1.0, 2.0, 3.0, 4.0))
W0, W1, W2, W3 = (np.float32(v) for v in (0.5, 1.5, 2.5, 3.5))  # distances from the middle
# y of the first row of strip 0, from the middle, and its step to the next strip
Y_BELOW, DY_BELOW = (np.float32(v) for v in ((-0.5, -1.0) if ROWS == 2 else (-3.5, 1.0)))


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
def row_below(strip):
    """The first row of a grid that a strip holds."""
    return 3 - strip if ROWS == 2 else strip


@fused
def row_above(strip):
    """The last row of a grid that a strip holds."""
    return 4 + strip if ROWS == 2 else strip


@fused
def away(spine, at, stride, e, up, down, step, cy, z_up, z_down):
    """Middles of four rows, away from the grid's, with the ratios to the points right and left of them."""
    for _ in range(4):
        store(spine, at + E0, e)
        store(spine, at + UP, up)
        store(spine, at + DOWN, down)
        at += stride
        e, up, down, step = e * step, up * z_up, down * z_down, step * cy


@fused
def both_ways(spine, at, below, above, cy, z, z_inverse):
    """The spine from (E, up, down, step) at row 3, going down, and row 4, going up: as strips, or in turn."""
    e, up = joined(below[0], above[0]), joined(below[1], above[1])
    down, step = joined(below[2], above[2]), joined(below[3], above[3])
    z_up, z_down = joined(z_inverse, z), joined(z, z_inverse)
    if ROWS == 2:
        away(spine, at, STRIDE, e, up, down, step, in_strip(cy), z_up, z_down)
    else:
        away(spine, at + 3 * STRIDE, -STRIDE, e, up, down, step, cy, z_up, z_down)
        away(spine, at + 4 * STRIDE, STRIDE, above[0], above[1], above[2], above[3], cy, z, z_inverse)


@lean
def live_blocks(given, first, count, ox, oy, live):
    """Puts the blocks of a list that reach a tile into `live`, from place `first` on; returns how many."""
    aligned_frame()
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
        store(spine, at + RATIO, in_strip(cx))
        row_3, row_4 = (e * below, up * z_inverse, down * z, below * cy), (e, up, down, above)
        both_ways(spine, at, row_3, row_4, cy, z, z_inverse)


@fused
def keep_strip(expo, p, a, m, e):
    """Keeps the values `e` of a strip; returns the model `m` of its points with a e added."""
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
def add_strip(grids, at, strip, m):
    """Adds the sums over the lanes to the rows of a strip of the model."""
    below, above = at + 8 * row_below(strip), at + 8 * row_above(strip)
    sums = lane_sums(m[0], m[1], m[2], m[3], m[4], m[5], m[6], m[7])
    store(grids, below, load(grids, below) + first_row(sums))
    if ROWS == 2:
        store(grids, above, load(grids, above) + last_row(sums))


@fused
def strip_by_steps(given, spine, expo, live, first, n, strip, at, grids):
    """A strip of the model at `at` in `grids`: keeps E and adds A E."""
    m = no_strip(), no_strip(), no_strip(), no_strip(), no_strip(), no_strip(), no_strip(), no_strip()
    for i in range(n):
        s, t = SPINE * i, SPINE * i + STRIDE * strip
        e4, up, down = load_strip(spine, t + E0), load_strip(spine, t + UP), load_strip(spine, t + DOWN)
        c, a = load_strip(spine, s + RATIO), in_strip(load(given, GIVEN * live[first + i] + A))
        up_2, down_2 = up * c, down * c
        up_3, down_3 = up_2 * c, down_2 * c
        e5, e3 = e4 * up, e4 * down
        e6, e2 = e5 * up_2, e3 * down_2
        e7, e1 = e6 * up_3, e2 * down_3
        e0 = e1 * (down_3 * c)
        m = keep_strip(expo, EXPO * (first + i) + 8 * P1 * strip, a, m, (e0, e1, e2, e3, e4, e5, e6, e7))
    add_strip(grids, at, strip, m)


@fused
def quadratic(dx, fxx, b, c):
    """exp(-d^t F d / 2) with b = Fxy dy and c = Fyy dy^2."""
    return exponential(-HALF * (dx * (fxx * dx + b + b) + c))


@fused
def strip_by_exponentials(given, expo, live, first, n, ox, oy, strip, at, grids):
    """The same with an exponential for each point: for Gaussians too narrow for `strip_by_steps`."""
    m = no_strip(), no_strip(), no_strip(), no_strip(), no_strip(), no_strip(), no_strip(), no_strip()
    below, above = oy + np.float32(row_below(strip) - 4), oy + np.float32(row_above(strip) - 4)
    for i in range(n):
        g = GIVEN * live[first + i]
        dx, y = in_strip(load(given, g + X) + ox), load(given, g + Y)
        dy, fxx = joined(y + below, y + above), in_strip(load(given, g + FXX))
        b, c = in_strip(load(given, g + FXY)) * dy, in_strip(load(given, g + FYY)) * dy * dy
        e0, e1 = quadratic(dx - F4, fxx, b, c), quadratic(dx - F3, fxx, b, c)
        e2, e3 = quadratic(dx - F2, fxx, b, c), quadratic(dx - F1, fxx, b, c)
        e4, e5 = quadratic(dx, fxx, b, c), quadratic(dx + F1, fxx, b, c)
        e6, e7 = quadratic(dx + F2, fxx, b, c), quadratic(dx + F3, fxx, b, c)
        a = in_strip(load(given, g + A))
        m = keep_strip(expo, EXPO * (first + i) + 8 * P1 * strip, a, m, (e0, e1, e2, e3, e4, e5, e6, e7))
    add_strip(grids, at, strip, m)


@lean
def list_model(given, spine, expo, live, first, n, by_steps, ox, oy, level, grids):
    """Adds the Gaussians of the blocks live[first:first + n] to the model of a level and keeps their E."""
    aligned_frame()
    at = LEVEL * level + MODEL
    if by_steps:
        start(given, spine, live, first, n, ox, oy)
    for strip in range(STRIPS):
        if by_steps:
            strip_by_steps(given, spine, expo, live, first, n, strip, at, grids)
        else:
            strip_by_exponentials(given, expo, live, first, n, ox, oy, strip, at, grids)


@fused
def in_all_lanes(grids, at, residual):
    """The residuals at `at`, each in all lanes of its row of a strip: in the places of `expo`."""
    for strip in range(STRIPS):
        below, above, p = at + 8 * row_below(strip), at + 8 * row_above(strip), 8 * P1 * strip
        for i in range(8):
            store(residual, p + i * P1, ones_of(grids, below + i, above + i))


@fused
def pair(expo, e, residual, r, left, right):
    """r E at a point left of the middle and at its image on the right: sum and difference."""
    t = load_strip(expo, e + left) * load_strip(residual, r + left)
    r_right, e_right = load_strip(residual, r + right), load_strip(expo, e + right)
    return multiply_add(r_right, e_right, t), multiply_add(r_right, e_right, -t)


@fused
def strip_moments(expo, e, residual, r):
    """Sums of r E (by distance from the middle) and r E x over the rows of a strip, x from the middle."""
    even_0, odd_0 = pair(expo, e, residual, r, P3, P4)
    even_1, odd_1 = pair(expo, e, residual, r, P2, P5)
    even_2, odd_2 = pair(expo, e, residual, r, P1, P6)
    even_3, odd_3 = pair(expo, e, residual, r, P0, P7)
    return even_0, even_1, even_2, even_3, (W0 * odd_0 + W1 * odd_1) + (W2 * odd_2 + W3 * odd_3)


@fused
def add(totals, at, value):
    """totals[at:at + LANES] += value."""
    store(totals, at, load(totals, at) + value)


@lean
def list_sums(given, expo, live, first, n, ox, oy, level, grids, residual, totals):
    """Adds the six sums (0, x, y, xx, yy, xy) over a grid, about each Gaussian's centre, to the totals."""
    aligned_frame()
    in_all_lanes(grids, LEVEL * level + RESIDUAL, residual)
    for i in range(n):
        c0, c1, c2, c3 = no_strip(), no_strip(), no_strip(), no_strip()
        sx, sy, syy, sxy = no_strip(), no_strip(), no_strip(), no_strip()
        y = joined(zero() + Y_BELOW, zero() + W0)
        for p in range(0, EXPO, 8 * P1):
            even_0, even_1, even_2, even_3, odd = strip_moments(expo, EXPO * (first + i) + p, residual, p)
            c0, c1, c2, c3 = c0 + even_0, c1 + even_1, c2 + even_2, c3 + even_3
            even = (even_0 + even_1) + (even_2 + even_3)
            sx, sy, syy, sxy = sx + odd, sy + y * even, syy + (y * y) * even, sxy + y * odd
            y = y + joined(zero() + DY_BELOW, zero() + F1)
        block = live[first + i]
        m0, mx = rows_sum((c0 + c1) + (c2 + c3)), rows_sum(sx)
        my, myy, mxy = rows_sum(sy), rows_sum(syy), rows_sum(sxy)
        mxx = rows_sum(((W0 * W0) * c0 + (W1 * W1) * c1) + ((W2 * W2) * c2 + (W3 * W3) * c3))
        g, t = GIVEN * block, TOTALS * block
        cx, cy = load(given, g + X) + (ox - HALF), load(given, g + Y) + (oy - HALF)
        add(totals, t + T0, m0)
        add(totals, t + TX, mx + cx * m0)
        add(totals, t + TY, my + cy * m0)
        add(totals, t + TXX, mxx + cx * (mx + mx + cx * m0))
        add(totals, t + TYY, myy + cy * (my + my + cy * m0))
        add(totals, t + TXY, mxy + cx * my + cy * mx + cx * cy * m0)


@lean
def residuals(data, weight, first, background, grids):
    """Residuals of a tile, weight (data - model) and zero where the weight is; returns chi2 and their sum."""
    aligned_frame()
    chi2 = total = columns() - columns()
    for p in range(0, 64, 8):
        w = load(weight, first + p)
        difference = if_positive(w, load(data, first + p) - (load(grids, MODEL + p) + background))
        r = if_positive(w, w * difference)
        store(grids, RESIDUAL + p, r)
        chi2, total = chi2 + r * difference, total + r
    return row_sum(chi2), row_sum(total)


@fused
def rows_of(b, of):
    """The rows of the matrix b[of:of + 64]."""
    return (
        load(b, of), load(b, of + 8), load(b, of + 16), load(b, of + 24),
        load(b, of + 32), load(b, of + 40), load(b, of + 48), load(b, of + 56),
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
    aligned_frame()
    child, parent = LEVEL * level + MODEL, LEVEL * (level + 1) + MODEL
    rows = combined_rows(grids, parent, matrices, px_t, work)
    for at in range(0, 64, 8):
        store(grids, child + at, combined(matrices, py + at, rows))


@lean
def interpolate_back(grids, level, matrices, px, py_t, work):
    """Residuals of a child, added to its parent's: parent += py^t child px, the adjoint of `interpolate`."""
    aligned_frame()
    child, parent = LEVEL * level + RESIDUAL, LEVEL * (level + 1) + RESIDUAL
    rows = combined_rows(grids, child, matrices, px, work)
    for at in range(0, 64, 8):
        store(grids, parent + at, load(grids, parent + at) + combined(matrices, py_t + at, rows))


@lean
def clear(grids, at):
    """Zeros on the 64 points of a grid."""
    for p in range(at, at + 64, LANES):
        store(grids, p, zero())
