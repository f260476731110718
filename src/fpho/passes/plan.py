"""The plan of a pass as a value and as a file: columns in HDF5, of which patches are made as they are needed.

A plan of 10^5 sources has half a million numbers of sources and neighbours. As columns they are read in a
tenth of a second; a job makes `PatchPlan` of its own share alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..geometry import CircularRegion
from ..hdf5 import create, reading

CURE = "Run the step `plan` of the pass first"
PLACE = np.dtype(
    [("ra", "f8"), ("dec", "f8"), ("radius", "f8"), ("truncated", "i1"), ("pixels", "i8"),
     ("first", "i8")]
)  # fmt: skip
NUMBERS = ("place", "index", "colour", "step", "batch", "round", "previous")
TURN = np.dtype([*((name, "i4") for name in NUMBERS), ("seconds", "f8")])
SOURCES = ("active", "halo", "fixed")  # lists of each place; patches have `neighbours`, besides


@dataclass(frozen=True)
class PatchPlan:
    """One patch: indices into the scene's rows, its circle on the sky, and when it runs."""

    index: int
    region: CircularRegion
    active: tuple[int, ...]
    halo: tuple[int, ...]  # fitted along, as they overlap active ones; not kept
    fixed: tuple[int, ...]
    colour: int  # patches of one colour do not touch; colours run in order
    step: int  # of the workflow: jobs of one step run at the same time
    batch: int
    truncated: bool  # the group of its sources was cut
    first: int = -1  # source index of the first of its sources; -1: a plan made by hand, the patch's number
    round: int = 0  # of the pass
    previous: int = -1  # the same patch in the round before, which goes on; -1: begin
    neighbours: tuple[int, ...] = ()  # latest patches of its fixed sources, whose draws are subtracted
    pixels: int = 0  # of all images together, predicted
    seconds: float = 0.0  # of one core, predicted

    @property
    def number(self) -> int:
        """By which it is called, and its random numbers drawn: no other patch of its round has it."""
        return self.index if self.first < 0 else self.first

    @property
    def before(self) -> tuple[int, ...]:
        """Numbers in the plan of the patches that it goes on from: of the round before, then neighbours."""
        return (self.previous, *self.neighbours) if self.previous >= 0 else ()

    @property
    def name(self) -> str:
        """Of what is kept of it; no other patch of the pass has it."""
        return f"{self.number}_round{self.round}" if self.round else str(self.number)


@dataclass(frozen=True)
class Lists:
    """N lists of numbers, one after the other."""

    values: np.ndarray
    ends: np.ndarray  # (N,) where each ends in `values`

    @classmethod
    def of(cls, some) -> "Lists":
        """From an iterable of sequences."""
        some = list(some)
        values = np.fromiter((value for one in some for value in one), "i4")
        return cls(values, np.cumsum([len(one) for one in some], dtype="i8"))

    def __getitem__(self, i: int) -> tuple[int, ...]:
        return tuple(self.values[self.ends[i - 1] if i else 0 : self.ends[i]].tolist())

    def some(self, which) -> tuple[np.ndarray, np.ndarray]:
        """(values of the lists `which` (K,) one after the other, length of each (K,))."""
        counts = np.diff(self.ends, prepend=0)[which]
        starts = (self.ends[which] - counts) - (np.cumsum(counts) - counts)
        return self.values[np.repeat(starts, counts) + np.arange(counts.sum())], counts


@dataclass(frozen=True)
class PlanColumns:
    """P patches on N places; patches of several rounds share what stands of their place."""

    places: np.ndarray  # PLACE (N,)
    turns: np.ndarray  # TURN (P,), of the patches in order
    lists: dict[str, Lists]  # SOURCES by place, `neighbours` by patch

    @classmethod
    def of(cls, patches) -> "PlanColumns":
        """From a sequence of patches."""
        places: dict[tuple, int] = {}
        turns = np.zeros(len(patches), TURN)
        for i, patch in enumerate(patches):
            region, values = patch.region, (patch.truncated, patch.pixels, patch.first)
            key = (region.ra, region.dec, region.radius, *values), patch.active, patch.halo, patch.fixed
            numbers = (getattr(patch, name) for name in TURN.names[1:])
            turns[i] = places.setdefault(key, len(places)), *numbers
        lists = {name: Lists.of(key[1 + k] for key in places) for k, name in enumerate(SOURCES)}
        lists["neighbours"] = Lists.of(patch.neighbours for patch in patches)
        return cls(np.array([key[0] for key in places], PLACE), turns, lists)

    def patch(self, i: int) -> PatchPlan:
        """The i-th patch."""
        turn = dict(zip(TURN.names, self.turns[i].item(), strict=True))
        place = turn.pop("place")
        ra, dec, radius, truncated, pixels, first = self.places[place].item()
        return PatchPlan(
            region=CircularRegion(ra, dec, radius),
            truncated=bool(truncated),
            pixels=pixels,
            first=first,
            neighbours=self.lists["neighbours"][i],
            **{name: self.lists[name][place] for name in SOURCES},
            **turn,
        )


class StoredPatches(Sequence):
    """Patches of a plan from a file, in order; each is made when it is asked for."""

    def __init__(self, columns: PlanColumns):
        self.columns = columns

    def __len__(self) -> int:
        return len(self.columns.turns)

    def __getitem__(self, i):
        if isinstance(i, slice):
            return tuple(map(self.columns.patch, range(*i.indices(len(self)))))
        return self.columns.patch(range(len(self))[i])

    def __eq__(self, other) -> bool:
        return tuple(self) == tuple(other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return repr(tuple(self))


@dataclass(frozen=True)
class Plan:
    """All patches of a pass, in order."""

    patches: Sequence[PatchPlan]
    seed: int

    @cached_property
    def columns(self) -> PlanColumns:
        """The patches as columns."""
        return (
            self.patches.columns if isinstance(self.patches, StoredPatches) else PlanColumns.of(self.patches)
        )

    @property
    def n_colours(self) -> int:
        """Colours, at least 1."""
        return 1 + int(self.columns.turns["colour"].max(initial=0))

    @property
    def jobs(self) -> list[tuple[int, int]]:
        """(Step, batch) of all jobs, in order: of those that have patches."""
        return np.unique(self.columns.turns[["step", "batch"]]).tolist()

    def places(self, step, batch: int) -> np.ndarray:
        """Where the patches of a step and batch (`all`: of every step and batch) stand, by colour."""
        turns = self.columns.turns
        some = np.arange(len(turns))
        if step != "all":
            some = np.flatnonzero((turns["step"] == step) & (turns["batch"] == batch))
        return some[np.lexsort((turns["index"][some], turns["colour"][some]))]

    def chosen(self, step, batch: int) -> list[PatchPlan]:
        """Patches of a step and batch (`all`: of every step and batch), by colour."""
        return [self.patches[i] for i in self.places(step, batch).tolist()]

    def active(self, which) -> tuple[np.ndarray, np.ndarray]:
        """(Rows of the scene that patches at places (K,) fit, patch after patch; number of each (K,).)"""
        return self.columns.lists["active"].some(self.columns.turns["place"][which])

    def write(self, path) -> None:
        """As HDF5, always the same bytes: what patches of several rounds share stands there once."""
        columns = self.columns
        with create(path, latest=True) as file:
            file.attrs["seed"] = str(self.seed)
            file["places"], file["turns"] = columns.places, columns.turns
            for name, some in columns.lists.items():
                group = file.create_group(name)  # one that HDF5 makes by itself has the time in it
                group["values"], group["ends"] = some.values, some.ends


def is_planned(path) -> bool:
    """Whether a pass has a plan, of this or an earlier version of fpho."""
    return Path(path).is_file() or Path(path).with_suffix(".json").is_file()


def read_plan(path) -> Plan:
    """A plan from its file.

    Raises
    ------
    InputError
        If there is none, it is damaged, or an earlier version of fpho wrote it.
    """
    path = Path(path)
    if not path.is_file():
        found = "no plan of the pass"
        if is_planned(path):
            found += f", but {path.with_suffix('.json').name}, which an earlier version of fpho wrote"
        raise InputError(path, found, CURE)
    with reading(path, CURE, ours=True) as file:
        lists = {
            name: Lists(file[f"{name}/values"][:], file[f"{name}/ends"][:])
            for name in (*SOURCES, "neighbours")
        }
        columns = PlanColumns(file["places"][:], file["turns"][:], lists)
        if (columns.places.dtype, columns.turns.dtype) != (PLACE, TURN):
            raise ValueError("an earlier version of fpho wrote it")  # which `reading` tells
        return Plan(StoredPatches(columns), int(file.attrs["seed"]))


def patch_seed(seed: int, patch: PatchPlan) -> np.random.SeedSequence:
    """The patch's own seed, derived from the run's."""
    return np.random.SeedSequence(seed, spawn_key=(patch.number, patch.round))
