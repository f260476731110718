"""Which results file belongs to which patch of a plan: what products are made from."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import DamagedError
from ..files import checksum
from ..layout import Layout
from ..results import Apertures, apertures_of
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


@dataclass(frozen=True)
class FoundOptimum:
    """How the optimum of a patch was found."""

    active: tuple[int, ...]  # rows of the scene
    fit: OptimumLog


def last_optima(layout: Layout) -> list[FoundOptimum]:
    """Optima of all passes that are finished, later ones last; none of patches whose fit failed."""
    out = []
    for stage in ("optimize", "reoptimize"):
        if layout.patch_log(stage).is_file():
            patches = read_plan(layout.plan(stage)).patches
            found = [(patches[one.patch].active, one.fit) for one in read_log(layout.patch_log(stage))]
            out += [FoundOptimum(active, fit) for active, fit in found if isinstance(fit, OptimumLog)]
    return out


def optimum_apertures(optima: list[FoundOptimum]) -> dict[int, Apertures]:
    """Fluxes within circles of the last of optima, by row of the scene; no entry where no fit is."""
    out = {}
    for one in optima:
        if one.fit.apertures:
            found = np.array(one.fit.apertures, "f8")
            out |= {row: apertures_of(found[:, i]) for i, row in enumerate(one.active)}
    return out
