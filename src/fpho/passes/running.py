"""Tasks of patches done by a pool of processes; each finished patch is kept at once, by the parent.

Trouble of the fit (numbers) is recorded: the sources stay at their optimum, flagged. Trouble of the machine
(memory, disk, a killed process) costs one repeat and then stops the job, see `fpho.workers`: a patch is never
taken for one that can't be fitted because a disk was full.
"""

import logging
import time
import traceback
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..config import UndeclaredOption
from ..errors import InputError
from ..flags import Flag
from ..workers import MACHINE, results
from .identity import task_hash
from .kept import KeptPatches
from .safer import safer, words
from .settling import noted
from .tasks import PatchLog, PatchOutcome, PatchTask

log = logging.getLogger("fpho")

FAILED = {"optimize": Flag.OPTIMIZE_FAILED, "reoptimize": Flag.OPTIMIZE_FAILED, "sample": Flag.NOT_CONVERGED}
ROWS = ("active", "halo", "fixed")


Done = Iterator[tuple[PatchTask, PatchOutcome]]


def run_tasks(tasks: list[PatchTask], cores: int, kept: KeptPatches) -> Done:
    """Outcomes of tasks as they come and are kept; finished ones of earlier runs first."""
    waiting = []
    for task in map(identified, tasks):
        known = kept.outcome(task)
        if known is not None:
            yield task, known
        else:
            waiting.append(replace(task, checkpoint=str(checkpoint(task)), cores=max(1, cores // len(tasks))))
    if not waiting:
        return
    function = worker(waiting[0].stage)
    names = [f"{task.stage}, patch {task.patch.index}" for task in waiting]
    work = [(task, function) for task in waiting]
    for place, outcome in results(
        run_task, work, cores, names=names, preload=[__name__, function.__module__]
    ):
        task = waiting[place]
        if not outcome.log.failure:
            kept.keep(task, outcome)
            _remove_checkpoints(task)
        yield task, replace(outcome, contents={})


def identified(task: PatchTask) -> PatchTask:
    """A task with the hash of all that its result depends on."""
    return replace(task, identity=task_hash(task, worker(task.stage)))


def worker(stage: str):
    """The function that does a patch of a stage: `PatchTask` to `PatchOutcome`."""
    if stage == "sample":
        from .draws import sample_patch

        return sample_patch
    from .optimum import optimize_patch

    return optimize_patch


def checkpoint(task: PatchTask) -> Path:
    """How the names of a task's files for check-points begin."""
    return task.layout.work(task.stage) / f"patch{task.patch.name}_{task.identity}.checkpoint"


def _remove_checkpoints(task: PatchTask) -> None:
    path = Path(task.checkpoint)
    for one in path.parent.glob(f"{path.name}*"):
        one.unlink(missing_ok=True)


def run_task(task: PatchTask, function) -> PatchOutcome:
    """What the worker makes of a patch; a failure of the fit is recorded, never dropped.

    Raises
    ------
    InputError, OSError, MemoryError
        Not the fit's: for the user to mend, or for the pool to repeat.
    """
    start = time.perf_counter()
    outcome = _fitted(task, function)
    if isinstance(outcome, Exception):
        outcome = _second(task, function, outcome)
        if outcome.log.failure:
            return outcome
    entry = _signed(task, replace(outcome.log, seconds=time.perf_counter() - start))
    return replace(outcome, final=_marked(task, outcome.final), log=entry)


def _fitted(task: PatchTask, function) -> PatchOutcome | Exception:
    """The outcome of the worker, or why the fit failed."""
    try:
        return function(task)
    except (InputError, UndeclaredOption, *MACHINE):
        raise
    except Exception as error:
        if type(error).__module__.startswith("numba.cuda"):
            raise MemoryError(f"on the GPU: {error}") from error
        return error


def _second(task: PatchTask, function, error: Exception) -> PatchOutcome:
    """The outcome with safer settings, which says why; or a failure, where that fails, too."""
    again = safer(task)
    if again is None:
        return _failure(task, error)
    log.warning("%s: patch %d is tried with %s: %s", task.stage, task.patch.index, words(task), error)
    outcome = _fitted(again, function)
    if isinstance(outcome, Exception):
        return _failure(task, outcome)
    text = "".join(traceback.format_exception(error))
    told = f"{outcome.log.message}; with {words(task)}, after {type(error).__name__}: {error}"
    return replace(outcome, log=replace(outcome.log, message=told, traceback=text))


def _failure(task: PatchTask, error: Exception) -> PatchOutcome:
    """The sources as they were, flagged."""
    text = "".join(traceback.format_exception(error))
    log.warning("%s: patch %d: %s", task.stage, task.patch.index, text)
    entry = PatchLog(failure=f"{type(error).__name__}: {error}", traceback=text)
    return PatchOutcome(_marked(task, task.active, FAILED[task.stage]), _signed(task, entry))


def _marked(task: PatchTask, final: np.ndarray, flags: int = 0) -> np.ndarray:
    """Rows with `flags`, and with that of a cut group where the plan cut it."""
    marked = final.copy()
    marked["flags"] |= int(flags | (Flag.TRUNCATED_PATCH if task.patch.truncated else 0))
    return marked


def _signed(task: PatchTask, entry: PatchLog) -> PatchLog:
    """With the number of the patch, its hash, the ids of its sources, and what the fixed ones were."""
    names = {key: tuple(map(str, getattr(task, key)["id"])) for key in ROWS}
    seen = () if task.stage == "sample" else noted(task.fixed, task.bands)
    return replace(entry, patch=task.patch.index, task=task.identity, seen=seen, **names)
