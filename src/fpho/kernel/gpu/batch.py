"""Evaluations: proposals of any patches in one set of launches, or as few as memory allows.

Order of events: parameters in (one copy from pinned memory), `kernels.set_up`, `evaluate`, `finish`,
`collect`, results out (one copy to pinned memory). One proposal of one patch is the batch of one.
"""

import os
import threading
from functools import partial
from itertools import islice

import numpy as np

from ..arrays import N_SHAPE, TILE
from . import images, kernels
from .compiling import Launcher
from .layout import DERIVATIVES, DRAW, FISHER, PARAMETERS, THREADS, Layout, bytes_each, lay_out
from .resident import Shelf, resident
from .transport import Memory, NoMemory, Stream, pinned

BATCH_BYTES = 1 << 30  # of one set of launches; more proposals take several
FISHER_BYTES = 1 << 26  # derivative images held at a time
LAYOUTS = 16  # tables kept for calls of the same composition
GRAPHS = False  # replay all steps as a CUDA graph: not before a card has shown that it pays
_making = threading.Lock()
_of_process: dict = {}


def evaluator() -> "Evaluator":
    """The one of this process; a forked child makes its own."""
    found = _of_process.get(os.getpid())
    if found is None:
        with _making:
            if os.getpid() not in _of_process:
                _of_process.clear()
                _of_process[os.getpid()] = Evaluator()
            found = _of_process[os.getpid()]
    return found


def parameters_of(states, patch) -> list:
    """The arrays of all states of a patch, by field in the order of `layout.PARAMETERS`.

    Raises
    ------
    ValueError
        Where a state has other shapes than the first, or than the patch.
    """
    first = states[0]
    shapes = {(s.sources.shape, s.profile.shape, s.profile_count.shape, s.background.shape) for s in states}
    n_sources, n_exposures = patch.n_sources, patch.n_exposures
    expected = (
        (n_sources, first.sources.shape[1]), (n_sources, *first.profile.shape[1:]),
        (n_sources,), (n_exposures,),
    )  # fmt: skip
    if shapes != {expected} or first.profile.shape[2] != 6:
        raise ValueError(f"states of shapes {sorted(shapes)} on a patch and first state of {expected}")
    return [
        [s.profile_count for s in states],
        [s.sources for s in states],
        [s.profile for s in states],
        [s.background for s in states],
    ]


class Evaluator:
    """Stream, memories and tables of this process. One call at a time (a lock)."""

    def __init__(self):
        self.lock = threading.Lock()
        self.stream = Stream()
        self.shelf = Shelf(self.stream)
        self.launch = Launcher(self.stream)
        self.work = None
        self._into = self._from = np.zeros(0, np.uint8)
        self._layouts, self._current, self._graph = {}, None, None

    def evaluate(self, work) -> list:
        """Results of each (patch, states): lists of (chi2, gradient, background gradient)."""
        work = [(patch, list(states)) for patch, states in work]
        with self.lock:
            todo, done, limit = [pair for pair in work if pair[1]], [], BATCH_BYTES
            while todo:
                part, rest = split(todo, limit, self.shelf)
                layout = self.table_of(part)
                try:
                    self._hold(layout)
                except NoMemory:
                    if layout.n_jobs == 1:
                        raise
                    limit = layout.size // 2
                    continue
                done += self._results(layout, part)
                todo = rest
        results = iter(done)
        return [list(islice(results, len(states))) for _, states in work]

    def table_of(self, part, used=None, image: int = 0) -> Layout:
        """The table for (patch, states) pairs; kept for the next call of the same composition."""
        residents = [resident(patch, self.shelf) for patch, _ in part]
        runs = [one.run(len(states), states[0]) for one, (_, states) in zip(residents, part, strict=True)]
        key = (used, image, *((one.serial, *run[2:]) for one, run in zip(residents, runs, strict=True)))
        if key not in self._layouts:
            if len(self._layouts) >= LAYOUTS:
                self._layouts.clear()
            self._layouts[key] = lay_out(runs, image=image) if used is None else lay_out(runs, used, image)
        return self._layouts[key]

    def _hold(self, layout: Layout) -> None:
        """Memories for a layout; what is too small is freed before the larger one is made."""
        if self.work is None or self.work.size < layout.size:
            self.work = self._current = self._graph = None
            self.launch.forget()
            self.work = Memory(layout.size, self.stream)
        _, end = layout.parameters
        if len(self._into) < end:
            self._into, self._current, self._graph = pinned(2 * end), None, None
        if len(self._from) < 8 * layout.lengths["out"]:
            self._from, self._graph = pinned(16 * layout.lengths["out"]), None
        if self.launch.use(self.shelf.memory, self.work):
            self._graph = None

    def _pack(self, layout: Layout, part) -> tuple:
        """Table and parameters to pinned memory; the first and last byte that the device lacks."""
        begin, end = layout.parameters
        if self._current is not layout:
            self._into[: layout.table.nbytes].view(np.int64)[:] = layout.table
            self._current, self._graph, begin = layout, None, 0
        fields = zip(*(parameters_of(states, patch) for patch, states in part), strict=True)
        for name, lists in zip(PARAMETERS, fields, strict=True):
            arrays = [array for some in lists for array in some]
            first, n = layout.places[name], layout.lengths[name]
            kind = np.int64 if name == "count" else np.float64
            target = self._into[first : first + 8 * n].view(kind)
            np.concatenate(arrays, axis=None, out=target, casting="same_kind")
        return begin, end

    def _steps(self, layout: Layout, begin: int, end: int) -> list:
        """(name, function) of all that the device does for one batch, in order."""
        out, blocks = layout.places["out"], layout.blocks
        target = self._from[: 8 * layout.lengths["out"]]
        return [
            ("parameters in", partial(self.stream.send, self._into[begin:end], self.work, begin)),
            ("set_up", partial(self.launch, kernels.set_up, blocks["set_up"], THREADS)),
            ("evaluate", partial(self.launch, kernels.evaluate, blocks["evaluate"], THREADS)),
            ("finish", partial(self.launch, kernels.finish, blocks["finish"], THREADS)),
            ("collect", partial(self.launch, kernels.collect, layout.n_jobs, THREADS)),
            ("results out", partial(self.stream.read, self.work, out, target)),
        ]

    def _results(self, layout: Layout, part) -> list:
        """Results of all proposals of a layout in memory."""
        begin, end = self._pack(layout, part)
        if GRAPHS and begin:  # only the parameters change, at the same places
            if self._graph is None:
                self._graph = self.stream.captured([step for _, step in self._steps(layout, begin, end)])
            self.stream.replay(self._graph)
        else:
            for _, step in self._steps(layout, begin, end):
                step()
        self.stream.wait()
        return unpacked(self._from.view(np.float64), part)

    def steps_again(self, work) -> list:
        """(name, function) of each step of what was evaluated last, for measurements."""
        layout = self.table_of(work)
        return self._steps(layout, *layout.parameters)

    def most_at_once(self, patch, state) -> int:
        """Proposals of a patch in one set of launches."""
        return max(1, BATCH_BYTES // bytes_each(resident(patch, self.shelf).run(1, state)))

    def model(self, patch, state) -> np.ndarray:
        """(T, 64) float32."""
        image = np.zeros((len(patch.data), TILE * TILE), np.float32)
        if not image.size:
            return image
        with self.lock:
            layout = self._prepared(patch, state, DRAW, image.size)
            self.launch(kernels.draw, layout.blocks["evaluate"], THREADS)
            drawn = np.empty_like(image)
            self.stream.read(self.work, layout.places["image"], drawn)
            self.stream.wait()
            image[resident(patch, self.shelf).order] = drawn
        return image

    def _prepared(self, patch, state, used, image: int) -> Layout:
        """Gaussians of one state set up, and memory for an image."""
        part = [(patch, [state])]
        layout = self.table_of(part, used, image)
        self._hold(layout)
        begin, end = self._pack(layout, part)
        self.stream.send(self._into[begin:end], self.work, begin)
        self.launch(kernels.set_up, layout.blocks["set_up"], THREADS)
        return layout

    def fisher(self, patch, state) -> np.ndarray:
        """(P, P) float64, a block of tiles at a time."""
        n_sources, n_exposures = patch.n_sources, patch.n_exposures
        width, rows = state.sources.shape[1], DERIVATIVES * n_sources + 1
        size = n_sources * width + n_exposures
        out = np.zeros((size, size))
        block = min(len(patch.data), max(1, FISHER_BYTES // (4 * 64 * rows)))
        start = patch.exposure_start
        with self.lock:
            layout = self._prepared(patch, state, FISHER, 64 * rows * block)
            for e in range(n_exposures):
                columns = columns_of(n_sources, width, patch.band[e], e)
                for first in range(start[e], start[e + 1], max(1, block)):
                    n = int(min(block, start[e + 1] - first))
                    self.launch(
                        images.derivatives, n * (n_sources + 1), TILE * TILE, e, int(first), 64 * block
                    )
                    shape = rows, 64 * block
                    gram = self.stream.gram(self.work, layout.places["image"], shape, 64 * n)
                    out[np.ix_(columns, columns)] += gram
        return out


def split(todo, limit: int, shelf: Shelf) -> tuple:
    """(patch, states) for one set of launches of at most `limit` bytes or one proposal, and the rest."""
    part, room = [], limit
    for i, (patch, states) in enumerate(todo):
        each = bytes_each(resident(patch, shelf).run(1, states[0]))
        n = min(len(states), room // each)
        n = max(n, 0 if part else 1)
        if n:
            part.append((patch, states[:n]))
        room -= n * each
        if n < len(states):
            return part, [(patch, states[n:]), *todo[i + 1 :]]
    return part, []


def columns_of(n_sources: int, width: int, band: int, e: int) -> np.ndarray:
    """Places in the Fisher matrix of the derivative images of an exposure."""
    n_bands, sources = width - N_SHAPE, np.arange(n_sources)[:, None] * width
    both = np.concatenate([sources + band, sources + n_bands + np.arange(N_SHAPE)], axis=1)
    return np.append(both, n_sources * width + e)


def unpacked(values, part) -> list:
    """(chi2 (E,), gradient (S, W), background gradient (E,)) of all proposals from `out` of `layout.Job`."""
    results, at = [], 0
    for patch, states in part:
        n, width, e = len(states), states[0].sources.shape[1], patch.n_exposures
        size = patch.n_sources * width
        block = values[at : at + n * (size + 2 * e)].reshape(n, -1).copy()
        gradient = block[:, :size].reshape(n, patch.n_sources, width)
        results += zip(block[:, size : size + e], gradient, block[:, size + e :], strict=True)
        at += block.size
    return results
