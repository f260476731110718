"""The CUDA kernels over pixels: Gaussians; model, residuals and six sums. `adding` brings the sums together.

Formulas: `fpho.kernel.formulas`; memories and the table of proposals: `layout`; device functions: `device`.
GROUP = 4 neighbouring tiles make a group, one thread block of THREADS = 64 GROUP threads. Candidates are
tested THREADS at a time, and those that reach the group stand in shared memory. In the first pass a thread is
a column of a tile, a warp all columns of the group, and each warp takes every WARPS-th Gaussian; the parts of
the model are added up at the end. In the second pass GROUP threads are a Gaussian, one for each tile, and
take its six sums over the residuals in shared memory, with no exchange but between these four. All sums are
made in a fixed order, without floating atomics: results repeat to the last bit, and do not depend on what is
evaluated beside them.
"""

import numpy as np
from numba import cuda

from ..arrays import TILE
from .adding import SIXTEEN, add_sixteenths, sum_of_sixteenths
from .device import (
    AMP,
    HALF_TILE,
    HXX,
    HXY,
    HYY,
    LOST,
    NOWHERE,
    REACH,
    REST_X,
    REST_Y,
    TO_POWER,
    UNIT,
    X,
    Y,
    cut_radius,
    device,
    flux_of,
    found_in_table,
    gaussian,
    in_use,
    job_of,
    offset,
    place,
    reach_of,
    reaches,
    record,
)
from .layout import ROWS, SUMS, THREADS
from .machine import ALIGNED, over_four, pointer, power
from .resident import GROUP

WARPS = THREADS // 32
SPAN = TILE * TILE + TILE  # of a tile in shared memory: columns of all tiles have banks of their own
PART = SPAN * GROUP
PARTS = PART * WARPS
LISTED = 8  # values of a listed Gaussian in shared memory
TWICE, TWO_FEW = 2 * THREADS, 2 * SIXTEEN
CORNERS = 2 * GROUP
SET_UP, EVALUATE = 0, 1  # layout.STAGES
ZERO, ONE = np.float32(0.0), np.float32(1.0)


@cuda.jit
def set_up(patches, work):
    """Records of all Gaussians, `gauss` (E, ROWS, G); one thread each."""
    q, block = found_in_table(work, SET_UP)
    job = job_of(work, q)
    i = block * THREADS + cuda.threadIdx.x
    if i >= job.n_exposures * job.size:
        return
    e, g, size = i // job.size, i % job.size, job.size
    gauss = record(work, job, e, g)
    if not in_use(patches, work, job, e, g):
        for row in range(ROWS):
            gauss[row * size] = ZERO
        gauss[REACH * size] = NOWHERE
        return
    s, k, _ = place(job, g)
    x, y, fxx, fyy, fxy, unit, share = gaussian(patches, work, job, e, g)
    near_x, near_y = np.float32(x), np.float32(y)
    gauss[X * size], gauss[Y * size] = near_x, near_y
    gauss[REST_X * size], gauss[REST_Y * size] = x - np.float64(near_x), y - np.float64(near_y)
    gauss[HXX * size], gauss[HYY * size] = TO_POWER * fxx, TO_POWER * fyy
    gauss[HXY * size] = 2.0 * TO_POWER * fxy
    weight = pointer(work.f8, job.profile)[6 * (s * job.n_profile + k)]
    gauss[AMP * size] = flux_of(patches, work, job, e, s) * weight * unit
    gauss[UNIT * size] = unit
    psf = pointer(patches.i4, job.psf_index)[e * job.n_sources + s]
    n_alike = pointer(work.i8, job.count)[s] * pointer(patches.i4, job.psf_count)[psf]
    cut = cut_radius(share * n_alike, LOST)
    gauss[REACH * size] = TO_POWER * reach_of(cut, HALF_TILE, fxx, fyy, fxy)


@device
def group_of(patches, job, group):
    """Exposure, first tile, number of tiles."""
    row = pointer(patches.i4, job.group + 3 * group)
    return row[0], row[1], row[2]


@device
def rank(words, warp, lane):
    """How many threads before this one have their bit set, and how many at all."""
    before = total = 0
    for w in range(WARPS):
        count = cuda.popc(words[w])
        before += count if w < warp else 0
        total += count
    return before + cuda.popc(words[warp] & np.uint32((1 << lane) - 1)), total


@device
def add_listed(found, warp, tile, px, py, listed, masks, values):
    """Adds every WARPS-th listed Gaussian to this thread's pixels, a column that begins at (px, py)."""
    i = np.int64(warp)
    while i < found:
        g, mask = pointer(listed, LISTED * i), masks[i]
        x, y, hxx, hxy, hyy, amp = g[0], g[1], g[2], g[3], g[4], g[5]
        amp = amp if (mask >> tile) & 1 else ZERO
        dx, dy = x + px, y + py
        by_y, constant = hxy * dx, hxx * dx * dx
        for row in range(TILE):
            here = dy + np.float32(row)
            values[row] += amp * power(here * (hyy * here + by_y) + constant)
        i += WARPS


@device
def sum_of_parts(warp, tile, column, values, parts):
    """Model of this thread's pixel, from the parts that the warps hold."""
    mine = pointer(parts, PART * warp + SPAN * tile + column)
    for row in range(TILE):
        mine[TILE * row] = values[row]
    cuda.syncthreads()
    me = np.int64(cuda.threadIdx.x)
    pixel, total = pointer(parts, SPAN * (me >> 6) + (me & 63)), ZERO
    for part in range(WARPS):
        total += pixel[PART * part]
    cuda.syncthreads()
    return total


@device
def mask_of(dx, dy, hxx, hxy, hyy, reach, middles):
    """Bit t: whether a Gaussian reaches tile t, whose middle is (middles[t], middles[GROUP + t]) away."""
    mask = 0
    for t in range(GROUP):
        if reaches(dx + middles[t], dy + middles[GROUP + t], hxx, hxy, hyy, reach):
            mask |= 1 << t
    return mask


@device
def list_candidate(work, job, e, g, x0, y0, n_tiles, n_listed, middles, listed, slots, shared, masks, flags):
    """Tests this thread's candidate g; those that reach the group stand in `shared` and `masks`, in order.

    Returns how many do.
    """
    me, size, words = np.int64(cuda.threadIdx.x), job.size, pointer(flags, 0)
    warp, lane, mask = me >> 5, me & 31, 0
    dx = dy = hxx = hxy = hyy = ZERO
    if me < WARPS:
        words[me] = 0
    cuda.syncthreads()
    if g < size:
        gauss = record(work, job, e, g)
        dx, dy = offset(gauss, size, x0, y0)
        hxx, hxy, hyy = gauss[HXX * size], gauss[HXY * size], gauss[HYY * size]
        mask = mask_of(dx, dy, hxx, hxy, hyy, gauss[REACH * size], middles) & ((1 << n_tiles) - 1)
    if mask != 0:
        cuda.atomic.or_(flags, warp, np.uint32(1 << lane))
    cuda.syncthreads()
    slot, found = rank(words, warp, lane)
    if g < size:
        slots[g] = n_listed + slot + 1 if mask != 0 else 0
    if mask != 0:
        listed[n_listed + slot] = (g << GROUP) | mask
        masks[slot] = mask
        there = pointer(shared, LISTED * slot)
        there[0], there[1], there[2], there[3] = dx, dy, hxx, hxy
        there[4], there[5] = hyy, record(work, job, e, g)[AMP * size]
    cuda.syncthreads()
    return found


@device
def group_model(patches, work, q, group, shared):
    """Model of this thread's pixel (no background), and how many Gaussians reach the group.

    Fills `listed` (N, G): g * 2^GROUP + mask of those, in order, and `slot` (N, G): 1 + place in that list.
    Bit t of a mask: whether the Gaussian reaches tile t.
    """
    of_slots = cuda.shared.array(THREADS, np.int32)
    flags = cuda.shared.array(WARPS, np.uint32)
    corners = cuda.shared.array(CORNERS, np.float32)
    values = cuda.local.array(TILE, np.float32)
    masks, middles = pointer(of_slots, 0), pointer(corners, 0)
    job, me = job_of(work, q), np.int64(cuda.threadIdx.x)
    warp, lane, tile, column = me >> 5, me & 31, (me & 31) >> 3, me & 7
    e, first, n_tiles = group_of(patches, job, group)
    tile_x, tile_y = pointer(patches.i4, job.tile_x + first), pointer(patches.i4, job.tile_y + first)
    x0, y0, mine = tile_x[0], tile_y[0], min(tile, n_tiles - 1)
    px, py = np.float32(tile_x[mine] - x0 + column), np.float32(tile_y[mine] - y0)
    if lane == TILE * tile and warp == 0:
        middles[tile], middles[GROUP + tile] = px + np.float32(HALF_TILE), py + np.float32(HALF_TILE)
    for row in range(TILE):
        values[row] = ZERO
    at = group * job.size
    listed, slots = pointer(work.i4, job.listed + at), pointer(work.i4, job.slot + at)
    start = n_listed = np.int64(0)
    while start < job.size:
        found = list_candidate(
            work, job, e, start + me, x0, y0, n_tiles, n_listed, middles, listed, slots, shared, masks, flags
        )
        add_listed(found, warp, tile, px, py, shared, masks, values)
        n_listed += found
        start += THREADS
        cuda.syncthreads()
    return sum_of_parts(warp, tile, column, values, shared), n_listed


@device
def tile_sums(dx, dy, hxx, hxy, hyy, residual):
    """The six sums M0, Mx, My, Mxx, Myy, Mxy of a Gaussian over a tile whose first pixel is (dx, dy) from it.

    Sums over the columns of a row and over the rows of a column, so that a pixel takes four operations.
    """
    by_column = cuda.local.array(TILE, np.float32)
    for column in range(TILE):
        by_column[column] = ZERO
    m0 = mx = my = mxx = myy = mxy = row = ZERO
    at = np.int64(0)
    while at < TILE * TILE:
        for _ in range(2):  # rows at a time
            y = dy + row
            by_x, constant, s0, s1 = hxy * y, hyy * y * y, ZERO, ZERO
            for column in range(TILE):
                x = dx + np.float32(column)
                r = residual[at + column] * power(x * (hxx * x + by_x) + constant)
                by_column[column] += r
                s0 += r
                s1 += r * x
            sy = s0 * y
            mx, my, mxy, myy = mx + s1, my + sy, mxy + s1 * y, myy + sy * y
            at += TILE
            row += ONE
    for column in range(TILE):
        x = dx + np.float32(column)
        m0 += by_column[column]
        mxx += by_column[column] * x * x
    return m0, mx, my, mxx, myy, mxy


@device
def group_sums(patches, work, q, group, n_listed, residual, shared):
    """Six sums of the listed Gaussians over this group, to `sums` (N, 6, G)."""
    job, me = job_of(work, q), np.int64(cuda.threadIdx.x)
    size = job.size
    e, first, n_tiles = group_of(patches, job, group)
    t, near = me & (GROUP - 1), me // GROUP
    mine = min(t, n_tiles - 1)
    x = pointer(patches.i4, job.tile_x + first)[mine]
    y = pointer(patches.i4, job.tile_y + first)[mine]
    there = pointer(residual, SPAN * t)
    listed = pointer(work.i4, job.listed + group * size)
    base = np.int64(0)
    while base < n_listed:
        entry = listed[base + near] if base + near < n_listed else 0
        m0 = mx = my = mxx = myy = mxy = ZERO
        if (entry >> t) & 1:
            gauss = record(work, job, e, entry >> GROUP)
            dx, dy = offset(gauss, size, x, y)
            hxx, hxy, hyy = gauss[HXX * size], gauss[HXY * size], gauss[HYY * size]
            m0, mx, my, mxx, myy, mxy = tile_sums(dx, dy, hxx, hxy, hyy, there)
        m0, mx, my = over_four(m0, shared), over_four(mx, shared), over_four(my, shared)
        mxx, myy, mxy = over_four(mxx, shared), over_four(myy, shared), over_four(mxy, shared)
        if base + near < n_listed:
            sums = pointer(work.f4, job.sums + group * SUMS * size + base + near)
            sums[t * size] = (m0 if t == 0 else mx) if t < 2 else (my if t == 2 else mxx)
            if t < 2:
                sums[(t + 4) * size] = myy if t == 0 else mxy
        base += THREADS // GROUP


@device
def residual_of(patches, work, job, group, value):
    """Weighted residual of this thread's pixel, and its share of chi2, given the model without background."""
    e, first, n_tiles = group_of(patches, job, group)
    me = np.int64(cuda.threadIdx.x)
    weight = pointer(patches.f4, job.weight + 64 * first)
    if me >> 6 >= n_tiles or not weight[me] > ZERO:
        return ZERO, ZERO
    data, background = pointer(patches.f4, job.data + 64 * first)[me], pointer(work.f8, job.background)[e]
    difference = data - (value + np.float32(background))
    r = weight[me] * difference
    return r, r * difference


@cuda.jit
def evaluate(patches, work):
    """One group of one proposal: six sums; `totals` (N, 2): chi2, sum of weighted residuals."""
    shared = cuda.shared.array(PARTS, np.float32, ALIGNED)
    residual = cuda.shared.array(PART, np.float32, ALIGNED)
    both = cuda.shared.array(TWICE, np.float64)
    few = cuda.shared.array(TWO_FEW, np.float64)
    me = np.int64(cuda.threadIdx.x)
    q, group = found_in_table(work, EVALUATE)
    value, n_listed = group_model(patches, work, q, group, shared)
    job = job_of(work, q)  # each part reads what it needs, so that registers are free in the loops
    r, chi2 = residual_of(patches, work, job, group, value)
    pointer(residual, SPAN * (me >> 6))[me & 63] = r
    pointer(both, 0)[me], pointer(both, THREADS)[me] = chi2, r
    cuda.syncthreads()
    add_sixteenths(pointer(both, 0), 2, pointer(few, 0))
    group_sums(patches, work, q, group, n_listed, residual, shared)
    cuda.syncthreads()
    if me < 2:
        totals = pointer(work.f8, job_of(work, q).totals + 2 * group)
        totals[me] = sum_of_sixteenths(pointer(few, 0))


@cuda.jit
def draw(patches, work):
    """Model `image` (T, 64), background included."""
    shared = cuda.shared.array(PARTS, np.float32, ALIGNED)
    q, group = found_in_table(work, EVALUATE)
    value, _ = group_model(patches, work, q, group, shared)
    job, me = job_of(work, q), np.int64(cuda.threadIdx.x)
    e, first, n_tiles = group_of(patches, job, group)
    if me >> 6 < n_tiles:
        background = np.float32(pointer(work.f8, job.background)[e])
        pointer(work.f4, job.image + 64 * first)[me] = value + background
