"""Device functions of the likelihood: one Gaussian, its exponential, its share of the gradient.

The formulas are those of `fpho.kernel.formulas`, compiled for the GPU; derivation and names stand
there. Everything that is done once per Gaussian is float64, everything that is done per pixel float32.
Arrays stand in flat memories (`layout`): `patches` and `work`; `job` is a proposal's row of the table.
"""

import math

import numpy as np
from numba import config, cuda

from .. import formulas
from ..arrays import N_SHAPE
from .layout import FIELDS, ROWS, STAGES, THREADS, Job

SIMULATED = bool(config.ENABLE_CUDASIM)
device = cuda.jit(device=True)
made = formulas.compiled_by(device)
congruence, centre, convolved = made.congruence, made.centre, made.convolved
cut_radius, reach_of, chain_rule = made.cut_radius, made.reach_of, made.chain

# A Gaussian in the pixel loop, rows of `gauss` (E, ROWS, G): the centre as the nearest float32 and the
# rest, -Fxx / 2, -Fyy / 2, -Fxy, A, dA / d(flux a), its reach: largest d^t F d of a tile's middle.
X, Y, REST_X, REST_Y, HXX, HYY, HXY, AMP, UNIT, REACH = range(ROWS)
LOST = 5e-7  # share of a source's flux that may be lost by cuts
HALF_TILE = 3.5  # pixels from the middle of a tile to its outer pixels
TWO = np.float32(2.0)
N_STAGES = len(STAGES)

if SIMULATED:
    exponential = math.exp
else:
    from numba.cuda import libdevice

    exponential = libdevice.fast_expf  # 2^(x log2 e) in hardware: relative error 1e-7 (2 + |x|)


@device
def found_in_table(work, stage):
    """The proposal of this thread block, and the block's number among those of the proposal in a stage.

    All threads look together.
    """
    found = cuda.shared.array(1, np.int64)
    n = work.i8[0]
    first = 1 + stage * (n + 1)
    block = cuda.blockIdx.x
    for q in range(cuda.threadIdx.x, n, THREADS):
        if work.i8[first + q] <= block and block < work.i8[first + q + 1]:
            found[0] = q
    cuda.syncthreads()
    return found[0], block - work.i8[first + found[0]]


@device
def job_of(work, q):
    """Row q of the table. What is not used of it is not read."""
    w, r = work.i8, 1 + N_STAGES * (work.i8[0] + 1) + q * FIELDS
    return Job(
        w[r], w[r + 1], w[r + 2], w[r + 3], w[r + 4], w[r + 5], w[r + 6], w[r + 7],
        w[r + 8], w[r + 9], w[r + 10], w[r + 11], w[r + 12], w[r + 13], w[r + 14], w[r + 15],
        w[r + 16], w[r + 17], w[r + 18], w[r + 19], w[r + 20], w[r + 21], w[r + 22], w[r + 23],
        w[r + 24], w[r + 25], w[r + 26], w[r + 27], w[r + 28], w[r + 29], w[r + 30], w[r + 31],
    )  # fmt: skip


@device
def place(job, g):
    """Source, component of its profile, component of its PSF of place g."""
    n = job.n_psf * job.n_profile
    return g // n, g % n % job.n_profile, g % n // job.n_profile


@device
def in_use(patches, work, job, e, g):
    """Whether place g of exposure e holds a Gaussian."""
    if job.n_sources == 0:
        return False
    s, k, j = place(job, g)
    psf = patches.i4[job.psf_index + e * job.n_sources + s]
    return k < work.i8[job.count + s] and j < patches.i4[job.psf_count + psf]


@device
def scale_of(patches, job, e, s):
    """D: pixel (x, y) per arcsec (east, north), row by row."""
    at = job.scale + 4 * (e * job.n_sources + s)
    return patches.f8[at], patches.f8[at + 1], patches.f8[at + 2], patches.f8[at + 3]


@device
def shape_of(work, job, s):
    """M: m_ee, m_nn, m_en."""
    at = job.sources + s * job.width + job.width - N_SHAPE + 2
    return work.f8[at], work.f8[at + 1], work.f8[at + 2]


@device
def flux_of(patches, work, job, e, s):
    """Flux of a source in the band of an exposure, nJy."""
    return work.f8[job.sources + s * job.width + patches.i4[job.band + e]]


@device
def gaussian(patches, work, job, e, g):
    """Centre x, y; F (xx, yy, xy); dA / d(flux a); share |a b| of the source, all float64."""
    s, k, j = place(job, g)
    of_source = e * job.n_sources + s
    of_psf = job.psf + 6 * (patches.i4[job.psf_index + of_source] * job.n_psf + j)
    of_profile = job.profile + 6 * (s * job.n_profile + k)
    dxe, dxn, dye, dyn = scale_of(patches, job, e, s)
    mee, mnn, men = shape_of(work, job, s)
    nxx, nyy, nxy = congruence(dxe, dxn, dye, dyn, mee, mnn, men)
    fxx, fyy, fxy, norm = convolved(
        work.f8[of_profile + 1], nxx, nyy, nxy,
        patches.f8[of_psf + 3], patches.f8[of_psf + 4], patches.f8[of_psf + 5],
    )  # fmt: skip
    at = job.sources + s * job.width + job.width - N_SHAPE
    x, y = centre(
        patches.f8[job.position + 2 * of_source], patches.f8[job.position + 2 * of_source + 1],
        dxe, dxn, dye, dyn, work.f8[at], work.f8[at + 1],
    )  # fmt: skip
    x, y = x + patches.f8[of_psf + 1], y + patches.f8[of_psf + 2]
    share = abs(work.f8[of_profile] * patches.f8[of_psf])
    return x, y, fxx, fyy, fxy, patches.f8[job.gain + of_source] * norm * patches.f8[of_psf], share


@device
def record(job, e, g):
    """Where the first value of Gaussian g stands in work.f4; the others follow at distances of G."""
    return job.gauss + e * ROWS * job.size + g


@device
def offset(work, job, e, g, x, y):
    """Pixel (x, y), whole numbers, from the centre of Gaussian g: exact where it is small."""
    at, size = record(job, e, g), job.size
    return (
        (np.float32(x) - work.f4[at + X * size]) - work.f4[at + REST_X * size],
        (np.float32(y) - work.f4[at + Y * size]) - work.f4[at + REST_Y * size],
    )


@device
def reaches(dx, dy, work, job, e, g):
    """Whether Gaussian g counts in the tile whose first pixel is (dx, dy) from its centre (true for NaN)."""
    at, size = record(job, e, g), job.size
    mx, my = dx + np.float32(HALF_TILE), dy + np.float32(HALF_TILE)
    exponent = mx * (work.f4[at + HXX * size] * mx + work.f4[at + HXY * size] * my)
    exponent += work.f4[at + HYY * size] * my * my
    return not -TWO * exponent > work.f4[at + REACH * size]


@device
def chain(patches, work, job, e, g, m0, mx, my, mxx, myy, mxy):
    """The six sums of Gaussian g, brought to flux, east, north, m_ee, m_nn, m_en, sersic, rhalf."""
    s, k, _ = place(job, g)
    _, _, fxx, fyy, fxy, unit, _ = gaussian(patches, work, job, e, g)
    at = job.profile + 6 * (s * job.n_profile + k)
    dxe, dxn, dye, dyn = scale_of(patches, job, e, s)
    mee, mnn, men = shape_of(work, job, s)
    return chain_rule(
        fxx, fyy, fxy, unit, flux_of(patches, work, job, e, s),
        work.f8[at], work.f8[at + 1], work.f8[at + 2], work.f8[at + 3], work.f8[at + 4], work.f8[at + 5],
        dxe, dxn, dye, dyn, mee, mnn, men, m0, mx, my, mxx, myy, mxy,
    )  # fmt: skip
