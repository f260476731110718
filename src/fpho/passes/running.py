"""Tasks of patches done by a pool of processes; each finished patch is kept at once.

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
from ..errors import DamagedError, InputError
from ..files import checksum
from ..flags import Flag
from ..workers import MACHINE, results
from .identity import task_hash
from .outcomes import read_outcomes, write_outcomes
from .safer import safer, words
from .settling import noted
from .tasks import PatchLog, PatchOutcome, PatchTask

log = logging.getLogger("fpho")

FAILED = {"optimize": Flag.OPTIMIZE_FAILED, "reoptimize": Flag.OPTIMIZE_FAILED, "sample": Flag.NOT_CONVERGED}
ROWS = ("active", "halo", "fixed")


def run_tasks(tasks: list[PatchTask], cores: int) -> Iterator[tuple[PatchTask, PatchOutcome]]:
    """Outcomes of tasks as they come; finished ones of earlier runs first."""
    waiting = []
    for task in tasks:
        task = replace(task, identity=task_hash(task, worker(task.stage)))
        known = finished(task)
        if known is not None:
            yield task, known
        else:
            checkpoint = str(kept(task).with_suffix(".checkpoint"))
            waiting.append(replace(task, checkpoint=checkpoint, cores=max(1, cores // len(tasks))))
    if not waiting:
        return
    function = worker(waiting[0].stage)
    names = [f"{task.stage}, patch {task.patch.index}" for task in waiting]
    work = [(task, function) for task in waiting]
    for key, outcome in results(run_task, work, cores, names=names, preload=[__name__, function.__module__]):
        yield waiting[key], outcome


def worker(stage: str):
    """The function that does a patch of a stage: `PatchTask` to `PatchOutcome`."""
    if stage == "sample":
        from .draws import sample_patch

        return sample_patch
    from .optimum import optimize_patch

    return optimize_patch


def kept(task: PatchTask) -> Path:
    """The file that holds the outcome of a task once it is finished."""
    return task.layout.work(task.stage) / f"patch{task.patch.name}_{task.identity}.h5"


def run_task(task: PatchTask, function) -> PatchOutcome:
    """Run the worker on a patch and keep the outcome; a failure of the fit is recorded, never dropped.

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
    outcome = PatchOutcome(_marked(task, outcome.final), entry)
    write_outcomes(kept(task), [outcome], outcome.final.dtype)
    for path in kept(task).parent.glob(f"{Path(task.checkpoint).name}*"):
        path.unlink(missing_ok=True)
    return outcome


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


def finished(task: PatchTask) -> PatchOutcome | None:
    """A finished patch, if it is there, and whole with the files that it wrote."""
    path = kept(task)
    if not path.is_file():
        return None
    try:
        (outcome,) = read_outcomes(path, task.active.dtype)
    except DamagedError as error:
        log.warning("%s, patch %d is done again: %s", task.stage, task.patch.index, error)
        path.unlink(missing_ok=True)
        return None
    folder, sums = task.layout.patches, outcome.log.sums
    if not all(same(folder / name, digest) for name, digest in sums.items()):
        return None
    return replace(outcome, log=replace(outcome.log, patch=task.patch.index))  # in the present plan


def same(path: Path, digest: str) -> bool:
    """Whether a file is there and has this checksum."""
    return path.is_file() and checksum(path) == digest


def _failure(task: PatchTask, error: Exception) -> PatchOutcome:
    """The sources as they were, flagged. What an earlier run drew for them is gone: it is not this run's."""
    text = "".join(traceback.format_exception(error))
    log.warning("%s: patch %d: %s", task.stage, task.patch.index, text)
    flags, layout, name = FAILED[task.stage], task.layout, task.patch.name
    if task.stage == "sample":
        for path in (layout.samples(name), layout.residuals(name)):
            path.unlink(missing_ok=True)
    entry = PatchLog(failure=f"{type(error).__name__}: {error}", traceback=text)
    return PatchOutcome(_marked(task, task.active, flags), _signed(task, entry))


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
