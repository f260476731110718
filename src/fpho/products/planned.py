"""Which patches a run planned, and which results are theirs: products are made from nothing else."""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..layout import Layout
from ..passes.plan import is_planned
from ..passes.results import results_of
from ..records import StoredRecord
from ..scene import read_scene

STAGE = "sample"


@dataclass(frozen=True)
class PlannedPatch:
    """A patch of the plan: `draws`, the record of its samples (or their file), or None and why in `failure`.

    `number` is in the file's name, and common to the rounds of a patch; it is the index of its first source.
    `active`: source indices; None where no plan says them.
    """

    number: int
    draws: Path | StoredRecord | None
    active: tuple[int, ...] | None = None
    region: object = None
    failure: str = ""


@dataclass(frozen=True)
class Planned:
    """Patches in order, and the scene rows (S,) of all sources that must come out, if known."""

    patches: list[PlannedPatch]
    rows: np.ndarray | None = None
    bands: list[str] | None = None


def planned(root) -> Planned:
    """What a run's folder, or a list of samples files, is to give.

    A folder that no pass planned (patches checked out by hand, see `fpho.SuperScene`) gives the files that
    `write_to_disk` left there.

    Raises
    ------
    InputError
        Where the pass is not finished, or what its log names is gone or another.
    """
    if isinstance(root, list | tuple):
        return _of_files(map(Path, root))
    layout = Layout(Path(root))
    if is_planned(layout.plan(STAGE)):
        return _of_plan(layout)
    found = _of_files(layout.patches.glob("patch*_samples.h5"))
    if not found.patches:
        raise InputError(layout.plan(STAGE), "no plan of the sampling", "Run the sampling first")
    return found


def _of_files(paths) -> Planned:
    by_round = sorted(paths, key=lambda path: (len(path.name), path.name))
    ordered = sorted(by_round, key=patch_number)
    return Planned([PlannedPatch(patch_number(path), path) for path in ordered])


def _of_plan(layout: Layout) -> Planned:
    rows, bands, _ = read_scene(layout.scene(STAGE))
    patches = []
    for one in results_of(layout, STAGE):
        active = tuple(int(i) for i in rows["source_index"][list(one.patch.active)])
        patches.append(PlannedPatch(one.patch.number, one.record, active, one.patch.region, one.failure))
    return Planned(patches, rows[rows["is_valid"]], bands)


def patch_number(path) -> int:
    """Number in the name of a patch's file."""
    found = re.search(r"patch(\d+)", Path(path).name)
    if found is None:
        raise InputError(path, "no patch number in the name", "Samples files are named patch<i>_samples.h5")
    return int(found.group(1))
