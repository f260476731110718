"""The CUDA kernels: Gaussians, model and residuals and six sums, sums over tiles with the chain rule.

Formulas: `fpho.kernel.formulas`; memories and the table of proposals: `layout`; device functions: `device`.
GROUP neighbouring tiles make a group, one thread block of THREADS = 64 GROUP threads. In the first pass
candidates are tested THREADS at a time, and those that reach the group stand in shared memory; a thread
holds one pixel of each tile and every GROUP-th Gaussian, and the parts of the model are added up at the
end. In the second pass GROUP threads are a Gaussian, one for each tile, and take its six sums over the
residuals in shared memory, with no exchange between threads but one addition. All sums are made in a fixed
order, without floating atomics: results repeat to the last bit, and do not depend on what else is evaluated
in the same launch.
"""

import numpy as np
from numba import cuda

from ..arrays import N_SHAPE
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
    UNIT,
    X,
    Y,
    chain,
    cut_radius,
    device,
    exponential,
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
from .layout import DERIVATIVES, ROWS, SUMS, THREADS
from .resident import GROUP

WORDS = THREADS // 32
PARTS = THREADS // 32  # threads that share the groups of one Gaussian in `finish`
STRIDE = 65  # residuals of a tile in shared memory; 65 keeps tiles in different banks
RESIDUALS = STRIDE * GROUP
SET_UP, EVALUATE, FINISH = 0, 1, 2  # layout.STAGES
ZERO = np.float32(0.0)
EVERY = np.uint64(GROUP)


@cuda.jit
def set_up(patches, work):
    """Records of all Gaussians, `gauss` (E, ROWS, G); one thread each."""
    q, block = found_in_table(work, SET_UP)
    job = job_of(work, q)
    i = block * THREADS + cuda.threadIdx.x
    if i >= job.n_exposures * job.size:
        return
    e, g, size = i // job.size, i % job.size, job.size
    at = record(job, e, g)
    if not in_use(patches, work, job, e, g):
        for row in range(ROWS):
            work.f4[at + row * size] = ZERO
        work.f4[at + REACH * size] = -1.0
        return
    s, k, _ = place(job, g)
    x, y, fxx, fyy, fxy, unit, share = gaussian(patches, work, job, e, g)
    near_x, near_y = np.float32(x), np.float32(y)
    work.f4[at + X * size], work.f4[at + Y * size] = near_x, near_y
    work.f4[at + REST_X * size], work.f4[at + REST_Y * size] = x - np.float64(near_x), y - np.float64(near_y)
    work.f4[at + HXX * size], work.f4[at + HYY * size] = -0.5 * fxx, -0.5 * fyy
    work.f4[at + HXY * size] = -fxy
    weight = work.f8[job.profile + 6 * (s * job.n_profile + k)]
    work.f4[at + AMP * size] = flux_of(patches, work, job, e, s) * weight * unit
    work.f4[at + UNIT * size] = unit
    n_psf = patches.i4[job.psf_count + patches.i4[job.psf_index + e * job.n_sources + s]]
    cut = cut_radius(share * (work.i8[job.count + s] * n_psf), LOST)
    work.f4[at + REACH * size] = reach_of(cut, HALF_TILE, fxx, fyy, fxy)


@device
def group_of(patches, job, group):
    """Exposure, first tile, number of tiles."""
    at = job.group + 3 * group
    return patches.i4[at], patches.i4[at + 1], patches.i4[at + 2]


@device
def mask_of(patches, work, job, e, g, first, n_tiles):
    """Bit t: whether Gaussian g reaches tile t of the group."""
    mask = 0
    for t in range(n_tiles):
        x, y = patches.i4[job.tile_x + first + t], patches.i4[job.tile_y + first + t]
        dx, dy = offset(work, job, e, g, x, y)
        if reaches(dx, dy, work, job, e, g):
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
def add_listed(found, masks, box, px, py, values):
    """Adds every GROUP-th listed Gaussian to this thread's pixels: one load serves a pixel of each tile."""
    i, end = np.uint64(cuda.threadIdx.x // 64), np.uint64(found)  # `range`, signed numbers cost as much again
    while i < end:
        mask, x, y = masks[i], box[0, i], box[1, i]
        hxx, hxy, hyy, amp = box[2, i], box[3, i], box[4, i], box[5, i]
        for t in range(GROUP):
            if (mask >> t) & 1:
                dx, dy = x + px[t], y + py[t]
                values[t] += amp * exponential(dx * (hxx * dx + hxy * dy) + hyy * dy * dy)
        i += EVERY


@device
def sum_of_parts(values, box):
    """Model of pixel me % 64 of tile me // 64, from the parts of the GROUP threads that hold that pixel."""
    me, total = cuda.threadIdx.x, ZERO
    for t in range(GROUP):
        box[t, me] = values[t]
    cuda.syncthreads()
    for part in range(GROUP):
        total += box[me // 64, 64 * part + me % 64]
    cuda.syncthreads()
    return total


@device
def group_model(patches, work, q, group, box):
    """Model of this thread's pixel (no background), and how many Gaussians reach the group.

    Fills `listed` (N, G): g * 2^GROUP + mask of those, in order, and `kept` (N, G): 1 for those.
    """
    masks = cuda.shared.array(THREADS, np.int32)
    words = cuda.shared.array(WORDS, np.uint32)
    job, me = job_of(work, q), cuda.threadIdx.x
    size = job.size
    e, first, n_tiles = group_of(patches, job, group)
    x0, y0, n_listed = patches.i4[job.tile_x + first], patches.i4[job.tile_y + first], 0
    px, py = cuda.local.array(GROUP, np.float32), cuda.local.array(GROUP, np.float32)
    values = cuda.local.array(GROUP, np.float32)
    for t in range(GROUP):
        tile = first + min(t, n_tiles - 1)
        px[t] = np.float32(patches.i4[job.tile_x + tile] - x0 + me % 8)
        py[t] = np.float32(patches.i4[job.tile_y + tile] - y0 + me % 64 // 8)
        values[t] = ZERO
    for start in range(0, size, THREADS):
        g = start + me
        mask = mask_of(patches, work, job, e, g, first, n_tiles) if g < size else 0
        if me < WORDS:
            words[me] = 0
        cuda.syncthreads()
        if mask != 0:
            cuda.atomic.or_(words, me // 32, np.uint32(1 << (me % 32)))
        cuda.syncthreads()
        slot, found = rank(words, me)
        if g < size:
            work.i1[job.kept + group * size + g] = mask != 0
        if mask != 0:
            at = record(job, e, g)
            work.i4[job.listed + group * size + n_listed + slot] = (g << GROUP) | mask
            masks[slot] = mask
            box[0, slot], box[1, slot] = offset(work, job, e, g, x0, y0)
            box[2, slot], box[3, slot] = work.f4[at + HXX * size], work.f4[at + HXY * size]
            box[4, slot], box[5, slot] = work.f4[at + HYY * size], work.f4[at + AMP * size]
        cuda.syncthreads()
        add_listed(found, masks, box, px, py, values)
        n_listed += found
        cuda.syncthreads()
    return sum_of_parts(values, box), n_listed


@device
def tile_sums(work, job, e, g, x, y, residual, at):
    """The six sums M0, Mx, My, Mxx, Myy, Mxy of Gaussian g over the tile that begins at pixel (x, y)."""
    x0, y0 = offset(work, job, e, g, x, y)
    first, size = record(job, e, g), job.size
    hxx, hyy = work.f4[first + HXX * size], work.f4[first + HYY * size]
    hxy = work.f4[first + HXY * size]
    m0 = mx = my = mxx = myy = mxy = ZERO
    for row in range(8):
        dy = y0 + np.float32(row)
        by_x, constant, here = hxy * dy, hyy * dy * dy, np.uint64(at + 8 * row)
        s0 = s1 = s2 = ZERO
        for column in range(8):
            dx = x0 + np.float32(column)
            r0 = residual[here + np.uint64(column)] * exponential(dx * (hxx * dx + by_x) + constant)
            r1 = r0 * dx
            s0, s1, s2 = s0 + r0, s1 + r1, s2 + r1 * dx
        m0, mx, mxx = m0 + s0, mx + s1, mxx + s2
        my, mxy, myy = my + dy * s0, mxy + dy * s1, myy + dy * dy * s0
    return m0, mx, my, mxx, myy, mxy


@device
def group_sums(patches, work, q, group, n_listed, residual, box):
    """Six sums of the listed Gaussians over this group, to `sums` (N, 6, G)."""
    job, me = job_of(work, q), cuda.threadIdx.x
    size = job.size
    e, first, n_tiles = group_of(patches, job, group)
    t, listed, sums = me % GROUP, job.listed + group * size, job.sums + group * SUMS * size
    for base in range(0, n_listed, 64):
        i = base + me // GROUP
        entry = work.i4[listed + i] if i < n_listed else 0
        m0 = mx = my = mxx = myy = mxy = ZERO
        if t < n_tiles and (entry >> t) & 1:
            x, y = patches.i4[job.tile_x + first + t], patches.i4[job.tile_y + first + t]
            m0, mx, my, mxx, myy, mxy = tile_sums(work, job, e, entry >> GROUP, x, y, residual, STRIDE * t)
        box[0, me], box[1, me], box[2, me] = m0, mx, my
        box[3, me], box[4, me], box[5, me] = mxx, myy, mxy
        cuda.syncthreads()
        for task in range(me, SUMS * 64, THREADS):
            row, i = task // 64, task % 64
            if base + i < n_listed:
                total = ZERO
                for lane in range(GROUP):
                    total += box[row, GROUP * i + lane]
                work.f4[sums + row * size + (work.i4[listed + base + i] >> GROUP)] = total
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


@device
def residual_of(patches, work, job, group, value):
    """Weighted residual of this thread's pixel, and its share of chi2, given the model without background."""
    e, first, n_tiles = group_of(patches, job, group)
    tile, pixel = cuda.threadIdx.x // 64, cuda.threadIdx.x % 64
    at = 64 * (first + tile) + pixel
    if tile >= n_tiles or not patches.f4[job.weight + at] > ZERO:
        return ZERO, ZERO
    difference = patches.f4[job.data + at] - (value + np.float32(work.f8[job.background + e]))
    r = patches.f4[job.weight + at] * difference
    return r, r * difference


@cuda.jit
def evaluate(patches, work):
    """One group of one proposal: six sums; `totals` (N, 2): chi2, sum of weighted residuals."""
    box = cuda.shared.array((SUMS, THREADS), np.float32)
    residual = cuda.shared.array(RESIDUALS, np.float32)
    both = cuda.shared.array((2, THREADS), np.float64)
    me = cuda.threadIdx.x
    q, group = found_in_table(work, EVALUATE)
    value, n_listed = group_model(patches, work, q, group, box)
    job = job_of(work, q)  # each part reads what it needs, so that registers are free in the loops
    r, chi2 = residual_of(patches, work, job, group, value)
    residual[STRIDE * (me // 64) + me % 64] = r
    both[0, me], both[1, me] = chi2, r
    total = sum_of_row(both, 2, me)
    if me < 2:
        work.f8[job.totals + 2 * group + me] = total
    group_sums(patches, work, q, group, n_listed, residual, box)


@cuda.jit
def draw(patches, work):
    """Model `image` (T, 64), background included."""
    box = cuda.shared.array((SUMS, THREADS), np.float32)
    q, group = found_in_table(work, EVALUATE)
    value, _ = group_model(patches, work, q, group, box)
    job, me = job_of(work, q), cuda.threadIdx.x
    e, first, n_tiles = group_of(patches, job, group)
    if me // 64 < n_tiles:
        background = np.float32(work.f8[job.background + e])
        work.f4[job.image + 64 * (first + me // 64) + me % 64] = value + background


@device
def gather(patches, work, job, e, s, rows):
    """This thread's part of a source's eight derivatives: 32 Gaussians side by side, every PARTS-th group."""
    n, size, me = job.n_psf * job.n_profile, job.size, cuda.threadIdx.x
    begin, end = patches.i4[job.group_start + e], patches.i4[job.group_start + e + 1]
    for i in range(me % 32, n, 32):
        g = s * n + i
        if in_use(patches, work, job, e, g):
            m0 = mx = my = mxx = myy = mxy = 0.0
            for group in range(begin + me // 32, end, PARTS):
                if work.i1[job.kept + group * size + g]:
                    at = job.sums + group * SUMS * size + g
                    m0 += work.f4[at]
                    mx += work.f4[at + size]
                    my += work.f4[at + 2 * size]
                    mxx += work.f4[at + 3 * size]
                    myy += work.f4[at + 4 * size]
                    mxy += work.f4[at + 5 * size]
            part = chain(patches, work, job, e, g, m0, mx, my, mxx, myy, mxy)
            for c in range(DERIVATIVES):
                rows[c, me] += part[c]


@cuda.jit
def finish(patches, work):
    """Sums over groups, `parts` (E, S + 1, 8): derivatives of each source; last chi2, residuals."""
    rows = cuda.shared.array((DERIVATIVES, THREADS), np.float64)
    me = cuda.threadIdx.x
    q, block = found_in_table(work, FINISH)
    job = job_of(work, q)
    e, s = block // (job.n_sources + 1), block % (job.n_sources + 1)
    for c in range(DERIVATIVES):
        rows[c, me] = 0.0
    if s < job.n_sources:
        gather(patches, work, job, e, s, rows)
    else:
        begin, end = patches.i4[job.group_start + e], patches.i4[job.group_start + e + 1]
        for group in range(begin + me, end, THREADS):
            rows[0, me] += work.f8[job.totals + 2 * group]
            rows[1, me] += work.f8[job.totals + 2 * group + 1]
    total = sum_of_row(rows, DERIVATIVES, me)
    if me < DERIVATIVES:
        work.f8[job.parts + DERIVATIVES * block + me] = total


@device
def over_exposures(patches, work, job, s, column):
    """Derivative of the total chi2 by an element of `sources` (S, W): a flux counts in its band alone."""
    n_bands, total, stride = job.width - N_SHAPE, 0.0, DERIVATIVES * (job.n_sources + 1)
    at = job.parts + DERIVATIVES * s + max(0, column - n_bands + 1)
    for e in range(job.n_exposures):
        if column >= n_bands or patches.i4[job.band + e] == column:
            total += work.f8[at + e * stride]
    return total


@cuda.jit
def collect(patches, work):
    """Results of one proposal, `out`: gradient (S, W), chi2 (E,), gradient by the backgrounds (E,)."""
    job = job_of(work, cuda.blockIdx.x)
    n, n_exposures = job.n_sources * job.width, job.n_exposures
    for i in range(cuda.threadIdx.x, n, THREADS):
        work.f8[job.out + i] = over_exposures(patches, work, job, i // job.width, i % job.width)
    for e in range(cuda.threadIdx.x, n_exposures, THREADS):
        at = job.parts + DERIVATIVES * (e * (job.n_sources + 1) + job.n_sources)
        work.f8[job.out + n + e] = work.f8[at]
        work.f8[job.out + n + n_exposures + e] = -2.0 * work.f8[at + 1]
