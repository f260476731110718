"""A patch that stays on the device, with the work arrays of its evaluations.

Order of events: parameters in (`_prepare`), `kernels.set_up`, `kernels.evaluate`, `kernels.finish`,
one small array out, whose sum over the exposures of a band is made here.
"""

import os
import threading

import numpy as np

from ..arrays import N_SHAPE, TILE, PatchArrays
from . import transport
from .device import ROWS, Patch, State
from .images import derivatives
from .kernels import GROUP, THREADS, draw, evaluate, finish, set_up

BATCH_BYTES = 1 << 30  # work arrays of a launch; more proposals take several launches
FISHER_BYTES = 1 << 26  # derivative images held at a time
NAME = "_gpu_resident"
_making = threading.Lock()


def _nothing() -> None:
    """What a `Resident` becomes elsewhere."""


def resident(patch: PatchArrays) -> "Resident":
    """The patch on the device, made at the first call in this process and kept with the object."""
    with _making:
        found = patch.__dict__.get(NAME)
        if found is None or found.process != os.getpid():
            found = Resident(patch)
            object.__setattr__(patch, NAME, found)
    return found


def tile_order(patch) -> np.ndarray:
    """Tiles by exposure, then along a Morton curve: groups are then compact."""
    exposure = np.repeat(np.arange(patch.n_exposures), np.diff(patch.exposure_start))
    key = np.zeros(len(patch.tile_x), np.int64)
    for shift, origin in enumerate((patch.tile_x, patch.tile_y)):
        index = (origin - origin.min(initial=0)).astype(np.int64) // TILE
        for bit in range(24):
            key |= ((index >> bit) & 1) << (2 * bit + shift)
    return np.lexsort((key, exposure))


def groups_of(exposure_start) -> tuple:
    """`group` (N, 3) and `group_start` (E + 1,) of `device.Patch`."""
    rows, start = [], [0]
    for e in range(len(exposure_start) - 1):
        end = exposure_start[e + 1]
        rows += [(e, first, min(GROUP, end - first)) for first in range(exposure_start[e], end, GROUP)]
        start.append(len(rows))
    return np.array(rows, np.int32).reshape(-1, 3), np.array(start, np.int32)


class Resident:
    """One patch on the device; its methods are those of the backend. One call at a time (a lock)."""

    def __init__(self, patch: PatchArrays):
        self.process, self._lock = os.getpid(), threading.Lock()
        self._start, self._band = np.asarray(patch.exposure_start), np.asarray(patch.band)
        self._n_sources, self._n_psf = patch.n_sources, patch.psf.shape[1]
        self._order = order = tile_order(patch)
        group, group_start = groups_of(self._start)
        self._n_groups = len(group)
        self._shapes, self._work, self._kernels = None, None, {}
        self._patch = Patch(
            transport.send(np.where(patch.weight > 0, patch.data, 0)[order], np.float32),
            transport.send(patch.weight[order], np.float32),
            transport.send(np.asarray(patch.tile_x)[order], np.int32),
            transport.send(np.asarray(patch.tile_y)[order], np.int32),
            transport.send(group, np.int32),
            transport.send(group_start, np.int32),
            transport.send(self._band, np.int32),
            transport.send(patch.position, np.float64),
            transport.send(patch.scale, np.float64),
            transport.send(patch.gain, np.float64),
            transport.send(patch.psf_index, np.int32),
            transport.send(patch.psf, np.float64),
            transport.send(patch.psf_count, np.int32),
        )

    def __reduce__(self):
        """Copies and pickles of a patch leave the device behind; theirs is made at their first call."""
        return _nothing, ()

    def _size(self, state) -> int:
        """Places for Gaussians in one exposure."""
        return max(1, self._n_sources * self._n_psf * state.profile.shape[1])

    def _at_once(self, state) -> int:
        """Proposals in one launch."""
        per_group, per_exposure = 4 * 6 + 4 + 1, 4 * ROWS
        bytes_each = self._size(state) * (per_group * self._n_groups + per_exposure * len(self._band))
        return max(1, min(BATCH_BYTES // max(1, bytes_each), 65535))

    def _run(self, kernel, grid, threads, *arguments) -> None:
        """Starts a kernel; only its first start asks for the types of the arguments, which is slow."""
        arguments = (self._patch, *arguments)
        if kernel.py_func not in self._kernels:
            self._kernels[kernel.py_func] = kernel.specialize(*arguments)
        self._kernels[kernel.py_func][grid, threads](*arguments)

    def _prepare(self, states, sums=True):
        """Work arrays for that many proposals (kept between calls), parameters sent, Gaussians set up."""
        first, n = states[0], len(states)
        shapes = (n, sums, first.sources.shape, first.profile.shape)
        if self._shapes != shapes:
            self._shapes = self._work = None  # freed before the new ones are made
            self._work, self._shapes = self._make(first, n, sums), shapes
        state, gauss = self._work[:2]
        for target, name in zip(state, State._fields, strict=True):
            transport.write(target, np.stack([getattr(s, name) for s in states]))
        places = gauss.shape[0] * gauss.shape[1] * gauss.shape[3]
        self._run(set_up, (places + THREADS - 1) // THREADS, THREADS, state, gauss)
        return self._work

    def _make(self, state, n, sums) -> tuple:
        """State, gauss, listed, kept; and sums, totals, out where the sums are wanted."""
        n_exposures, size, ns = len(self._band), self._size(state), self._n_sources
        empty, groups = transport.empty, self._n_groups
        work = (
            State(
                empty((n, *state.sources.shape), np.float64),
                empty((n, *state.profile.shape), np.float64),
                empty((n, ns), np.int32),
                empty((n, n_exposures), np.float64),
            ),
            empty((n, n_exposures, ROWS, size), np.float32),
            empty((n, groups, size), np.int32),
            empty((n, groups, size), np.int8),
        )
        if not sums:
            return work
        return (
            *work,
            empty((n, groups, 6, size), np.float32),
            empty((n, groups, 2), np.float64),
            empty((n, n_exposures, ns + 1, 8), np.float64),
        )

    def evaluate(self, states) -> list:
        """(chi2, gradient, background gradient) of each state."""
        states, results = list(states), []
        with self._lock:
            at_once = self._at_once(states[0]) if states else 1
            for first in range(0, len(states), at_once):
                part = states[first : first + at_once]
                results += [self._add_up(sums, part[0].sources.shape) for sums in self._launch(part)]
        return results

    def _launch(self, states) -> np.ndarray:
        """Sums by proposal and exposure, (Q, E, S + 1, 8): see `kernels.finish`."""
        state, gauss, listed, kept, sums, totals, out = self._prepare(states)
        n = len(states)
        if self._n_groups:
            self._run(evaluate, (self._n_groups, n), THREADS, state, gauss, listed, kept, sums, totals)
        blocks = len(self._band) * (self._n_sources + 1)
        self._run(finish, (blocks, n), THREADS, state, kept, sums, totals, out)
        return transport.read(out)

    def _add_up(self, sums, shape) -> tuple:
        """chi2, gradient, background gradient from the sums (E, S + 1, 8) of one proposal."""
        gradient, n_bands = np.zeros(shape), shape[1] - N_SHAPE
        for e, band in enumerate(self._band):
            gradient[:, band] += sums[e, :-1, 0]
        gradient[:, n_bands:] = sums[:, :-1, 1:].sum(axis=0)
        return sums[:, -1, 0].copy(), gradient, -2.0 * sums[:, -1, 1]

    def model(self, state) -> np.ndarray:
        """(T, 64) float32."""
        image = np.zeros((len(self._order), TILE * TILE), np.float32)
        if not self._n_groups:
            return image
        with self._lock:
            on_device = transport.empty(image.shape, np.float32)
            work = self._prepare([state], sums=False)
            self._run(draw, self._n_groups, THREADS, *work, on_device)
            image[self._order] = transport.read(on_device)
        return image

    def fisher(self, state) -> np.ndarray:
        """(P, P) float64, a block of tiles at a time."""
        n_sources, n_exposures = self._n_sources, len(self._band)
        width, rows = state.sources.shape[1], 8 * n_sources + 1
        n_bands, background = width - N_SHAPE, n_sources * width
        out = np.zeros((background + n_exposures, background + n_exposures))
        shape = np.arange(n_sources)[:, None] * width + n_bands + np.arange(N_SHAPE)
        block = max(1, FISHER_BYTES // (4 * 64 * rows))
        with self._lock:
            work = self._prepare([state], sums=False)
            images = transport.empty((rows, 64 * min(block, len(self._order))), np.float32)
            for e, band in enumerate(self._band):
                flux = np.arange(n_sources)[:, None] * width + band
                columns = np.append(np.concatenate([flux, shape], axis=1), background + e)
                for first in range(self._start[e], self._start[e + 1], block):
                    n = int(min(block, self._start[e + 1] - first))
                    self._run(derivatives, (n, n_sources + 1), 64, *work[:2], e, int(first), images)
                    out[np.ix_(columns, columns)] += transport.gram(images, 64 * n)
        return out
