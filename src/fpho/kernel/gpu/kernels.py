"""The CUDA kernels: Gaussians, model and residuals and six sums, sums over tiles with the chain rule.

Formulas: `fpho.kernel.formulas`; records and device functions: `device`. GROUP neighbouring tiles
make a group, one thread block of THREADS = 64 GROUP threads. In the first pass a thread is a pixel:
candidates are tested THREADS at a time, those that reach the group stand in shared memory and are
added to the model. In the second pass GROUP threads are a Gaussian, one for each tile, and take its
six sums over the residuals in shared memory, with no exchange between threads but one addition. All
sums are made in a fixed order, without floating atomics: results repeat to the last bit.
"""

import numpy as np
from numba import cuda

from .device import (
    AMP,
    HALF_TILE,
    HXX,
    HXY,
    HYY,
    LOST,
    REACH,
    REST_X,
    REST_Y,
    ROWS,
    UNIT,
    X,
    Y,
    chain,
    components,
    cut_radius,
    device,
    exponential,
    gaussian,
    in_use,
    offset,
    reach_of,
    reaches,
)

GROUP = 4  # tiles of a group; the bits of a mask, too
THREADS = 64 * GROUP
WORDS = THREADS // 32
PARTS = THREADS // 32  # threads that share the groups of one Gaussian in `finish`
STRIDE = 65  # residuals of a tile in shared memory; 65 keeps tiles in different banks
RESIDUALS = STRIDE * GROUP
ZERO = np.float32(0.0)


@cuda.jit
def set_up(patch, state, gauss):
    """Records of all Gaussians, `gauss` (Q, E, ROWS, G) float32; one thread each."""
    n_exposures, size = gauss.shape[1], gauss.shape[3]
    i = cuda.grid(1)
    if i >= gauss.shape[0] * n_exposures * size:
        return
    q, e, g = i // (size * n_exposures), i // size % n_exposures, i % size
    if not in_use(patch, state, q, e, g, state.sources.shape[1]):
        for row in range(ROWS):
            gauss[q, e, row, g] = ZERO
        gauss[q, e, REACH, g] = -1.0
        return
    n = components(patch, state)
    s, k = g // n, g % state.profile.shape[2]
    x, y, fxx, fyy, fxy, unit, share = gaussian(patch, state, q, e, g)
    near_x, near_y = np.float32(x), np.float32(y)
    gauss[q, e, X, g], gauss[q, e, Y, g] = near_x, near_y
    gauss[q, e, REST_X, g], gauss[q, e, REST_Y, g] = x - np.float64(near_x), y - np.float64(near_y)
    gauss[q, e, HXX, g], gauss[q, e, HYY, g], gauss[q, e, HXY, g] = -0.5 * fxx, -0.5 * fyy, -fxy
    gauss[q, e, AMP, g] = state.sources[q, s, patch.band[e]] * state.profile[q, s, k, 0] * unit
    gauss[q, e, UNIT, g] = unit
    together = state.profile_count[q, s] * patch.psf_count[patch.psf_index[e, s]]
    gauss[q, e, REACH, g] = reach_of(cut_radius(share * together, LOST), HALF_TILE, fxx, fyy, fxy)


@device
def mask_of(patch, gauss, q, e, g, first, n_tiles):
    """Bit t: whether Gaussian g reaches tile t of the group."""
    mask = 0
    for t in range(n_tiles):
        dx, dy = offset(gauss, q, e, g, patch.tile_x[first + t], patch.tile_y[first + t])
        if reaches(dx, dy, gauss, q, e, g):
            mask |= 1 << t
    return mask


@device
def rank(words, me):
    """How many threads before this one have their bit set, and how many at all."""
    before = total = 0
    for w in range(WORDS):
        count = cuda.popc(words[w])
        if w < me // 32:
            before += count
        total += count
    return before + cuda.popc(words[me // 32] & np.uint32((1 << (me % 32)) - 1)), total


@device
def group_model(patch, gauss, listed, kept, box, masks, words):
    """Model of this thread's pixel (no background), and how many Gaussians reach the group.

    Fills `listed` (Q, N, G): g * 2^GROUP + mask of those, in order, and `kept` (Q, N, G): 1 for those.
    """
    group, q, me = cuda.blockIdx.x, cuda.blockIdx.y, cuda.threadIdx.x
    e, first, n_tiles = patch.group[group, 0], patch.group[group, 1], patch.group[group, 2]
    x0, y0, tile, size = patch.tile_x[first], patch.tile_y[first], me // 64, gauss.shape[3]
    mine = first + min(tile, n_tiles - 1)
    px = np.float32(patch.tile_x[mine] - x0 + me % 8)
    py = np.float32(patch.tile_y[mine] - y0 + me % 64 // 8)
    value, n_listed = ZERO, 0
    for start in range(0, size, THREADS):
        g = start + me
        mask = mask_of(patch, gauss, q, e, g, first, n_tiles) if g < size else 0
        if me < WORDS:
            words[me] = 0
        cuda.syncthreads()
        if mask != 0:
            cuda.atomic.or_(words, me // 32, np.uint32(1 << (me % 32)))
        cuda.syncthreads()
        slot, found = rank(words, me)
        if g < size:
            kept[q, group, g] = mask != 0
        if mask != 0:
            listed[q, group, n_listed + slot] = (g << GROUP) | mask
            masks[slot] = mask
            box[0, slot], box[1, slot] = offset(gauss, q, e, g, x0, y0)
            box[2, slot], box[3, slot] = gauss[q, e, HXX, g], gauss[q, e, HXY, g]
            box[4, slot], box[5, slot] = gauss[q, e, HYY, g], gauss[q, e, AMP, g]
        cuda.syncthreads()
        for i in range(found):
            if (masks[i] >> tile) & 1:
                dx, dy = box[0, i] + px, box[1, i] + py
                value += box[5, i] * exponential(dx * (box[2, i] * dx + box[3, i] * dy) + box[4, i] * dy * dy)
        n_listed += found
        cuda.syncthreads()
    return value, n_listed


@device
def tile_sums(gauss, q, e, g, x, y, residual, at):
    """The six sums M0, Mx, My, Mxx, Myy, Mxy of Gaussian g over the tile that begins at pixel (x, y)."""
    x0, y0 = offset(gauss, q, e, g, x, y)
    hxx, hyy, hxy = gauss[q, e, HXX, g], gauss[q, e, HYY, g], gauss[q, e, HXY, g]
    m0 = mx = my = mxx = myy = mxy = ZERO
    for row in range(8):
        dy = y0 + np.float32(row)
        by_x, constant = hxy * dy, hyy * dy * dy
        s0 = s1 = s2 = ZERO
        for column in range(8):
            dx = x0 + np.float32(column)
            r0 = residual[at + 8 * row + column] * exponential(dx * (hxx * dx + by_x) + constant)
            r1 = r0 * dx
            s0, s1, s2 = s0 + r0, s1 + r1, s2 + r1 * dx
        m0, mx, mxx = m0 + s0, mx + s1, mxx + s2
        my, mxy, myy = my + dy * s0, mxy + dy * s1, myy + dy * dy * s0
    return m0, mx, my, mxx, myy, mxy


@device
def group_sums(patch, gauss, listed, n_listed, sums, residual, box):
    """Six sums of the listed Gaussians over this group, to `sums` (Q, N, 6, G) float32."""
    group, q, me = cuda.blockIdx.x, cuda.blockIdx.y, cuda.threadIdx.x
    e, first, n_tiles = patch.group[group, 0], patch.group[group, 1], patch.group[group, 2]
    t = me % GROUP
    for base in range(0, n_listed, 64):
        i = base + me // GROUP
        entry = listed[q, group, i] if i < n_listed else 0
        m0 = mx = my = mxx = myy = mxy = ZERO
        if t < n_tiles and (entry >> t) & 1:
            x, y = patch.tile_x[first + t], patch.tile_y[first + t]
            m0, mx, my, mxx, myy, mxy = tile_sums(gauss, q, e, entry >> GROUP, x, y, residual, STRIDE * t)
        box[0, me], box[1, me], box[2, me] = m0, mx, my
        box[3, me], box[4, me], box[5, me] = mxx, myy, mxy
        cuda.syncthreads()
        for work in range(me, 6 * 64, THREADS):
            row, i = work // 64, work % 64
            if base + i < n_listed:
                total = ZERO
                for lane in range(GROUP):
                    total += box[row, GROUP * i + lane]
                sums[q, group, row, listed[q, group, base + i] >> GROUP] = total
        cuda.syncthreads()


@device
def sum_of_row(rows, n_rows, me):
    """Sum of row `me` of (n_rows, THREADS), for the threads me < n_rows; n_rows <= THREADS / 16."""
    row, part, total = me // 16, me % 16, 0.0
    cuda.syncthreads()
    if row < n_rows:
        for i in range(part, THREADS, 16):
            total += rows[row, i]
    cuda.syncthreads()
    if row < n_rows:
        rows[row, part] = total
    cuda.syncthreads()
    total = 0.0
    if me < n_rows:
        for i in range(16):
            total += rows[me, i]
    return total


@cuda.jit
def evaluate(patch, state, gauss, listed, kept, sums, totals):
    """One group of one proposal: six sums; `totals` (Q, N, 2) float64: chi2, sum of weighted residuals."""
    box = cuda.shared.array((6, THREADS), np.float32)
    masks = cuda.shared.array(THREADS, np.int32)
    words = cuda.shared.array(WORDS, np.uint32)
    residual = cuda.shared.array(RESIDUALS, np.float32)
    both = cuda.shared.array((2, THREADS), np.float64)
    group, q, me = cuda.blockIdx.x, cuda.blockIdx.y, cuda.threadIdx.x
    value, n_listed = group_model(patch, gauss, listed, kept, box, masks, words)
    r = chi2 = ZERO
    tile = patch.group[group, 1] + me // 64
    if me // 64 < patch.group[group, 2] and patch.weight[tile, me % 64] > ZERO:
        background = np.float32(state.background[q, patch.group[group, 0]])
        difference = patch.data[tile, me % 64] - (value + background)
        r = patch.weight[tile, me % 64] * difference
        chi2 = r * difference
    residual[STRIDE * (me // 64) + me % 64] = r
    both[0, me], both[1, me] = chi2, r
    total = sum_of_row(both, 2, me)
    if me < 2:
        totals[q, group, me] = total
    group_sums(patch, gauss, listed, n_listed, sums, residual, box)


@cuda.jit
def draw(patch, state, gauss, listed, kept, image):
    """Model `image` (T, 64) float32 of the first proposal, background included."""
    box = cuda.shared.array((6, THREADS), np.float32)
    masks = cuda.shared.array(THREADS, np.int32)
    words = cuda.shared.array(WORDS, np.uint32)
    group, me = cuda.blockIdx.x, cuda.threadIdx.x
    value, _ = group_model(patch, gauss, listed, kept, box, masks, words)
    if me // 64 < patch.group[group, 2]:
        background = np.float32(state.background[0, patch.group[group, 0]])
        image[patch.group[group, 1] + me // 64, me % 64] = value + background


@device
def gather(patch, state, kept, sums, q, e, s, me, rows):
    """This thread's part of a source's eight derivatives: 32 Gaussians side by side, every PARTS-th group."""
    n = components(patch, state)
    for i in range(me % 32, n, 32):
        g = s * n + i
        if in_use(patch, state, q, e, g, state.sources.shape[1]):
            m0 = mx = my = mxx = myy = mxy = 0.0
            for group in range(patch.group_start[e] + me // 32, patch.group_start[e + 1], PARTS):
                if kept[q, group, g]:
                    m0 += sums[q, group, 0, g]
                    mx += sums[q, group, 1, g]
                    my += sums[q, group, 2, g]
                    mxx += sums[q, group, 3, g]
                    myy += sums[q, group, 4, g]
                    mxy += sums[q, group, 5, g]
            part = chain(patch, state, q, e, g, m0, mx, my, mxx, myy, mxy)
            for c in range(8):
                rows[c, me] += part[c]


@cuda.jit
def finish(patch, state, kept, sums, totals, out):
    """Sums over groups, `out` (Q, E, S + 1, 8) float64: derivatives of each source; last chi2, residuals."""
    rows = cuda.shared.array((8, THREADS), np.float64)
    q, me, n_sources = cuda.blockIdx.y, cuda.threadIdx.x, out.shape[2] - 1
    e, s = cuda.blockIdx.x // (n_sources + 1), cuda.blockIdx.x % (n_sources + 1)
    for c in range(8):
        rows[c, me] = 0.0
    if s < n_sources:
        gather(patch, state, kept, sums, q, e, s, me, rows)
    else:
        for group in range(patch.group_start[e] + me, patch.group_start[e + 1], THREADS):
            rows[0, me] += totals[q, group, 0]
            rows[1, me] += totals[q, group, 1]
    total = sum_of_row(rows, 8, me)
    if me < 8:
        out[q, e, s, me] = total
