"""The CUDA kernels that add up: over the groups of an exposure, with the chain rule; over the exposures.

All sums are made in a fixed order.
"""

import numpy as np
from numba import cuda

from ..arrays import N_SHAPE
from .device import chain, device, found_in_table, in_use, job_of
from .layout import DERIVATIVES, SUMS, THREADS
from .machine import pointer

AHEAD = 4  # groups whose sums are read at once
AHEAD_SUMS = AHEAD * SUMS
SIXTEEN = 16  # threads that share a sum of THREADS numbers
SIX, EIGHT, EIGHT_FEW = SUMS * THREADS, DERIVATIVES * THREADS, DERIVATIVES * SIXTEEN
FINISH = 2  # layout.STAGES
ZERO = np.float32(0.0)


@device
def add_sixteenths(rows, n_rows, sixteenths):
    """Sums of every sixteenth of each row of (n_rows, THREADS), by the first threads; n_rows <= 16."""
    me = np.int64(cuda.threadIdx.x)
    row, part, total = me // SIXTEEN, me % SIXTEEN, 0.0
    if row < n_rows:
        for i in range(SIXTEEN):
            total += rows[THREADS * row + SIXTEEN * i + part]
        sixteenths[me] = total


@device
def sum_of_sixteenths(sixteenths):
    """Sum of row `me`."""
    me, total = np.int64(cuda.threadIdx.x), 0.0
    for i in range(SIXTEEN):
        total += sixteenths[SIXTEEN * me + i]
    return total


@device
def sums_of(patches, work, job, e, g, part, n_parts):
    """The six sums of a Gaussian over every n_parts-th group of an exposure.

    AHEAD groups at a time: memory is far, and what is read together is waited for once.
    """
    slot, read = cuda.local.array(AHEAD, np.int32), cuda.local.array(AHEAD_SUMS, np.float32)
    total = cuda.local.array(SUMS, np.float64)
    size, starts = job.size, pointer(patches.i4, job.group_start + e)
    group, end = starts[0] + part, starts[1]
    slots, sums = pointer(work.i4, job.slot + g), pointer(work.f4, job.sums - 1)
    for c in range(SUMS):
        total[c] = 0.0
    while group < end:
        for i in range(AHEAD):
            here = group + i * n_parts
            slot[i] = slots[(here if here < end else group) * size]
        for i in range(AHEAD):
            here = group + i * n_parts
            for c in range(SUMS):
                read[SUMS * i + c] = ZERO
            if slot[i] > 0 and here < end:
                there = here * SUMS * size + slot[i]
                for c in range(SUMS):
                    read[SUMS * i + c] = sums[there + c * size]
        for c in range(SUMS):
            total[c] += (read[c] + read[SUMS + c]) + (read[2 * SUMS + c] + read[3 * SUMS + c])
        group += AHEAD * n_parts
    return total[0], total[1], total[2], total[3], total[4], total[5]


@device
def source_derivatives(patches, work, job, e, s, six, rows):
    """Eight derivatives of a source, a column of `rows` (8, THREADS) for each of its Gaussians.

    The groups of a Gaussian are shared by as many threads as there are for each Gaussian.
    """
    n, me = job.n_psf * job.n_profile, np.int64(cuda.threadIdx.x)
    width = min(n, THREADS)
    part, n_parts, i = me // width, THREADS // width, me % width
    while i - me % width < n:
        g = s * n + i
        m0 = mx = my = mxx = myy = mxy = 0.0
        used = i < n and part < n_parts and in_use(patches, work, job, e, g)
        if used:
            m0, mx, my, mxx, myy, mxy = sums_of(patches, work, job, e, g, part, n_parts)
        cuda.syncthreads()
        six[me], six[THREADS + me], six[2 * THREADS + me] = m0, mx, my
        six[3 * THREADS + me], six[4 * THREADS + me], six[5 * THREADS + me] = mxx, myy, mxy
        cuda.syncthreads()
        if used and part == 0:
            for other in range(1, n_parts):
                at = me + other * width
                m0, mx, my = m0 + six[at], mx + six[THREADS + at], my + six[2 * THREADS + at]
                mxx, myy = mxx + six[3 * THREADS + at], myy + six[4 * THREADS + at]
                mxy += six[5 * THREADS + at]
            found = chain(patches, work, job, e, g, m0, mx, my, mxx, myy, mxy)
            for c in range(DERIVATIVES):
                rows[THREADS * c + me] += found[c]
        i += width


@cuda.jit
def finish(patches, work):
    """Sums over groups, `parts` (E, S + 1, 8): derivatives of each source; last chi2, residuals."""
    of_threads = cuda.shared.array(EIGHT, np.float64)
    of_parts = cuda.shared.array(SIX, np.float64)
    few = cuda.shared.array(EIGHT_FEW, np.float64)
    me, rows = np.int64(cuda.threadIdx.x), pointer(of_threads, 0)
    q, block = found_in_table(work, FINISH)
    job = job_of(work, q)
    e, s = block // (job.n_sources + 1), block % (job.n_sources + 1)
    for c in range(DERIVATIVES):
        rows[THREADS * c + me] = 0.0
    if s < job.n_sources:
        source_derivatives(patches, work, job, e, s, pointer(of_parts, 0), rows)
    else:
        starts, totals = pointer(patches.i4, job.group_start + e), pointer(work.f8, job.totals)
        group, end = starts[0] + me, starts[1]
        while group < end:
            rows[me] += totals[2 * group]
            rows[THREADS + me] += totals[2 * group + 1]
            group += THREADS
    cuda.syncthreads()
    add_sixteenths(rows, DERIVATIVES, pointer(few, 0))
    cuda.syncthreads()
    if me < DERIVATIVES:
        pointer(work.f8, job.parts + DERIVATIVES * block)[me] = sum_of_sixteenths(pointer(few, 0))


@device
def over_exposures(patches, work, job, s, column):
    """Derivative of the total chi2 by an element of `sources` (S, W): a flux counts in its band alone."""
    n_bands, total, stride = job.width - N_SHAPE, 0.0, DERIVATIVES * (job.n_sources + 1)
    parts = pointer(work.f8, job.parts + DERIVATIVES * s + max(0, column - n_bands + 1))
    band = pointer(patches.i4, job.band)
    for e in range(job.n_exposures):
        if column >= n_bands or band[e] == column:
            total += parts[e * stride]
    return total


@cuda.jit
def collect(patches, work):
    """Results of one proposal, `out`: gradient (S, W), chi2 (E,), gradient by the backgrounds (E,)."""
    job = job_of(work, cuda.blockIdx.x)
    n, n_exposures = job.n_sources * job.width, job.n_exposures
    out = pointer(work.f8, job.out)
    for i in range(cuda.threadIdx.x, n, THREADS):
        out[i] = over_exposures(patches, work, job, i // job.width, i % job.width)
    for e in range(cuda.threadIdx.x, n_exposures, THREADS):
        totals = pointer(work.f8, job.parts + DERIVATIVES * (e * (job.n_sources + 1) + job.n_sources))
        out[n + e] = totals[0]
        out[n + n_exposures + e] = -2.0 * totals[1]
