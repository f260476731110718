"""Evaluations: proposals of any patches in one set of launches, or as few as memory allows.

Order of events: parameters in (one copy from pinned memory), `kernels.set_up`, `evaluate`, `finish`,
`collect`, results out (one copy to pinned memory). One proposal of one patch is the batch of one.
"""

import os
import threading
from dataclasses import dataclass
from itertools import islice

import numpy as np

from ..arrays import N_SHAPE, TILE
from . import adding, images, kernels
from .compiling import Launcher
from .layout import (
    DERIVATIVES,
    DRAW,
    EVALUATE,
    FISHER,
    LINE,
    PARAMETERS,
    THREADS,
    Layout,
    bytes_each,
    lay_out,
)
from .resident import Shelf, resident
from .transport import Memory, NoMemory, Stream, pinned

BATCH_BYTES = 1 << 30  # of one set of launches; more proposals take several
FISHER_BYTES = 1 << 26  # derivative images held at a time
TABLES = 256  # kept for calls of the same composition, those used last
GRAPH_AFTER = 8  # evaluations of one composition; from then on its steps are replayed as a CUDA graph
_making = threading.Lock()
_of_process: dict = {}


def evaluator() -> "Evaluator":
    """The one of this process; a forked child makes its own."""
    with _making:
        if os.getpid() not in _of_process:  # a parent's stays: its memory is not the child's to free
            _of_process[os.getpid()] = Evaluator()
        return _of_process[os.getpid()]


def key_of(pairs, shelf: Shelf) -> tuple:
    """Equal for (patch, states) pairs that take the same table."""
    return tuple(
        (resident(patch, shelf).serial, len(states), states[0].sources.shape[1], states[0].profile.shape[1])
        for patch, states in pairs
    )


def check(pairs) -> None:
    """See that states have the shapes of their patch.

    Raises
    ------
    ValueError
        Where a state has other shapes than the first of its patch, or than the patch.
    """
    for patch, states in pairs:
        width, n_profile = states[0].sources.shape[1], states[0].profile.shape[1]
        n_sources, n_exposures = patch.n_sources, patch.n_exposures
        sources, profile, count = (n_sources, width), (n_sources, n_profile, 6), (n_sources,)
        for s in states:
            if (
                s.sources.shape != sources
                or s.profile.shape != profile
                or s.profile_count.shape != count
                or s.background.shape != (n_exposures,)
            ):
                found = s.sources.shape, s.profile.shape, s.profile_count.shape, s.background.shape
                expected = sources, profile, count, (n_exposures,)
                raise ValueError(f"a state of shapes {found}; the patch and its first state want {expected}")


@dataclass
class Prepared:
    """A table in memory, and everything that its evaluations need, made once."""

    layout: Layout
    fields: list  # pinned arrays: counts, sources, profiles, backgrounds of the proposals of each patch
    out: np.ndarray  # pinned, results of all proposals
    begin: list  # what is to be done the first time, in order
    steps: list  # (name, function) of all that the device does from the second time on
    uses: int = 0  # evaluations so far
    graph: object = None  # the steps as a CUDA graph


class Evaluator:
    """Stream, memories and tables of this process. One call at a time (a lock)."""

    def __init__(self):
        self.lock = threading.Lock()
        self.stream = Stream()
        self.shelf = Shelf(self.stream)
        self.launch = Launcher(self.stream)
        self.work = None
        self._into = self._from = np.zeros(0, np.uint8)
        self._prepared, self._current = {}, None

    def evaluate(self, work) -> list:
        """Results of each (patch, states): lists of (chi2, gradient, background gradient)."""
        work = [(patch, list(states)) for patch, states in work]
        with self.lock:
            todo, done, limit = [pair for pair in work if pair[1]], [], BATCH_BYTES
            while todo:
                part, rest = self._fitting(todo, limit)
                try:
                    prepared = self._ready(part)
                except NoMemory:
                    n = sum(len(states) for _, states in part)
                    if n == 1:
                        raise
                    limit = self._bytes(part) // 2
                    continue
                done += self._results(prepared, part)
                todo = rest
        results = iter(done)
        return [list(islice(results, len(states))) for _, states in work]

    def _fitting(self, todo, limit: int) -> tuple:
        """(patch, states) pairs for one set of launches, and the rest."""
        if key_of(todo, self.shelf) in self._prepared:
            return todo, []
        return split(todo, limit, self.shelf)

    def _bytes(self, part) -> int:
        """Of the evaluations of (patch, states) pairs."""
        runs = [resident(patch, self.shelf).run(len(states), states[0]) for patch, states in part]
        return sum(run.n_jobs * bytes_each(run) for run in runs)

    def table_of(self, part, used=EVALUATE, image: int = 0) -> Layout:
        """The table for (patch, states) pairs."""
        return lay_out(
            [resident(patch, self.shelf).run(len(states), states[0]) for patch, states in part], used, image
        )

    def _ready(self, part) -> Prepared:
        """What evaluates (patch, states) pairs; kept for the next call of the same composition."""
        key = key_of(part, self.shelf)
        self._use()
        prepared = self._prepared.pop(key, None)
        if prepared is None:
            layout = self.table_of(part)
            self._hold(layout)
            prepared = self._prepare(layout, part)
        self._prepared[key] = prepared
        if len(self._prepared) > TABLES:
            del self._prepared[next(iter(self._prepared))]
        return prepared

    def _hold(self, layout: Layout) -> None:
        """Memories for a layout; what is too small is freed before the larger one is made."""
        if self.work is None or self.work.size < layout.size:
            self.work, self._current = None, None
            self._prepared.clear()
            self.launch.forget()
            self.work = Memory(layout.size, self.stream)
        _, end = layout.parameters
        out = 8 * layout.lengths["out"]
        if len(self._into) < end or len(self._from) < out:
            self._prepared.clear()
            self._into, self._from = pinned(2 * end), pinned(max(2 * out, len(self._from), LINE))
        self._use()

    def _use(self) -> None:
        """Lets kernels work on the memories there are; graphs of others are dropped."""
        if self.work is not None and self.launch.use(self.shelf.memory, self.work):
            self._prepared.clear()

    def _prepare(self, layout: Layout, part) -> Prepared:
        """Views, copies and launches for a layout in memory."""
        first, end = layout.parameters
        out = self._from[: 8 * layout.lengths["out"]]
        blocks, starting, sending = layout.blocks, self.launch.starting, self.stream.sending
        steps = [
            ("parameters in", sending(self._into[first:end], self.work, first)),
            ("set_up", starting(kernels.set_up, blocks["set_up"], THREADS)),
            ("evaluate", starting(kernels.evaluate, blocks["evaluate"], THREADS)),
            ("finish", starting(adding.finish, blocks["finish"], THREADS)),
            ("collect", starting(adding.collect, layout.n_jobs, THREADS)),
            ("results out", self.stream.reading(self.work, layout.places["out"], out)),
        ]
        begin = [sending(self._into[:end], self.work, 0), *(step for _, step in steps[1:])]
        return Prepared(layout, self._fields(layout, part), out.view(np.float64), begin, steps)

    def _fields(self, layout: Layout, part) -> list:
        """Pinned arrays for the parameters of each of (patch, states) pairs, proposals on the first axis."""
        at, fields = [layout.places[name] for name in PARAMETERS], []
        for patch, states in part:
            n, first = len(states), states[0]
            width, n_profile = first.sources.shape[1], first.profile.shape[1]
            shapes = (n * patch.n_sources,), (n * patch.n_sources, width)
            shapes += (n * patch.n_sources, n_profile, 6), (n * patch.n_exposures,)
            views = []
            for i, (shape, kind) in enumerate(zip(shapes, ("i8", "f8", "f8", "f8"), strict=True)):
                size = 8 * int(np.prod(shape))
                views.append(self._into[at[i] : at[i] + size].view(kind).reshape(shape))
                at[i] += size
            fields.append(tuple(views))
        return fields

    def _pack(self, prepared: Prepared, part) -> bool:
        """Parameters, and the table where it is not on the device, to pinned memory; whether it was there."""
        check(part)
        known = self._current is prepared
        if not known:
            table = prepared.layout.table
            self._into[: table.nbytes].view(np.int64)[:] = table
        self._current = None  # until all has been done
        for (counts, sources, profiles, backgrounds), (_, states) in zip(prepared.fields, part, strict=True):
            _fill(counts, [s.profile_count for s in states])
            _fill(sources, [s.sources for s in states])
            _fill(profiles, [s.profile for s in states])
            _fill(backgrounds, [s.background for s in states])
        return known

    def _results(self, prepared: Prepared, part) -> list:
        """Results of all proposals of a table in memory."""
        known = self._pack(prepared, part)
        prepared.uses += 1
        if known and prepared.uses > GRAPH_AFTER:  # only the parameters change, at the same places
            if prepared.graph is None:
                prepared.graph = self.stream.captured([step for _, step in prepared.steps])
            self.stream.replay(prepared.graph)
        else:
            for step in [step for _, step in prepared.steps] if known else prepared.begin:
                step()
        self.stream.wait()
        self._current = prepared
        return unpacked(prepared.out, part)

    def steps_again(self, work) -> list:
        """(name, function) of each step of what was evaluated last, for measurements."""
        return self._ready(work).steps

    def most_at_once(self, patch, state) -> int:
        """Proposals of a patch in one set of launches."""
        return max(1, BATCH_BYTES // bytes_each(resident(patch, self.shelf).run(1, state)))

    def model(self, patch, state) -> np.ndarray:
        """(T, 64) float32."""
        image = np.zeros((len(patch.data), TILE * TILE), np.float32)
        if not image.size:
            return image
        with self.lock:
            layout = self._set_up(patch, state, DRAW, image.size)
            self.launch(kernels.draw, layout.blocks["evaluate"], THREADS)
            drawn = np.empty_like(image)
            self.stream.read(self.work, layout.places["image"], drawn)
            self.stream.wait()
            image[resident(patch, self.shelf).order] = drawn
        return image

    def _set_up(self, patch, state, used, image: int) -> Layout:
        """Gaussians of one state set up, and memory for an image."""
        part = [(patch, [state])]
        layout = self.table_of(part, used, image)
        self._hold(layout)
        prepared = self._prepare(layout, part)
        self._pack(prepared, part)
        for step in prepared.begin[:2]:
            step()
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
            layout = self._set_up(patch, state, FISHER, 64 * rows * block)
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


def _fill(target, arrays) -> None:
    """Arrays one after the other.

    The bytes of many small arrays are joined in a quarter of the time that `concatenate` takes.
    """
    kind = arrays[0].dtype
    if len(arrays) == 1:
        target[...] = arrays[0]
    elif all([array.dtype is kind for array in arrays]):
        try:
            joined = b"".join(arrays)
        except TypeError:  # views with gaps
            joined = b"".join([array.tobytes() for array in arrays])
        target[...] = np.frombuffer(joined, kind).reshape(target.shape)
    else:
        np.concatenate(arrays, out=target)


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
