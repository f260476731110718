"""Sweeps of an optimization: which patches are fitted again, and which sources have not settled at the end.

A patch is fitted with the sources around it fixed. It is done again where one of these, of which some light
lies under its own sources (`shining`), has moved since by more than MOVED of its error. Sources of the halo
are fitted along: they can't be out of date, but pass on what moves beside them.
"""

from dataclasses import dataclass, replace

import numpy as np

from ..flags import Flag
from ..geometry import separation
from ..parameters import error_col, q_names
from .plan import Plan
from .shining import axes, light_in_errors
from .tasks import PatchLog, PatchOutcome, PatchTask

MOVED = 0.3  # of its error in flux, position or size
NEGLIGIBLE = 0.03  # light of a fixed source, of the flux error of the own one that it shines on
KEPT = "as it was: the sources around it have settled"


@dataclass(frozen=True)
class Settling:
    """What of a patch's log tells whether its sources have settled."""

    patch: int  # number in the plan
    task: str  # hash of what it depends on
    seen: np.ndarray  # (N, P) parameters of the fixed sources that it was fitted with
    blur: float
    kept: bool  # it stayed as it was

    @classmethod
    def of(cls, entry: PatchLog) -> "Settling":
        """From a log."""
        return cls(entry.patch, entry.task, np.array(entry.seen, "f8"), entry.blur, entry.message == KEPT)


def noted(rows, bands) -> tuple[tuple[float, ...], ...]:
    """Parameters of scene rows (N,) in the order of `q_names`, for the log of a patch that has them fixed."""
    values = np.stack([rows[name].astype("f8") for name in q_names(bands)], axis=-1)
    return tuple(map(tuple, values.tolist()))


def settled(tasks: list[PatchTask], past: dict[int, PatchLog]) -> dict[int, PatchOutcome]:
    """Outcomes, by number, of the patches of a later round that need no fit: they stay as they are.

    past : logs of earlier patches of the pass, by number
    """
    optima = [task for task in tasks if task.stage != "sample" and task.patch.previous >= 0]
    later = [(task, past[task.patch.previous]) for task in optima]
    return {task.patch.index: _kept(task, entry) for task, entry in later if _has_settled(task, entry)}


def flagged(rows, bands, plan: Plan, logs: list[Settling]) -> np.ndarray:
    """Rows with NEIGHBOUR_UNSETTLED exactly where light of neighbours moved after a source's last fit.

    Or where a neighbour's fit failed, whose light counts there. `logs`: of all patches of the plan.
    """
    out, entries = rows.copy(), {entry.patch: entry for entry in logs}
    out["flags"] &= ~int(Flag.NEIGHBOUR_UNSETTLED)
    for patch in {patch.active: patch for patch in plan.patches}.values():  # the last one of each
        own, fixed, entry = rows[[*patch.active, *patch.halo]], rows[list(patch.fixed)], entries[patch.index]
        failed = fixed[fixed["flags"] & int(Flag.OPTIMIZE_FAILED) > 0]
        doubt = change(own, _as_noted(fixed, entry, bands), fixed, bands, entry.blur)
        light = light_in_errors(own[:, None], failed, bands, entry.blur)
        doubt = np.maximum(doubt, np.max(light, axis=1, initial=0.0))
        n = len(patch.active)
        doubt = np.maximum(doubt[:n], np.max(doubt[n:], initial=0.0))
        out["flags"][list(patch.active)] |= np.where(doubt > MOVED, int(Flag.NEIGHBOUR_UNSETTLED), 0)
    return out


def change(own, before, now, bands, blur: float) -> np.ndarray:
    """Largest move (S,) of a fixed source whose light counts under each own one, in its own errors.

    Parameters
    ----------
    own : scene rows (S,)
    before, now : scene rows (N,) of the same fixed sources
    blur : half-light radius of the PSF, arcsec
    """
    counts = [light_in_errors(own[:, None], some, bands, blur) > NEGLIGIBLE for some in (before, now)]
    return np.max(np.where(counts[0] | counts[1], _moves(before, now, bands, blur), 0.0), axis=1, initial=0.0)


def _moves(before, now, bands, blur: float) -> np.ndarray:
    """Moves (N,) in units of errors: of fluxes, and of position and size, whose errors follow from the S/N.

    Those of a round Gaussian in white noise: sqrt(2) sigma and 1 / sqrt(2) of the size over the S/N.
    """
    fluxes, old = (np.array([rows[band] for band in bands]) for rows in (now, before))
    error = np.array([now[error_col(band)] for band in bands])
    error = np.where(np.isfinite(error) & (error > 0), error, np.inf)
    snr = np.max(np.abs(fluxes) / error, axis=0)
    sizes = [np.sqrt(np.prod(axes(rows, blur), axis=0)) for rows in (before, now)]
    away = separation(before["ra"], before["dec"], now["ra"], now["dec"])
    moves = [np.max(np.abs(fluxes - old) / error, axis=0)]
    moves += [snr * away / (np.sqrt(2) * sizes[1]), snr * np.sqrt(2) * np.abs(np.log(sizes[1] / sizes[0]))]
    return np.nan_to_num(np.max(moves, axis=0))


def _has_settled(task: PatchTask, entry: PatchLog) -> bool:
    """Whether the last fit ended well and the fixed sources are what they were."""
    if entry.failure or (entry.fit is not None and not entry.fit.converged):
        return False
    before = _as_noted(task.fixed, entry, task.bands)
    own = np.concatenate([task.active, task.halo])
    return bool(np.all(change(own, before, task.fixed, task.bands, entry.blur) <= MOVED))


def _as_noted(fixed, entry: PatchLog | Settling, bands) -> np.ndarray:
    """Rows of the fixed sources with the values that they had when the patch was fitted."""
    out = fixed.copy()
    for name, values in zip(q_names(bands), np.transpose(entry.seen), strict=len(fixed) > 0):
        out[name] = values
    return out


def _kept(task: PatchTask, entry: PatchLog) -> PatchOutcome:
    """The rows as they are, and the log of the last fit."""
    log = replace(entry, patch=task.patch.index, seconds=0.0, n_draws=0, message=KEPT)
    return PatchOutcome(task.active, log)
