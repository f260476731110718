"""A lane: stream, memories and tables of its own, with one set of launches at a time.

Order of events: parameters in (one copy from pinned memory), `kernels.set_up`, `evaluate`, `finish`,
`collect`, results out (one copy to pinned memory). The device does all this by itself: between `start` and
`wait` the host is free, other lanes work at the same time, and nobody touches this lane's pinned memories.
"""

from dataclasses import dataclass

import numpy as np

from . import adding, kernels
from .compiling import Launcher
from .layout import EVALUATE, LINE, PARAMETERS, THREADS, MemoryLayout, lay_out
from .resident import Shelf, resident
from .transport import Memory, Stream, pinned

TABLES = 256  # kept for calls of the same composition, those used last
GRAPH_AFTER = 8  # evaluations of one composition; from then on its steps are replayed as a CUDA graph


def key_of(pairs, shelf: Shelf) -> tuple:
    """Equal for (patch, states) pairs that take the same table."""
    return tuple(
        [
            (
                resident(patch, shelf).serial,
                len(states),
                states[0].sources.shape[1],
                states[0].profile.shape[1],
            )
            for patch, states in pairs
        ]
    )


@dataclass
class Prepared:
    """A table in memory, and everything that its evaluations need, made once."""

    layout: MemoryLayout
    fields: list  # pinned arrays: counts, sources, profiles, backgrounds of all proposals, flat
    out: np.ndarray  # pinned, results of all proposals
    begin: list  # what is to be done the first time, in order
    steps: list  # (name, function) of all that the device does from the second time on
    uses: int = 0  # evaluations so far
    graph: object = None  # the steps as a CUDA graph


class Lane:
    """Evaluates (patch, states) pairs: `start`, then `wait` before anything else. Lanes share the shelf."""

    def __init__(self, shelf: Shelf, stream: Stream):
        self.shelf, self.stream = shelf, stream
        self.launch = Launcher(stream)
        self.work = None
        self._into = self._from = np.zeros(0, np.uint8)
        self._prepared, self._current, self._running = {}, None, None

    def start(self, part, parameters) -> None:
        """Sends the `gathered` parameters of (patch, states) pairs, and starts their evaluation.

        Raises
        ------
        NoMemory
            Where the device has too little; nothing is started then.
        """
        prepared = self._ready(part)
        known = self._place(prepared, parameters)
        self._running = prepared, part
        prepared.uses += 1
        if known and prepared.uses > GRAPH_AFTER:  # only the parameters change, at the same places
            if prepared.graph is None:
                prepared.graph = self.stream.captured([step for _, step in prepared.steps])
            self.stream.replay(prepared.graph)
        else:
            for step in [step for _, step in prepared.steps] if known else prepared.begin:
                step()

    def wait(self) -> list:
        """[(`out` of all proposals, (patch, states) pairs)] of what was started; [] where nothing was."""
        if self._running is None:
            return []
        self.stream.wait()
        (prepared, part), self._running = self._running, None
        self._current = prepared
        return [(prepared.out.copy(), part)]

    def stop(self) -> None:
        """Waits for what was started, and forgets it."""
        self.stream.wait()
        self._running = None

    def free(self) -> None:
        """Gives the memory on the device back."""
        self.work, self._current = None, None
        self._prepared.clear()
        self.launch.forget()

    def set_up(self, patch, state, used, image: int) -> MemoryLayout:
        """Gaussians of one state set up on the device, and memory for an image."""
        part = [(patch, [state])]
        layout = self.table_of(part, used, image)
        self._hold(layout)
        prepared = self._prepare(layout)
        self._place(prepared, gathered(part))
        for step in prepared.begin[:2]:
            step()
        self.stream.wait()
        return layout

    def table_of(self, part, used=EVALUATE, image: int = 0) -> MemoryLayout:
        """The table for (patch, states) pairs."""
        runs = [resident(patch, self.shelf).run(len(states), states[0]) for patch, states in part]
        return lay_out(runs, used, image)

    def steps_again(self, part) -> list:
        """(name, function) of each step of what was evaluated last, for measurements."""
        return self._ready(part).steps

    def _ready(self, part) -> Prepared:
        """What evaluates (patch, states) pairs; kept for the next call of the same composition."""
        key = key_of(part, self.shelf)
        self._use()
        prepared = self._prepared.pop(key, None)
        if prepared is None:
            layout = self.table_of(part)
            self._hold(layout)
            prepared = self._prepare(layout)
        self._prepared[key] = prepared
        if len(self._prepared) > TABLES:
            del self._prepared[next(iter(self._prepared))]
        return prepared

    def _hold(self, layout: MemoryLayout) -> None:
        """Memories for a layout; what is too small is freed before the larger one is made."""
        if self.work is None or self.work.size < layout.size:
            self.free()
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

    def _prepare(self, layout: MemoryLayout) -> Prepared:
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
        return Prepared(layout, self._fields(layout), out.view(np.float64), begin, steps)

    def _fields(self, layout: MemoryLayout) -> list:
        """Pinned arrays for the parameters of all proposals, one after the other."""
        fields = []
        for name, kind in zip(PARAMETERS, ("i8", "f8", "f8", "f8"), strict=True):
            first = layout.places[name]
            fields.append(self._into[first : first + 8 * layout.lengths[name]].view(kind))
        return fields

    def _place(self, prepared: Prepared, parameters) -> bool:
        """Parameters, and the table where it is not on the device, to pinned memory; whether it was there."""
        known = self._current is prepared
        if not known:
            table = prepared.layout.table
            self._into[: table.nbytes].view(np.int64)[:] = table
        self._current = None  # until all has been done
        for field, values in zip(prepared.fields, parameters, strict=True):
            field[:] = values
        return known


def gathered(part) -> list:
    """Counts, sources, profiles, backgrounds of all proposals of (patch, states) pairs, as flat arrays.

    Takes no memory of a lane, so that it can be done while all of them work.
    """
    states = part[0][1] if len(part) == 1 else [state for _, some in part for state in some]
    return [
        _joined([state.profile_count for state in states]),
        _joined([state.sources for state in states]),
        _joined([state.profile for state in states]),
        _joined([state.background for state in states]),
    ]


def _joined(arrays) -> np.ndarray:
    """Arrays one after the other.

    The bytes of many small arrays are joined in a quarter of the time that `concatenate` takes.
    """
    if len(arrays) == 1:
        return arrays[0].ravel()
    kind = arrays[0].dtype
    if all([array.dtype is kind for array in arrays]):
        try:
            return np.frombuffer(b"".join(arrays), kind)
        except TypeError:  # views with gaps
            pass
    return np.concatenate(arrays, axis=None)
