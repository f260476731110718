"""Device functions of the likelihood: one Gaussian, its exponential, its share of the gradient.

The formulas are those of `fpho.kernel.formulas`, compiled for the GPU; derivation and names stand
there. Everything that is done once per Gaussian is float64, everything that is done per pixel float32.
Arrays stand in flat memories (`layout`): `patches` and `work`; `job` is a proposal's row of the table.
"""

import math

import numpy as np
from numba import cuda

from .. import formulas
from ..arrays import N_SHAPE
from .layout import FIELDS, ROWS, STAGES, THREADS, Job
from .machine import pointer

device = cuda.jit(device=True)
made = formulas.compiled_by(device)
congruence, centre, convolved = made.congruence, made.centre, made.convolved
cut_radius, reach_of, chain_rule = made.cut_radius, made.reach_of, made.chain

# A Gaussian in the pixel loop, rows of `gauss` (E, ROWS, G): the centre as the nearest float32 and the
# rest; h = -F / (2 ln 2), as Hxx, Hyy, 2 Hxy, so that it is A 2^(d^t h d); A; dA / d(flux a); its reach:
# the least exponent d^t h d of the middle of a tile in which it counts (positive where there is none).
X, Y, REST_X, REST_Y, HXX, HYY, HXY, AMP, UNIT, REACH = range(ROWS)
TO_POWER = -0.5 / math.log(2.0)  # h / F
NOWHERE = 1.0
LOST = 5e-7  # share of a source's flux that may be lost by cuts
HALF_TILE = 3.5  # pixels from the middle of a tile to its outer pixels
N_STAGES = len(STAGES)


@device
def found_in_table(work, stage):
    """The proposal of this thread block, and the block's number among those of the proposal in a stage.

    All threads look together.
    """
    found = cuda.shared.array(2, np.int64)
    n, block = pointer(work.i8, 0)[0], cuda.blockIdx.x
    first, q = pointer(work.i8, 1 + stage * (n + 1)), np.int64(cuda.threadIdx.x)
    while q < n:
        if first[q] <= block and block < first[q + 1]:
            found[0], found[1] = q, block - first[q]
        q += THREADS
    cuda.syncthreads()
    return found[0], found[1]


@device
def job_of(work, q):
    """Row q of the table. What is not used of it is not read."""
    w = pointer(work.i8, 1 + N_STAGES * (pointer(work.i8, 0)[0] + 1) + q * FIELDS)
    return Job(
        w[0], w[1], w[2], w[3], w[4], w[5], w[6], w[7],
        w[8], w[9], w[10], w[11], w[12], w[13], w[14], w[15],
        w[16], w[17], w[18], w[19], w[20], w[21], w[22], w[23],
        w[24], w[25], w[26], w[27], w[28], w[29], w[30], w[31],
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
    psf = pointer(patches.i4, job.psf_index + e * job.n_sources)[s]
    return k < pointer(work.i8, job.count)[s] and j < pointer(patches.i4, job.psf_count)[psf]


@device
def scale_of(patches, job, e, s):
    """D: pixel (x, y) per arcsec (east, north), row by row."""
    scale = pointer(patches.f8, job.scale + 4 * (e * job.n_sources + s))
    return scale[0], scale[1], scale[2], scale[3]


@device
def shape_of(work, job, s):
    """M: m_ee, m_nn, m_en."""
    shape = pointer(work.f8, job.sources + s * job.width + job.width - N_SHAPE + 2)
    return shape[0], shape[1], shape[2]


@device
def flux_of(patches, work, job, e, s):
    """Flux of a source in the band of an exposure, nJy."""
    return pointer(work.f8, job.sources + s * job.width)[pointer(patches.i4, job.band)[e]]


@device
def gaussian(patches, work, job, e, g):
    """Centre x, y; F (xx, yy, xy); dA / d(flux a); share |a b| of the source, all float64."""
    s, k, j = place(job, g)
    of_source = e * job.n_sources + s
    index = pointer(patches.i4, job.psf_index)[of_source]
    psf = pointer(patches.f8, job.psf + 6 * (index * job.n_psf + j))
    profile = pointer(work.f8, job.profile + 6 * (s * job.n_profile + k))
    dxe, dxn, dye, dyn = scale_of(patches, job, e, s)
    mee, mnn, men = shape_of(work, job, s)
    nxx, nyy, nxy = congruence(dxe, dxn, dye, dyn, mee, mnn, men)
    fxx, fyy, fxy, norm = convolved(profile[1], nxx, nyy, nxy, psf[3], psf[4], psf[5])
    moved = pointer(work.f8, job.sources + s * job.width + job.width - N_SHAPE)
    position = pointer(patches.f8, job.position + 2 * of_source)
    x, y = centre(position[0], position[1], dxe, dxn, dye, dyn, moved[0], moved[1])
    unit = pointer(patches.f8, job.gain)[of_source] * norm * psf[0]
    return x + psf[1], y + psf[2], fxx, fyy, fxy, unit, abs(profile[0] * psf[0])


@device
def record(work, job, e, g):
    """The values of Gaussian g, at distances of G."""
    return pointer(work.f4, job.gauss + e * ROWS * job.size + g)


@device
def offset(gauss, size, x, y):
    """Pixel (x, y), whole numbers, from the centre of a Gaussian: exact where it is small."""
    return (
        (np.float32(x) - gauss[X * size]) - gauss[REST_X * size],
        (np.float32(y) - gauss[Y * size]) - gauss[REST_Y * size],
    )


@device
def reaches(dx, dy, hxx, hxy, hyy, reach):
    """Whether a Gaussian counts in the tile whose middle is (dx, dy) from its centre (true for NaN)."""
    return not dx * (hxx * dx + hxy * dy) + hyy * dy * dy < reach


@device
def chain(patches, work, job, e, g, m0, mx, my, mxx, myy, mxy):
    """The six sums of Gaussian g, brought to flux, east, north, m_ee, m_nn, m_en, sersic, rhalf."""
    s, k, _ = place(job, g)
    _, _, fxx, fyy, fxy, unit, _ = gaussian(patches, work, job, e, g)
    profile = pointer(work.f8, job.profile + 6 * (s * job.n_profile + k))
    dxe, dxn, dye, dyn = scale_of(patches, job, e, s)
    mee, mnn, men = shape_of(work, job, s)
    return chain_rule(
        fxx, fyy, fxy, unit, flux_of(patches, work, job, e, s),
        profile[0], profile[1], profile[2], profile[3], profile[4], profile[5],
        dxe, dxn, dye, dyn, mee, mnn, men, m0, mx, my, mxx, myy, mxy,
    )  # fmt: skip
