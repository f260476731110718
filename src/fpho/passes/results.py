"""Which results file belongs to which patch of a plan: what products are made from."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import DamagedError
from ..files import checksum
from ..layout import Layout
from ..results import Apertures, apertures_of
from ..results.structure import learnt
from .accounts import check_numbers
from .outcomes import read_log
from .planning import PatchPlan, read_plan
from .tasks import OptimumLog


@dataclass(frozen=True)
class PatchFile:
    """A patch of the plan with its samples file, or None and why (`failure`)."""

    patch: PatchPlan
    path: Path | None
    failure: str = ""


def results_of(layout: Layout, stage: str = "sample", check: bool = True) -> list[PatchFile]:
    """Every patch of the last finished pass of a stage, in the order of its plan.

    Guaranteed: each patch of the plan is there once. `path` is the file that this pass wrote for the patch
    (its checksum stands in the pass's log), never one of an earlier run; it is None, with the reason, where
    the fit failed. `check=False` leaves out the reading of the files.

    Raises
    ------
    InputError
        If the pass is not finished, or its log does not fit its plan.
    DamagedError
        If a file is gone, damaged or another run's; running the stage again makes it anew.
    """
    cure = f"Run `fpho {stage}` again; what is finished is kept"
    log_path = layout.patch_log(stage)
    patches = read_plan(layout.plan(stage)).patches
    entries = read_log(log_path)
    check_numbers([entry.patch for entry in entries], patches, log_path)
    found = {entry.patch: entry for entry in entries}
    out = []
    for patch in patches:
        entry, path = found[patch.index], layout.samples(patch.name)
        if not entry.failure:
            _check(path, entry.sums.get(path.name), check, cure)
        out.append(PatchFile(patch, None if entry.failure else path, entry.failure))
    return out


def _check(path: Path, digest: str | None, check: bool, cure: str) -> None:
    if not path.is_file():
        raise DamagedError(path, "the file is gone, though the pass wrote it", cure)
    if check and checksum(path) != digest:
        raise DamagedError(path, "damaged, or of another run: not what this pass wrote", cure)


def learnt_structure(layout: Layout, n_bands: int) -> tuple[np.ndarray, np.ndarray]:
    """What the last optima tell of the structure of a field's galaxies, see `results.structure.learnt`."""
    told = {}
    for stage in ("optimize", "reoptimize"):
        if layout.patch_log(stage).is_file():
            for entry in read_log(layout.patch_log(stage)):
                if isinstance(entry.fit, OptimumLog):
                    told |= dict(zip(entry.active, entry.fit.structure, strict=False))
    return learnt(told.values(), n_bands)


def optimum_apertures(layout: Layout) -> dict[int, Apertures]:
    """Fluxes within circles of the last optimum, by row of the scene; no entry where the fit failed."""
    out = {}
    for stage in ("optimize", "reoptimize"):
        if not layout.patch_log(stage).is_file():
            continue
        patches = {patch.index: patch for patch in read_plan(layout.plan(stage)).patches}
        for entry in read_log(layout.patch_log(stage)):
            if isinstance(entry.fit, OptimumLog) and entry.fit.apertures:
                found = np.array(entry.fit.apertures, "f8")
                out |= {row: apertures_of(found[:, i]) for i, row in enumerate(patches[entry.patch].active)}
    return out
