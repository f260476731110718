"""Which results belong to which patch of a plan: what products are made from."""

from dataclasses import dataclass, replace

import numpy as np

from ..layout import Layout
from ..records import StoredRecord
from ..results import Apertures, apertures_of
from .accounts import check_numbers
from .kept import KeptPatches
from .logs import logs_in
from .plan import PatchPlan, read_plan
from .tasks import OptimumLog

SLIM = {
    "active": (),
    "halo": (),
    "fixed": (),
    "seen": (),
    "traceback": "",
    "fit": None,
}  # of logs, not needed here


@dataclass(frozen=True)
class PatchDraws:
    """A patch of the plan with the record of its samples, or of another kind, or None and why (`failure`)."""

    patch: PatchPlan
    record: StoredRecord | None
    failure: str = ""


def results_of(layout: Layout, stage: str = "sample", kind: str = "samples") -> list[PatchDraws]:
    """Every patch of the last finished pass of a stage, in the order of its plan.

    Guaranteed: each patch of the plan is there once. `record` is what this pass kept of the patch (hash and
    checksum stand in the pass's log), never that of an earlier run; it is None, with the reason, where the
    fit failed. It is held against its checksum whenever it is read.

    Raises
    ------
    InputError
        If the pass is not finished, or its log does not fit its plan.
    DamagedError
        If a record is gone; running the stage again makes it anew.
    """
    made, log_path = read_plan(layout.plan(stage)), layout.patch_log(stage)
    became = [replace(entry, **SLIM) for entry in logs_in(log_path)]
    check_numbers([entry.patch for entry in became], made.columns.turns["index"], log_path)
    kept, out = KeptPatches.of(layout, stage), []
    for entry in sorted(became, key=lambda one: one.patch):
        patch = made.patches[entry.patch]
        out.append(PatchDraws(patch, kept.beside(kind, patch.name, entry), entry.failure))
    return out


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
