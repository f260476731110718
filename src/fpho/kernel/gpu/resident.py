"""Patches that stay on the device: all in one memory, each with the places of its arrays.

A patch is sent at its first evaluation and stays as long as the PatchArrays object lives.
"""

import itertools
import weakref
from collections import deque

import numpy as np

from ..arrays import TILE, PatchArrays
from .layout import IN_PATCHES, LINE, Proposals, bytes_each, whole_lines
from .transport import Memory, NoMemory, Stream

GROUP = 4  # tiles of a group; the bits of a mask, too
NAME = "_gpu_resident"
_serials = itertools.count()


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
    """`group` (N, 3) and `group_start` (E + 1,) of `layout.Job`."""
    rows, start = [], [0]
    for e in range(len(exposure_start) - 1):
        end = exposure_start[e + 1]
        rows += [(e, first, min(GROUP, end - first)) for first in range(exposure_start[e], end, GROUP)]
        start.append(len(rows))
    return np.array(rows, np.int32).reshape(-1, 3), np.array(start, np.int32)


def arrays_of(patch: PatchArrays, order) -> dict:
    """What the kernels read of a patch, by name (`layout.IN_PATCHES`), in their types."""
    group, group_start = groups_of(np.asarray(patch.exposure_start))
    given = {
        "data": (np.where(patch.weight > 0, patch.data, 0)[order], np.float32),
        "weight": (patch.weight[order], np.float32),
        "tile_x": (np.asarray(patch.tile_x)[order], np.int32),
        "tile_y": (np.asarray(patch.tile_y)[order], np.int32),
        "group": (group, np.int32),
        "group_start": (group_start, np.int32),
        "band": (patch.band, np.int32),
        "psf_index": (patch.psf_index, np.int32),
        "psf_count": (patch.psf_count, np.int32),
        "position": (patch.position, np.float64),
        "scale": (patch.scale, np.float64),
        "gain": (patch.gain, np.float64),
        "psf": (patch.psf, np.float64),
    }
    return {name: np.ascontiguousarray(values, kind).ravel() for name, (values, kind) in given.items()}


class Resident:
    """The places of one patch."""

    def __init__(self, patch: PatchArrays, shelf: "Shelf"):
        self.serial, self.shelf = next(_serials), shelf
        self.order, self.start = tile_order(patch), np.asarray(patch.exposure_start)
        self.band, self.n_sources, self._bytes = np.asarray(patch.band), patch.n_sources, {}
        arrays = arrays_of(patch, self.order)
        self.shape = (patch.n_exposures, patch.n_sources, patch.psf.shape[1], len(arrays["group"]) // 3)
        first = np.cumsum([0, *(whole_lines(arrays[name].nbytes) for name in IN_PATCHES)])
        begin = shelf.take(int(first[-1]))
        weakref.finalize(self, shelf.dropped.append, (begin, int(first[-1]))).atexit = False
        image = np.zeros(first[-1], np.uint8)
        for name, at in zip(IN_PATCHES, first, strict=False):
            image[at : at + arrays[name].nbytes] = arrays[name].view(np.uint8)
        shelf.put(image, begin)
        itemsizes = [arrays[name].itemsize for name in IN_PATCHES]
        self.places = tuple(int(begin + at) // n for at, n in zip(first, itemsizes, strict=False))

    def run(self, n_jobs: int, state) -> Proposals:
        """Proposals of this patch in the shapes of a state."""
        return Proposals(self.shape, self.places, n_jobs, state.sources.shape[1], state.profile.shape[1])

    def bytes_each(self, state) -> int:
        """Of one evaluated proposal in the shapes of a state."""
        shapes = state.sources.shape[1], state.profile.shape[1]
        if shapes not in self._bytes:
            self._bytes[shapes] = bytes_each(self.run(1, state))
        return self._bytes[shapes]

    def __reduce__(self):
        """Copies and pickles of a patch leave the device behind; theirs is made at their first call."""
        return _nothing, ()


def _nothing() -> None:
    """What a `Resident` becomes elsewhere."""


def resident(patch: PatchArrays, shelf: "Shelf") -> Resident:
    """The patch on a shelf, sent at the first call and kept with the object."""
    found = patch.__dict__.get(NAME)
    if found is None or found.shelf is not shelf:
        found = Resident(patch, shelf)
        object.__setattr__(patch, NAME, found)
    return found


class Shelf:
    """One memory for all patches; it grows, and places of patches that are gone are used again."""

    def __init__(self, stream: Stream):
        self._stream, self.memory = stream, None
        self.dropped = deque()  # (first, bytes) of patches that are gone: filled at any time, by any thread
        self._gaps = {}  # first byte -> bytes

    def take(self, size: int) -> int:
        """First byte of free memory."""
        self._collect()
        fitting = [first for first, length in sorted(self._gaps.items()) if length >= size]
        if not fitting:
            self._grow(size)
            return self.take(size)
        length = self._gaps.pop(fitting[0])
        if length > size:
            self._gaps[fitting[0] + size] = length - size
        return fitting[0]

    def put(self, values, first: int) -> None:
        """Sends bytes to a place."""
        self._stream.send(values, self.memory, first)
        self._stream.wait()

    def _collect(self) -> None:
        """Dropped places become gaps, neighbouring gaps one."""
        while self.dropped:
            first, size = self.dropped.popleft()
            self._gaps[first] = self._gaps.get(first, 0) + size
        merged = {}
        for first, size in sorted(self._gaps.items()):
            last = next(reversed(merged), None)
            if last is not None and last + merged[last] == first:
                merged[last] += size
            else:
                merged[first] = size
        self._gaps = merged

    def _grow(self, size: int) -> None:
        """To twice the memory or more, to just enough where that cannot be had."""
        old = self.memory
        before = old.size if old else 0
        try:
            new = Memory(before + max(size, before, LINE), self._stream)
        except NoMemory:
            new = Memory(before + max(size, LINE), self._stream)
        if old:
            self._stream.move(old, new, before)
            self._stream.wait()
        self.memory = new
        self.dropped.append((before, new.size - before))
