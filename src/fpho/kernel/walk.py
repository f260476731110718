"""One thread's way through the quadtree: list the Gaussians of a node, sum, chain rule.

Entering a node, the blocks of Gaussians handed down by its parent are tested against it: a Gaussian is
kept if the node's middle is within cut + rho sigma, rho being the largest distance in sigma from the middle
to a corner. The ones wide enough for the node's grid are evaluated there, blocks with others are
handed down. A node of level 1 makes the lists of its four tiles, each of which takes the blocks that reach
it. At a tile the residuals are formed; leaving a node, the residuals gathered on its grid give the sums of
the Gaussians that were evaluated there: the exact derivative of the interpolated model.

A Gaussian is known by its place in the blocks that are tested. Testing only notes these numbers (`enter`);
`close` fetches the rows of `mixture.fill_blocks` for them, brings them to the units of the grid
and turns eight at a time into a block; `deliver` goes the same way back. Few branches depend on the data.
"""

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from .arrays import N_SHAPE
from .compiled import FUSED, compiled, entry, fused, lean
from .frames import aligned_frame
from .lanes import add_row, put_lanes, scaled_row, transposed
from .loops import (
    FXX,
    FXY,
    FYY,
    GIVEN,
    LEVEL,
    MODEL,
    REACH,
    RESIDUAL,
    T0,
    TOTALS,
    TX,
    TXX,
    TXY,
    TY,
    TYY,
    A,
    X,
    Y,
    clear,
    interpolate,
    interpolate_back,
    list_model,
    list_sums,
    live_blocks,
    ratios,
    residuals,
)  # fmt: skip
from .mixture import (
    AMP,
    CROWD,
    GX,
    GXX,
    GXY,
    GY,
    GYY,
    NARROW_BITS,
    PREACH,
    chain,
    fill_blocks,
    set_up,
    within,
)  # fmt: skip
from .plan import LEAVE, LEVELS, PITCH
from .subnormals import restored, without_subnormals
from .vectors import LANES, load, store, zero

ZEROS = (np.float32(0.0), np.float32(0.0))
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
def enter(bits, block, which, listed, counts):
    """Adds Gaussians of a block to a list."""
    at = which * listed.shape[1] + counts[which]
    counts[which] += put_lanes(listed, at, bits, block * LANES)


@lean
def select(tests, masks, handed, above, n, level, x, y, listed, counts):
    """Tests the n blocks handed down to the node at (x, y); returns how many it hands down itself.

    A node that carries tiles (level 1, or a tile without parents) lists those of its tiles, too.
    """
    aligned_frame()
    pitch, tiles = PITCH[level], level <= 1
    xm, ym = np.float32(x + 3.5 * pitch), np.float32(y + 3.5 * pitch)
    n_pass = counts[level] = counts[NARROW] = 0
    if tiles:
        counts[0] = 0
    for i in range(n):
        block = handed[above, i]
        bits, below = within(tests, block, level, xm, ym), 0
        if level == 0:
            below = bits
        else:
            for finer in range(level):
                below |= bits & masks[block, finer]
            here = bits & masks[block, level]
            enter(here, block, level, listed, counts)
        if tiles:
            narrow = below & masks[block, NARROW_BITS]
            smooth = below & ~narrow
            enter(smooth, block, 0, listed, counts)
            enter(narrow, block, NARROW, listed, counts)
        elif below:
            handed[level, n_pass] = block
            n_pass += 1
    return n_pass


@lean
def to_units(units, pitch, x, y):
    """Factors and shifts that bring Gaussians to the units of the grid that begins at pixel (x, y)."""
    inverse = 1.0 / pitch
    for i in range(2 * LANES):
        units[i] = 0.0
    units[GX], units[LANES + GX] = -inverse, 4.0 + x * inverse
    units[GY], units[LANES + GY] = -inverse, 4.0 + y * inverse
    units[GXX] = units[GYY] = units[GXY] = pitch * pitch
    units[AMP] = units[PREACH] = 1.0


@fused
def put_block(placed, row, units, given, g):
    """Eight Gaussians, rows of `placed`, in the `units` of a grid as a block of `given`."""
    x, y, fxx, fyy, fxy, a, reach, _ = transposed(
        scaled_row(placed, LANES * row[0], units), scaled_row(placed, LANES * row[1], units),
        scaled_row(placed, LANES * row[2], units), scaled_row(placed, LANES * row[3], units),
        scaled_row(placed, LANES * row[4], units), scaled_row(placed, LANES * row[5], units),
        scaled_row(placed, LANES * row[6], units), scaled_row(placed, LANES * row[7], units),
    )  # fmt: skip
    store(given, g + X, x)
    store(given, g + Y, y)
    store(given, g + FXX, fxx)
    store(given, g + FYY, fyy)
    store(given, g + FXY, fxy)
    store(given, g + A, a)
    store(given, g + REACH, reach)


@lean
def eight(listed, which, i):
    """Eight neighbours in a list."""
    return (
        listed[which, i], listed[which, i + 1], listed[which, i + 2], listed[which, i + 3],
        listed[which, i + 4], listed[which, i + 5], listed[which, i + 6], listed[which, i + 7],
    )  # fmt: skip


@lean
def close(which, blocks, pitch, x, y, placed, listed, units, given, counts, totals, live, n_live):
    """Makes the blocks of a list in units of the grid that begins at pixel (x, y); all are live.

    They are filled up with Gaussians of amplitude 0, totals with zeros.
    """
    aligned_frame()
    n, first = counts[which], which * blocks
    n_blocks = (n + LANES - 1) // LANES
    to_units(units, pitch, x, y)
    for i in range(LANES):
        listed[which, n + i] = len(placed) - 1
    for i in range(n_blocks):
        block = first + i
        live[block] = block
        put_block(placed, eight(listed, which, LANES * i), units, given, GIVEN * block)
        if which != NARROW:
            ratios(given, block)
        for row in range(6):
            store(totals, TOTALS * block + LANES * row, zero())
    n_live[which] = n_blocks


@lean
def deliver(which, blocks, listed, counts, totals, pitch, units, sums):
    """Adds the totals of a list, in units of its grid, to the `sums` (G + 1, LANES), in pixels."""
    aligned_frame()
    for i in range(LANES):
        units[i] = 1.0 if i == 0 else pitch if i < 3 else pitch * pitch
    for i in range(0, counts[which], LANES):
        t, row = TOTALS * (which * blocks + i // LANES), eight(listed, which, i)
        of = transposed(
            load(totals, t + T0), load(totals, t + TX), load(totals, t + TY),
            load(totals, t + TXX), load(totals, t + TYY), load(totals, t + TXY), zero(), zero(),
        )  # fmt: skip
        add_row(sums, LANES * row[0], of[0], units)
        add_row(sums, LANES * row[1], of[1], units)
        add_row(sums, LANES * row[2], of[2], units)
        add_row(sums, LANES * row[3], of[3], units)
        add_row(sums, LANES * row[4], of[4], units)
        add_row(sums, LANES * row[5], of[5], units)
        add_row(sums, LANES * row[6], of[6], units)
        add_row(sums, LANES * row[7], of[7], units)


@lean
def places(parent, half, transposed):
    """Where the matrix to a child of level `parent` begins in `TilePlan.interpolation`."""
    return 64 * (4 * parent + 2 * half + transposed)


@lean
def piece_sums(
    first, end, n_blocks, steps, interpolation, data, weight, background, image,
    placed, sums, units, tests, masks, handed, listed, given, expo, totals, spine, live, grids, numbers, work,
):  # fmt: skip
    """Walks steps[first:end]: adds to `sums` (G + 1, LANES); returns chi2, the sum of weighted residuals."""
    aligned_frame()
    chi2, total, draw, blocks = 0.0, 0.0, len(image) > 0, len(totals) // (LISTS * TOTALS)
    counts, n_pass, active, n_live = numbers[0], numbers[1], numbers[2], numbers[3]
    corner_x = corner_y = 0
    active[LEVELS + 1] = 0
    for block in range(n_blocks):
        handed[LEVELS + 1, block] = block
    n_pass[LEVELS + 1] = n_blocks
    for step in range(first, end):
        level, x, y, tile = steps[step, 0], steps[step, 1], steps[step, 2], steps[step, 3]
        hx, hy = steps[step, 4], steps[step, 5]
        above = level + 1 if hx >= 0 else LEVELS + 1
        carries = level == 1 or above > LEVELS > level  # a node whose lists serve tiles
        if tile != LEAVE:
            if level > 0 or carries:
                n_pass[level] = select(
                    tests, masks, handed, above, n_pass[above], level, x, y, listed, counts
                )
                close(
                    level, blocks, PITCH[level], x, y, placed, listed, units, given, counts, totals, live,
                    n_live,
                )  # fmt: skip
            if carries:
                close(0, blocks, 1.0, x, y, placed, listed, units, given, counts, totals, live, n_live)
                close(NARROW, blocks, 1.0, x, y, placed, listed, units, given, counts, totals, live, n_live)
                corner_x, corner_y = x, y
            if active[above]:
                interpolate(grids, level, interpolation, places(above, hx, 1), places(above, hy, 0), work)
            else:
                clear(grids, LEVEL * level + MODEL)
            if level > 0:
                clear(grids, LEVEL * level + RESIDUAL)
            ox, oy = (np.float32(x - corner_x), np.float32(y - corner_y)) if level == 0 else ZEROS
            for which in range(level, LISTS, NARROW if level == 0 else LISTS):
                if level == 0:
                    n_live[which] = live_blocks(given, which * blocks, counts[which], ox, oy, live)
                if n_live[which]:
                    list_model(
                        given, spine, expo, live, which * blocks, n_live[which], which != NARROW, ox, oy,
                        level, grids,
                    )  # fmt: skip
            active[level] = active[above] != 0 or (level > 0 and counts[level] > 0)
        if tile >= 0:
            if draw:
                for p in range(64):
                    image[tile, p] = grids[MODEL + p] + background
                continue
            c, r = residuals(data, weight, 64 * tile, background, grids)
            chi2 += c
            total += r
        if draw or tile == -1:
            continue
        ox, oy = (np.float32(x - corner_x), np.float32(y - corner_y)) if level == 0 else ZEROS
        for which in range(level, LISTS, NARROW if level == 0 else LISTS):
            if n_live[which]:
                list_sums(
                    given, expo, live, which * blocks, n_live[which], ox, oy, level, grids, work, totals
                )
        for which in range(LISTS):
            of_tiles = which == 0 or which == NARROW  # delivered by the node that they were made for
            if (carries and of_tiles) or (which == level and not of_tiles):
                deliver(which, blocks, listed, counts, totals, 1.0 if of_tiles else PITCH[which], units, sums)
        if active[above]:
            interpolate_back(grids, level, interpolation, places(above, hx, 0), places(above, hy, 1), work)
    return chi2, total


@entry
def run(
    counter, partial, images, options, steps, pieces, interpolation, data, weight,
    band, position, scale, gain, psf_index, psf, psf_count, sources, profile, profile_count, background,
    gauss, sums, reach, kind, placed, units, tests, masks, handed, listed, given, expo, totals, spine, live,
    grids, numbers, work,
):  # fmt: skip
    """Takes pieces of work of W states until none is left.

    Fills `images` (W, T, 64), or, where there are none (W, 0, 64), `partial` (W, I, 2 + 8 S).
    """
    aligned_frame()
    mode = without_subnormals()  # far from a Gaussian's centre E is one, and so are its steps
    set_up_for, n, n_blocks = (-1, -1), 0, 0
    while True:
        job = take_next(counter)
        if job >= len(sources) * len(pieces):
            break
        w, piece = job // len(pieces), job % len(pieces)
        e = pieces[piece, 0]
        b = band[e]
        if (w, e) != set_up_for:
            n = set_up(
                e, b, options, position, scale, gain, psf_index, psf, psf_count, sources[w], profile[w],
                profile_count[w], gauss, reach, kind,
            )  # fmt: skip
            n_blocks = fill_blocks(n, options[CROWD], gauss, reach, kind, tests, masks, placed)
            set_up_for = w, e
        sums[:n] = 0.0
        partial[w, piece, 0], partial[w, piece, 1] = piece_sums(
            pieces[piece, 1], pieces[piece, 2], n_blocks, steps, interpolation, data, weight,
            np.float32(background[w, e]), images[w], placed, sums, units, tests, masks, handed, listed, given,
            expo, totals, spine, live, grids, numbers, work,
        )  # fmt: skip
        if not len(images[w]):
            chain(e, b, n, scale, sources[w], gauss, kind, sums, partial[w, piece, 2:])
    restored(mode)


def _chi_squares(data, weight, images):
    """chi2 (W,) of images (W, T, 64) on the tiles."""
    out = np.zeros(len(images))
    for w in range(len(images)):
        for tile in range(len(data)):
            of_tile = 0.0
            for p in range(data.shape[1]):
                left = np.float64(data[tile, p]) - np.float64(images[w, tile, p])
                of_tile += np.float64(weight[tile, p]) * left * left
            out[w] += of_tile
    return out


chi_squares = compiled(_chi_squares, flags={*FUSED, "reassoc"}, arrays=True)


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
