"""Evaluations: proposals of any patches, in one set of launches or in several that overlap.

A large batch is cut into parts, which lanes take in turn: while the device works on one part, the host
gathers the parameters of the next and unpacks the one before. One proposal of one patch is the batch of one.
"""

import os
import threading
from itertools import islice

import numpy as np

from ..arrays import N_SHAPE, TILE
from . import images, kernels
from .lane import Lane, gathered
from .layout import DERIVATIVES, DRAW, FISHER, THREADS, MemoryLayout
from .resident import Shelf, resident
from .transport import NoMemory, Stream

LANES = 2
BATCH_BYTES = 1 << 31  # of the evaluations in all lanes; more proposals take several turns
PART = 1 << 15  # groups of tiles in one set of launches: 0.8 ms on an H100, whatever the patches
FEW = 6  # proposals of a patch whose results are cut out one by one: less than that, it is quicker
FISHER_BYTES = 1 << 26  # derivative images held at a time
_making = threading.Lock()
_of_process: dict = {}


def evaluator() -> "Evaluator":
    """The one of this process; a forked child makes its own."""
    with _making:
        if os.getpid() not in _of_process:  # a parent's stays: its memory is not the child's to free
            _of_process[os.getpid()] = Evaluator()
        return _of_process[os.getpid()]


def checking(pairs):
    """See that states have the shapes of their patch, one more at each step.

    Raises
    ------
    ValueError
        Where a state has other shapes than the first of its pair, or than the patch.
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
            yield


class Evaluator:
    """Patches and lanes of this process. One call at a time (a lock)."""

    def __init__(self):
        self.lock = threading.Lock()
        stream = Stream()
        self.shelf = Shelf(stream)
        self.lanes = [Lane(self.shelf, stream), *(Lane(self.shelf, Stream()) for _ in range(LANES - 1))]

    def evaluate(self, work) -> list:
        """Results of each (patch, states): lists of (chi2, gradient, background gradient)."""
        work = [(patch, list(states)) for patch, states in work]
        todo = [pair for pair in work if pair[1]]
        with self.lock:
            try:
                results = iter(self._results(todo))
            except BaseException:
                for lane in self.lanes:
                    lane.stop()
                raise
        return [list(islice(results, len(states))) for _, states in work]

    def _results(self, todo) -> list:
        """Of all proposals in their order, which is that of the parts: lanes take them in turn."""
        for patch, _ in todo:
            resident(patch, self.shelf)  # all patches may move for a new one, so before any lane works
        lanes, room, done, checks = self.lanes, BATCH_BYTES // LANES, [], checking(todo)
        while todo:
            part, rest = split(todo, room, self.shelf)
            n = sum([len(states) for _, states in part])
            for _ in islice(checks, n):
                pass
            parameters = gathered(part)
            lane, others = lanes[0], lanes[1:]
            ended = lane.wait()
            try:
                lane.start(part, parameters)
                lanes, todo = [*others, lane], rest
            except NoMemory:  # one lane less, or, where that is the last, half the part
                if not others and n == 1:
                    raise
                ended += [some for other in others for some in other.wait()]
                lanes, room = others or lanes, room if others else self._bytes(part) // 2
            for values, pairs in ended:
                done += unpacked(values, pairs)
        for lane in lanes:
            for values, pairs in lane.wait():
                done += unpacked(values, pairs)
        return done

    def _bytes(self, part) -> int:
        """Of the evaluations of (patch, states) pairs."""
        return sum(len(states) * resident(patch, self.shelf).bytes_each(states[0]) for patch, states in part)

    def part_of(self, patch, states) -> list:
        """The first of some states of a patch, those that are evaluated in one set of launches."""
        return split([(patch, states)], BATCH_BYTES // LANES, self.shelf)[0][0][1]

    def model(self, patch, state) -> np.ndarray:
        """(T, 64) float32."""
        image = np.zeros((len(patch.data), TILE * TILE), np.float32)
        if not image.size:
            return image
        lane = self.lanes[0]
        with self.lock:
            layout = self._set_up(patch, state, DRAW, image.size)
            lane.launch(kernels.draw, layout.blocks["evaluate"], THREADS)
            drawn = np.empty_like(image)
            lane.stream.read(lane.work, layout.places["image"], drawn)
            lane.stream.wait()
            image[resident(patch, self.shelf).order] = drawn
        return image

    def _set_up(self, patch, state, used, image: int) -> MemoryLayout:
        """Gaussians of one state and memory for an image, in the first lane; others make room if need be."""
        first, *others = self.lanes
        for _ in checking([(patch, [state])]):
            pass
        try:
            return first.set_up(patch, state, used, image)
        except NoMemory:
            for lane in others:
                lane.free()
            return first.set_up(patch, state, used, image)

    def fisher(self, patch, state) -> np.ndarray:
        """(P, P) float64, a block of tiles at a time."""
        n_sources, n_exposures = patch.n_sources, patch.n_exposures
        width, rows = state.sources.shape[1], DERIVATIVES * n_sources + 1
        size = n_sources * width + n_exposures
        out = np.zeros((size, size))
        block = min(len(patch.data), max(1, FISHER_BYTES // (4 * 64 * rows)))
        start, lane = patch.exposure_start, self.lanes[0]
        with self.lock:
            layout = self._set_up(patch, state, FISHER, 64 * rows * block)
            for e in range(n_exposures):
                columns = columns_of(n_sources, width, patch.band[e], e)
                for first in range(start[e], start[e + 1], max(1, block)):
                    n = int(min(block, start[e + 1] - first))
                    lane.launch(
                        images.derivatives, n * (n_sources + 1), TILE * TILE, e, int(first), 64 * block
                    )
                    shape = rows, 64 * block
                    gram = lane.stream.gram(lane.work, layout.places["image"], shape, 64 * n)
                    out[np.ix_(columns, columns)] += gram
        return out


def split(todo, room: int, shelf: Shelf) -> tuple:
    """(patch, states) for one set of launches, and the rest.

    At most `room` bytes and PART groups of tiles, or one proposal.
    """
    part, groups = [], PART
    for i, (patch, states) in enumerate(todo):
        found = resident(patch, shelf)
        each, n_groups = found.bytes_each(states[0]), max(1, found.shape[-1])
        n = min(len(states), room // each, groups // n_groups)
        n = max(n, 0 if part else 1)
        if n:
            part.append((patch, states[:n]))
        room, groups = room - n * each, groups - n * n_groups
        if n < len(states):
            return part, [(patch, states[n:]), *todo[i + 1 :]]
    return part, []


def columns_of(n_sources: int, width: int, band: int, e: int) -> np.ndarray:
    """Places in the Fisher matrix of the derivative images of an exposure."""
    n_bands, sources = width - N_SHAPE, np.arange(n_sources)[:, None] * width
    both = np.concatenate([sources + band, sources + n_bands + np.arange(N_SHAPE)], axis=1)
    return np.append(both, n_sources * width + e)


def unpacked(values, part) -> list:
    """(chi2 (E,), gradient (S, W), background gradient (E,)) of all proposals: views of `layout.Job.out`."""
    results, at = [], 0
    for patch, states in part:
        n, width, e = len(states), states[0].sources.shape[1], patch.n_exposures
        shape, size = (patch.n_sources, width), patch.n_sources * width
        end = at + n * (size + 2 * e)
        if n < FEW:
            for i in range(at, end, size + 2 * e):
                j, k = i + size, i + size + e
                results.append((values[j:k], values[i:j].reshape(shape), values[k : k + e]))
        else:
            block = values[at:end].reshape(n, -1)
            gradient = block[:, :size].reshape(n, *shape)
            results += zip(block[:, size : size + e], gradient, block[:, size + e :], strict=True)
        at = end
    return results
