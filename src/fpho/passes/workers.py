"""Tasks of patches done by a pool of processes; each finished patch is kept at once."""

import logging
import os
import time
import traceback
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..flags import Flag
from .identity import fingerprint, task_hash
from .outcomes import read_outcomes, write_outcomes
from .tasks import PatchOutcome, PatchTask

log = logging.getLogger("fpho")

FAILED = {"optimize": Flag.OPTIMIZE_FAILED, "reoptimize": Flag.OPTIMIZE_FAILED, "sample": Flag.NOT_CONVERGED}
ROWS = ("active", "halo", "fixed")


def run_tasks(tasks: list[PatchTask], cores: int) -> Iterator[tuple[PatchTask, PatchOutcome]]:
    """Outcomes of tasks as they come; finished ones of earlier runs first."""
    waiting = []
    for task in tasks:
        name = f"patch{task.patch.index}_{task_hash(task, worker(task.stage))}.h5"
        path = task.layout.work(task.stage) / name
        known = finished(path, task.active.dtype)
        if known is not None:
            yield task, known
        else:
            waiting.append((_with_checkpoint(task, path, cores, len(tasks)), path))
    if cores == 1 or len(waiting) <= 1:
        for task, path in waiting:
            yield task, _work(task, path, worker(task.stage))
        return
    left = dict(enumerate(waiting))
    for key, outcome in _pool(left, cores):
        yield waiting[key][0], outcome
        del left[key]
    for task, path in left.values():  # a worker died: one of these, and only it, fails again
        outcomes = [outcome for _, outcome in _pool({0: (task, path)}, 1)]
        yield task, outcomes[0] if outcomes else _failure(task, "the worker process died (out of memory?)")


def _pool(waiting: dict, cores: int) -> Iterator[tuple[int, PatchOutcome]]:
    """Outcomes from worker processes by key; those that are missing were lost with a worker that died."""
    os.environ.update(NUMBA_NUM_THREADS="1", OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")
    context = get_context("forkserver")
    context.set_forkserver_preload(
        [__name__, *sorted({worker(task.stage).__module__ for task, _ in waiting.values()})]
    )
    pool = ProcessPoolExecutor(min(cores, len(waiting)), context, _end_with_parent)
    try:
        futures = {
            pool.submit(_work, task, path, worker(task.stage)): key for key, (task, path) in waiting.items()
        }
        for future in as_completed(futures):
            yield futures[future], future.result()
    except BrokenProcessPool:
        log.warning("a worker process died; its patches are tried again, one by one")
    finally:
        pool.shutdown(cancel_futures=True)


def worker(stage: str):
    """The function that does a patch of a stage: `PatchTask` to `PatchOutcome`."""
    if stage == "sample":
        from .draws import sample_patch

        return sample_patch
    from .optimum import optimize_patch

    return optimize_patch


def _with_checkpoint(task: PatchTask, path: Path, cores: int, n_tasks: int) -> PatchTask:
    values = {**task.__dict__, "checkpoint": str(path.with_suffix(".checkpoint"))}
    return PatchTask(**{**values, "cores": max(1, cores // max(1, n_tasks))})


def _end_with_parent() -> None:
    """Workers of a killed job must not live on."""
    import threading
    from multiprocessing import parent_process

    def watch():
        parent_process().join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _work(task: PatchTask, path: Path, function) -> PatchOutcome:
    """Run the stage's worker on a patch and keep the outcome; a failure is recorded, never dropped."""
    start = time.perf_counter()
    try:
        outcome = function(task)
    except InputError:
        raise
    except Exception as error:
        text = traceback.format_exc()
        log.warning("%s: patch %d: %s", task.stage, task.patch.index, text)
        return _failure(task, f"{type(error).__name__}: {error}", traceback=text)
    entry = _entry(task, seconds=time.perf_counter() - start, **outcome.log)
    entry["marks"] = {str(file): fingerprint(file) for file in outcome.log.get("files", [])}
    outcome = PatchOutcome(_marked(task, outcome.final), entry, outcome.covs)
    write_outcomes(path, [outcome], outcome.final.dtype)
    Path(task.checkpoint).unlink(missing_ok=True)
    return outcome


def finished(path: Path, dtype) -> PatchOutcome | None:
    """A finished patch, if it is there and the files it wrote are still its own."""
    if not path.is_file():
        return None
    (outcome,) = read_outcomes(path, dtype)
    marks = outcome.log["marks"]
    return None if any(fingerprint(file) != mark for file, mark in marks.items()) else outcome


def _failure(task: PatchTask, reason: str, **more) -> PatchOutcome:
    """The sources as they were, flagged."""
    final = _marked(task, task.active, FAILED[task.stage])
    return PatchOutcome(final, _entry(task, failure=reason, **more))


def _marked(task: PatchTask, final: np.ndarray, flags: int = 0) -> np.ndarray:
    """Rows with `flags`, and with that of a cut group where the plan cut it."""
    marked = final.copy()
    marked["flags"] |= int(flags | (Flag.TRUNCATED_PATCH if task.patch.truncated else 0))
    return marked


def _entry(task: PatchTask, **more) -> dict:
    names = {key: [str(name) for name in rows["id"]] for key, rows in vars(task).items() if key in ROWS}
    return {"patch": task.patch.index, **names, **more}
