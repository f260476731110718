"""The CPU backend (numba): chi-square with its gradient, model image, Fisher matrix.

The derivation stands in `fpho.kernel.formulas`, that of the loops over grid points in
`fpho.kernel.loops`, the quadtree of the tiles in `fpho.kernel.plan`.

A piece of work (part of one exposure, `TilePlan.pieces`) is done by one thread from beginning to end and
writes its own partial sums; these are added up in the order of the pieces. Results therefore do
not depend on the number of threads, to the last bit. Threads are ordinary Python threads in
compiled code that has released the interpreter; nothing is shared between processes.
"""

import os
import threading
from dataclasses import dataclass
from itertools import islice

import numpy as np

from .arrays import PatchArrays, SourceArrays
from .compiled import outermost_alone
from .fisher import ROOM, fisher_matrix
from .helpers import together
from .loops import EXPO, GIVEN, LEVEL, SPINE, TOTALS
from .mixture import COLUMNS, PREACH, TEST
from .plan import LEVELS, plan_of
from .vectors import LANES
from .walk import LISTS, add_up, run
from .walk import chi_squares as of_images
from .warm import fill_cache

SERIAL_TILES = 192  # patches with fewer tiles are not worth waking another thread
BYTES = 2**20  # of model images that are held at once: less than a processor's nearest large cache
_NO_IMAGE = np.empty((1, 0, 64), np.float32)


@dataclass(frozen=True)
class Shortcuts:
    """The approximations of the kernel and where each is used; every one can be switched off.

    lost: share of a source's flux that may be lost by leaving its Gaussians out where they are faint: each
        is cut where it has less than lost / n of the flux outside, n of them. Off: 1e-300.
    step_limit: largest Fxx + Fyy + 2 |Fxy| (pixel^-2) for which the 64 values of a tile come from
        recurrences (error 5e-6 of its height at most); narrower ones take an exponential per pixel. Off: 0.
    grid_error: a Gaussian is evaluated on a coarser grid and interpolated where the error of that, at
        most 1.63 (pitch / sigma)^8 of its height along each axis, is below this share of the source's peak.
    wide: and where its sigma along x and y is at least that many pitches (relative error below 1.63
        wide^-8). Off: 1e3.
    crowd: Gaussians of an exposure needed before a level of coarser grids is begun (0: always).
    merge_error: Gaussians of a profile narrower than that of the PSF which they meet are replaced by two
        where the error of that (bound in `mixture`) stays below this share of the source's peak. Off: 0.
    """

    lost: float = 5e-7
    step_limit: float = 1.2
    grid_error: float = 1e-6
    wide: float = 3.5
    crowd: int = 4
    merge_error: float = 1e-6

    def vector(self) -> np.ndarray:
        """(6,) float64, as the compiled loops take them."""
        return np.array(
            [
                self.lost,
                self.step_limit,
                1.0 / self.wide**2,
                self.grid_error,
                self.crowd,
                self.merge_error,
            ]
        )


EXACT = Shortcuts(lost=1e-300, step_limit=0.0, wide=1e3, merge_error=0.0)
_default = Shortcuts().vector()
_local = threading.local()
_threads = max(1, int(os.environ.get("NUMBA_NUM_THREADS", os.cpu_count() or 1)))
_ready = False


def set_threads(n: int) -> None:
    """Threads used by one call, from now on in this process (default: NUMBA_NUM_THREADS, or all cores)."""
    global _threads
    _threads = max(1, int(n))


def _aligned(size, dtype=np.float32) -> np.ndarray:
    """Zeros that begin where a cache line does."""
    line = 64 // np.dtype(dtype).itemsize
    buffer = np.zeros(size + line, dtype)
    first = (-buffer.ctypes.data // buffer.itemsize) % line
    return buffer[first : first + size]


ENTRIES = (run, add_up, of_images, fisher_matrix)


def compile_here() -> None:
    """Compile in this process what is not on disk; only for the one that fills the cache."""
    global _ready
    outermost_alone()
    _ready = True


def _scratch(size: int) -> tuple:
    """Work arrays of the calling thread for `size` Gaussians per exposure; compiled code before the first."""
    global _ready
    if not _ready:
        fill_cache(ENTRIES)
        _ready = True
    if getattr(_local, "size", -1) < size:
        blocks, depth = -(-size // LANES), LEVELS + 1
        placed = _aligned((size + 1) * LANES, np.float64).reshape(-1, LANES)
        placed[size, PREACH] = -1.0
        _local.arrays = (
            np.zeros((size, COLUMNS)),  # Gaussians of the exposure
            _aligned((size + 1) * LANES, np.float64).reshape(-1, LANES),  # their six sums
            np.zeros((depth, size), np.float32),  # their reach at each level
            np.zeros((size + 1, 4), np.int32),  # source, place by size, coarsest level, narrow
            placed,  # what lists take of them
            _aligned(2 * LANES, np.float64),  # units of lists
            _aligned(blocks * TEST),  # their blocks for the tests of nodes
            np.zeros((blocks, LEVELS + 2), np.int64),  # and which of them stand on a level
            np.zeros((depth + 1, blocks), np.int32),  # blocks handed down to a level
            np.zeros((LISTS, (blocks + 1) * LANES), np.int32),  # Gaussians of the lists of nodes
            _aligned(LISTS * blocks * GIVEN),
            _aligned(LISTS * blocks * EXPO),
            _aligned(LISTS * blocks * TOTALS),
            _aligned(blocks * SPINE),
            np.zeros(LISTS * blocks, np.int32),  # blocks of the lists in use
            _aligned(depth * LEVEL),  # model and residuals of a level
            np.zeros((4, LISTS), np.int64),  # lengths of lists, blocks handed down, levels and blocks in use
            _aligned(EXPO),
        )
        _local.size = size
    return _local.arrays


def _run(patch: PatchArrays, states: SourceArrays, images, options: Shortcuts | None) -> np.ndarray:
    """Run all pieces of W states (arrays with a first axis more): their partial sums (W, I, 2 + 8 S).

    images : (W, T, 64) to be filled, the sums are then nothing; (W, 0, 64) for none
    """
    plan, n_sources = plan_of(patch), patch.n_sources
    partial = np.zeros((len(states.sources), len(plan.pieces), 2 + 8 * n_sources))
    arguments = (
        np.zeros(1, np.int64), partial, images, _default if options is None else options.vector(),
        plan.steps, plan.pieces, plan.interpolation, patch.data, patch.weight,
        patch.band, patch.position, patch.scale, patch.gain, patch.psf_index, patch.psf, patch.psf_count,
        states.sources, states.profile, states.profile_count, states.background,
    )  # fmt: skip
    size = max(1, n_sources * patch.psf.shape[1] * states.profile.shape[2])
    threads = min(_threads, partial.shape[0] * partial.shape[1]) if len(patch.data) >= SERIAL_TILES else 1
    if threads == 1:
        run(*arguments, *_scratch(size))
    else:
        together(threads, lambda: run(*arguments, *_scratch(size)))
    return partial


def evaluate(patch: PatchArrays, state: SourceArrays, options: Shortcuts | None = None):
    """chi2 (E,), gradient (S, B + 7), background gradient (E,), all float64; see `fpho.kernel`."""
    partial = _run(patch, state[None], _NO_IMAGE, options)[0]
    return add_up(plan_of(patch).pieces, patch.band, partial, state.sources)


def evaluate_many(patch: PatchArrays, states, options: Shortcuts | None = None) -> list:
    """`evaluate` of several states of one patch."""
    return evaluate_batch([(patch, states)], options)[0]


def evaluate_batch(work, options: Shortcuts | None = None) -> list:
    """`evaluate` of several states of each of several patches: `work` is a list of (patch, states).

    One after the other; patches that are too small for several threads go one to a thread.
    """
    work = [(patch, list(states)) for patch, states in work]
    jobs = [(patch, state) for patch, states in work for state in states]
    results, left = [None] * len(jobs), iter(range(len(jobs)))  # one iterator for all threads

    def take(n=None):
        for i in islice(left, n):
            results[i] = evaluate(*jobs[i], options)

    take(1)  # alone: finds or makes the compiled code
    small = all(len(patch.data) < SERIAL_TILES for patch, _ in work)
    together(min(_threads, len(jobs) - 1) if small else 1, take)
    found = iter(results)
    return [list(islice(found, len(states))) for _, states in work]


def chi_squares(patch: PatchArrays, states: SourceArrays) -> np.ndarray:
    """chi2 of several states of one patch, all exposures together (W,), without slopes; see `fpho.kernel`."""
    out, n = np.empty(len(states.sources)), max(1, BYTES // max(1, patch.data.nbytes))
    images = np.empty((min(n, len(out)), *patch.data.shape), np.float32)
    for first in range(0, len(out), n):
        some = states[first : first + n]
        _run(patch, some, images[: len(some.sources)], None)
        out[first : first + n] = of_images(patch.data, patch.weight, images[: len(some.sources)])
    return out


def model(patch: PatchArrays, state: SourceArrays, options: Shortcuts | None = None) -> np.ndarray:
    """Model image on the tiles, background included, (T, 64) float32."""
    image = np.zeros((1, *patch.data.shape), np.float32)
    _run(patch, state[None], image, options)
    return image[0]


def models(patch: PatchArrays, states: SourceArrays) -> np.ndarray:
    """`model` of several states of one patch, (W, T, 64) float32; see `fpho.kernel`."""
    images = np.zeros((len(states.sources), *patch.data.shape), np.float32)
    _run(patch, states, images, None)
    return images


def fisher(patch: PatchArrays, state: SourceArrays) -> np.ndarray:
    """J^t W J (P, P) float64, P = S (B + 7) + E: sources row by row, then the backgrounds."""
    size = max(1, patch.n_sources * patch.psf.shape[1] * state.profile.shape[1])
    gauss, _, reach, kind, placed = _scratch(size)[:5]
    return fisher_matrix(
        _default, patch.weight, patch.tile_x, patch.tile_y, patch.exposure_start, patch.band, patch.position,
        patch.scale, patch.gain, patch.psf_index, patch.psf, patch.psf_count,
        state.sources, state.profile, state.profile_count, gauss, reach, kind, placed,
        _aligned(512), _aligned(64), _aligned((8 * patch.n_sources + 4) * ROOM).reshape(-1, ROOM),
    )  # fmt: skip
