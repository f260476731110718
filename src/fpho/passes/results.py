"""Which results file belongs to which patch of a plan: what products are made from."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import DamagedError
from ..files import checksum
from ..layout import Layout
from ..results import Apertures, apertures_of
from .accounts import check_numbers
from .logs import logs_in
from .plan import PatchPlan, read_plan
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
    made = read_plan(layout.plan(stage))
    became = [(entry.patch, entry.failure, entry.sums) for entry in logs_in(log_path)]
    check_numbers([number for number, _, _ in became], made.columns.turns["index"], log_path)
    out = []
    for number, failure, sums in sorted(became, key=lambda one: one[0]):
        patch = made.patches[number]
        path = layout.samples(patch.name)
        if not failure:
            _check(path, sums.get(path.name), check, cure)
        out.append(PatchFile(patch, None if failure else path, failure))
    return out


def _check(path: Path, digest: str | None, check: bool, cure: str) -> None:
    if not path.is_file():
        raise DamagedError(path, "the file is gone, though the pass wrote it", cure)
    if check and checksum(path) != digest:
        raise DamagedError(path, "damaged, or of another run: not what this pass wrote", cure)


@dataclass(frozen=True)
class FoundOptimum:
    """What is kept of the optimum of a patch of S sources."""

    active: tuple[int, ...]  # rows of the scene
    structure: tuple  # (S,) what patterns tell of each, see `results.structure.telling`; or none
    apertures: np.ndarray  # (3, S, B, A), see `apertures_of`; or empty


def last_optima(layout: Layout) -> list[FoundOptimum]:
    """Optima of all passes that are finished, later ones last; none of patches whose fit failed."""
    out = []
    for stage in ("optimize", "reoptimize"):
        if layout.patch_log(stage).is_file():
            patches = read_plan(layout.plan(stage)).patches
            for one in logs_in(layout.patch_log(stage)):
                if isinstance(one.fit, OptimumLog):
                    apertures = np.array(one.fit.apertures, "f8")
                    out.append(FoundOptimum(patches[one.patch].active, one.fit.structure, apertures))
    return out


def optimum_apertures(optima: list[FoundOptimum]) -> dict[int, Apertures]:
    """Fluxes within circles of the last of optima, by row of the scene; no entry where no fit is."""
    out = {}
    for one in optima:
        if one.apertures.size:
            out |= {row: apertures_of(one.apertures[:, i]) for i, row in enumerate(one.active)}
    return out
