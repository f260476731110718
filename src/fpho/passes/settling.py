"""Sweeps of an optimization: which patches are fitted again, and which sources have not settled at the end.

A patch is fitted with the sources around it fixed. It is done again where the light of these under its own
sources has changed since by more than MOVED of a flux error. That light is estimated from scene rows: the
neighbour's profile at the own source's place, times the own source's noise-equivalent area, so that flux,
position, size, index and shape count by what they do there, and what shines in from afar does not. Sources of
the halo are fitted along: they can't be out of date, but pass on what moves beside them.
"""

from dataclasses import replace

import numpy as np

from ..flags import Flag
from ..parameters import error_col, q_names, wrap_degrees
from ..sersic.profile import surface_brightness
from .planning import Plan
from .tasks import PatchLog, PatchOutcome, PatchTask

MOVED = 0.3  # of a flux error of an own source
WINGS, STAR = 2.0, 4.0  # least index of a galaxy, and that of a star: PSFs have wings
SMALLEST = 1e-3  # arcsec
KEPT = "as it was: the sources around it have settled"


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


def flagged(rows, bands, plan: Plan, logs: list[PatchLog]) -> np.ndarray:
    """Rows with NEIGHBOUR_UNSETTLED exactly where light of neighbours moved after a source's last fit.

    Or where a neighbour's fit failed, whose light counts there. `logs`: of all patches of the plan.
    """
    out, entries = rows.copy(), {entry.patch: entry for entry in logs}
    out["flags"] &= ~int(Flag.NEIGHBOUR_UNSETTLED)
    for patch in {patch.active: patch for patch in plan.patches}.values():  # the last one of each
        own, fixed, entry = rows[[*patch.active, *patch.halo]], rows[list(patch.fixed)], entries[patch.index]
        failed = fixed[fixed["flags"] & int(Flag.OPTIMIZE_FAILED) > 0]
        doubt = change(own, _as_noted(fixed, entry, bands), fixed, bands, entry.blur)
        doubt = np.maximum(doubt, change(own, None, failed, bands, entry.blur))
        n = len(patch.active)
        doubt = np.maximum(doubt[:n], np.max(doubt[n:], initial=0.0))
        out["flags"][list(patch.active)] |= np.where(doubt > MOVED, int(Flag.NEIGHBOUR_UNSETTLED), 0)
    return out


def change(own, before, now, bands, blur: float) -> np.ndarray:
    """Change of the light of fixed sources under own ones, in flux errors of these: (S,), of the worst band.

    Each fixed source counts by itself; changes do not cancel.

    Parameters
    ----------
    own : scene rows (S,)
    before, now : scene rows (N,) of the same fixed sources; `before` None: there was no light
    blur : half-light radius of the PSF, arcsec
    """
    light = light_under(own, now, bands, blur)
    if before is not None:
        light = light - light_under(own, before, bands, blur)
    change = np.nansum(np.abs(light), axis=-1)
    error = np.array([own[error_col(band)] for band in bands])
    known = np.isfinite(error) & (error > 0)
    return np.max(np.where(known, change, 0.0) / np.where(known, error, 1.0), axis=0, initial=0.0)


def light_under(own, fixed, bands, blur: float) -> np.ndarray:
    """Light (B, S, N) in nJy of each fixed source within the noise-equivalent area of each own one.

    The area is that of a round Gaussian, 4 pi sigma^2; sizes add to the PSF's in quadrature.
    """
    size = np.sqrt(np.prod(_axes(own, blur), axis=0))
    area = 4 * np.pi * size**2 / (2 * np.log(2))
    long, short = _axes(fixed, blur)
    east = wrap_degrees(fixed["ra"] - own["ra"][:, None]) * np.cos(np.radians(fixed["dec"])) * 3600
    north = (fixed["dec"] - own["dec"][:, None]) * 3600
    angle = np.nan_to_num(fixed["pa"])
    along, across = east * np.cos(angle) + north * np.sin(angle), north * np.cos(angle) - east * np.sin(angle)
    radius = np.sqrt((along / long) ** 2 + (across / short) ** 2)
    index = np.where(fixed["is_point"], STAR, np.fmax(fixed["sersic"], WINGS))
    share = np.minimum(1.0, area[:, None] * surface_brightness(radius, index) / (long * short))
    return np.array([fixed[band] * share for band in bands])


def _axes(rows, blur: float) -> np.ndarray:
    """Half-light radii (2, S) of scene rows along the major and minor axis, with the PSF's, arcsec."""
    sizes = np.where(rows["is_point"], 0.0, np.nan_to_num(rows["rhalf"]))
    ratio = np.where((rows["q"] > 0) & ~rows["is_point"], rows["q"], 1.0)
    return np.sqrt(np.array([sizes / ratio, sizes * ratio]) ** 2 + max(blur, SMALLEST) ** 2)


def _has_settled(task: PatchTask, entry: PatchLog) -> bool:
    """Whether the last fit ended well and the fixed sources are what they were."""
    if entry.failure or (entry.fit is not None and not entry.fit.converged):
        return False
    before = _as_noted(task.fixed, entry, task.bands)
    own = np.concatenate([task.active, task.halo])
    return bool(np.all(change(own, before, task.fixed, task.bands, entry.blur) <= MOVED))


def _as_noted(fixed, entry: PatchLog, bands) -> np.ndarray:
    """Rows of the fixed sources with the values that they had when the patch was fitted."""
    out = fixed.copy()
    for name, values in zip(q_names(bands), np.transpose(entry.seen), strict=len(fixed) > 0):
        out[name] = values
    return out


def _kept(task: PatchTask, entry: PatchLog) -> PatchOutcome:
    """The rows as they are, and the log of the last fit."""
    log = replace(entry, patch=task.patch.index, seconds=0.0, n_draws=0, message=KEPT)
    return PatchOutcome(task.active, log)
