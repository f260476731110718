"""A share of a pass's patches: a pool of workers, whose finished patches are kept at once.

Each finished patch is stored in the stage's work folder under a hash of all that it depends on (its rows and
those of its neighbours, region, seed, options, stores, code). A killed job resumes at its next patch,
and a finished patch is never done again.
"""

import hashlib
import json
import logging
import os
import time
import traceback
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from ..codehash import code_hash
from ..config import Config
from ..errors import InputError
from ..files import atomic
from ..flags import Flag
from ..layout import Layout
from ..progress import progress
from ..scene import checkin, checkout, patch_seed, plan_patches, read_plan, read_scene, write_scene
from ..scene.planning import Plan
from .tasks import PatchOutcome, PatchTask

log = logging.getLogger("fpho")

FAILED = {"optimize": Flag.OPTIMIZE_FAILED, "reoptimize": Flag.OPTIMIZE_FAILED, "sample": Flag.NOT_CONVERGED}
SECTIONS = ("bounds", "priors", "kernel", "bands", "background", "psf", "sersic")


def plan(config: Config, layout: Layout, stage: str, scene_in) -> None:
    """Cut the scene into patches and write the plan of the pass."""
    rows, _, _ = read_scene(scene_in)
    jobs = config.workflow
    made = plan_patches(rows, config.patches, config.seed, jobs.batches, jobs.max_colours)
    made.write(layout.plan(stage))
    largest = max((len(patch.active) for patch in made.patches), default=0)
    log.info(
        "%s: %d patches of at most %d sources, %d colours", stage, len(made.patches), largest, made.n_colours
    )
    if stage == "sample":
        _remove_beyond(layout, len(made.patches))


def run_batch(config: Config, layout: Layout, stage: str, colour, batch: int, cores: int, scene_in) -> None:
    """Fit the patches of one colour (or `all`, in order) and batch, and write their results."""
    rows, bands, _ = read_scene(scene_in)
    made = read_plan(layout.plan(stage))
    chosen = made.chosen(colour, batch)
    outcomes: dict[int, PatchOutcome] = {}
    with progress(f"{stage}, patches", len(chosen)) as advance:
        for step in _steps(chosen, config, made):
            tasks = [_task(config, layout, stage, patch, bands, rows, made.seed, cores) for patch in step]
            for task, outcome in _run(tasks, cores):
                outcomes[task.patch.index] = outcome
                advance(_describe(task, outcome))
            for patch in step:
                outcome = outcomes[patch.index]
                rows = checkin(rows, outcome.final, bands, outcome.log.get("n_draws", 0))
    _refuse_if_all_failed(stage, outcomes)
    _write_batch(layout.batch(stage, colour, batch), [outcomes[patch.index] for patch in chosen], rows.dtype)


def gather(config: Config, layout: Layout, stage: str, colour, scene_in, scene_out) -> None:
    """Check the results of all batches of a colour in: the next state of the scene."""
    rows, bands, _ = read_scene(scene_in)
    n_batches = 1 if colour == "all" else config.workflow.batches
    for batch in range(n_batches):
        final, logs = _read_batch(layout.batch(stage, colour, batch), rows.dtype)
        draws = max((entry.get("n_draws", 0) for entry in logs), default=0)
        rows = checkin(rows, final, bands, draws)
        for entry in logs:
            if "failure" in entry:
                log.warning("%s: patch %d failed: %s", stage, entry["patch"], entry["failure"])
    write_scene(scene_out, rows, bands)


def _steps(chosen, config: Config, made: Plan) -> Iterator[list]:
    """Patches that may run at the same time; those beyond the last colour of the graph run one by one."""
    last = config.workflow.max_colours - 1
    for colour in sorted({patch.colour for patch in chosen}):
        some = [patch for patch in chosen if patch.colour == colour]
        if made.n_batches > 1 and colour == last:
            yield from ([patch] for patch in some)
        else:
            yield some


def _task(config, layout, stage, patch, bands, rows, seed, cores) -> PatchTask:
    active, fixed = checkout(rows, patch.active, patch.fixed)
    return PatchTask(config, layout, stage, patch, tuple(bands), active, fixed, patch_seed(seed, patch.index))


def _run(tasks: list[PatchTask], cores: int) -> Iterator[tuple[PatchTask, PatchOutcome]]:
    """Outcomes of tasks as they come; finished ones of earlier runs first."""
    waiting = []
    for task in tasks:
        name = task_hash(task)
        path = task.layout.work(task.stage) / f"{name}.npz"
        known = _read_outcome(path, task.active.dtype)
        if known is not None:
            yield task, known
        else:
            waiting.append((_with_checkpoint(task, path, cores, len(tasks)), path))
    if cores == 1 or len(waiting) <= 1:
        for task, path in waiting:
            yield task, _work(task, path)
        return
    os.environ.update(NUMBA_NUM_THREADS="1", OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")
    pool = ProcessPoolExecutor(min(cores, len(waiting)), get_context("forkserver"), _end_with_parent)
    with pool:
        futures = {pool.submit(_work, task, path): task for task, path in waiting}
        while futures:
            done, _ = wait(futures, return_when=FIRST_COMPLETED)
            for future in done:
                yield futures.pop(future), future.result()


def worker(stage: str):
    """The function that does a patch of a stage: `PatchTask` to `PatchOutcome`."""
    if stage == "sample":
        from .sample import sample_patch

        return sample_patch
    from .optimize import fit_patch

    return fit_patch


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


def _work(task: PatchTask, path: Path) -> PatchOutcome:
    """Run the stage's worker on a patch and keep the outcome; a failure is recorded, never dropped."""
    start = time.perf_counter()
    try:
        outcome = worker(task.stage)(task)
    except InputError:
        raise
    except Exception as error:
        log.warning("%s: patch %d: %s", task.stage, task.patch.index, traceback.format_exc())
        final = task.active.copy()
        final["flags"] |= int(FAILED[task.stage])
        return PatchOutcome(final, {"patch": task.patch.index, "failure": f"{type(error).__name__}: {error}"})
    entry = {"patch": task.patch.index, "seconds": time.perf_counter() - start, **outcome.log}
    entry["active"] = [str(name) for name in task.active["id"]]
    outcome = PatchOutcome(outcome.final, entry, outcome.covs)
    _write_outcome(path, outcome)
    Path(task.checkpoint).unlink(missing_ok=True)
    return outcome


def task_hash(task: PatchTask) -> str:
    """What a patch's result depends on."""
    config = task.config
    section = "sample" if task.stage == "sample" else "optimize"
    options = {name: config.model_dump(mode="json")[name] for name in (section, *SECTIONS)}
    parts = [
        json.dumps([task.stage, options, task.bands, repr(task.seed.entropy), task.seed.spawn_key]),
        repr(task.patch.region),
        task.active.tobytes().hex(),
        task.fixed.tobytes().hex(),
        code_hash(worker(task.stage).__module__, without=("products",)),
        *map(_fingerprint, data_files(task)),
    ]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:24]


def data_files(task: PatchTask) -> list[Path]:
    """Files that a worker reads."""
    layout, on = task.layout, task.config.sample.on if task.stage == "sample" else task.config.optimize.on
    kinds = ("mosaic", "exposure") if on == "all" else (on,)
    stores = [path(kind) for kind in kinds for path in (layout.pixels, layout.meta)]
    files = [*stores, layout.psf_store]
    if task.stage != "optimize":
        files.append(layout.background)
    return files


def _fingerprint(path) -> str:
    if not Path(path).is_file():
        return "absent"
    state = Path(path).stat()
    return f"{Path(path).name} {state.st_size} {state.st_mtime_ns}"


def _write_outcome(path: Path, outcome: PatchOutcome) -> None:
    files = {str(file): _fingerprint(file) for file in outcome.log.get("files", [])}
    covs = np.zeros((0, 0)) if outcome.covs is None else np.asarray(outcome.covs)
    with atomic(path) as temporary, open(temporary, "wb") as stream:
        text = json.dumps({"log": outcome.log, "files": files})
        np.savez(stream, final=outcome.final, covs=covs, text=np.array(text))


def _read_outcome(path: Path, dtype) -> PatchOutcome | None:
    """A finished patch, if it is there and the files it wrote are still its own."""
    if not path.is_file():
        return None
    with np.load(path) as stored:
        tree, final, covs = json.loads(str(stored["text"])), stored["final"], stored["covs"]
    if final.dtype != dtype or any(_fingerprint(file) != mark for file, mark in tree["files"].items()):
        return None
    return PatchOutcome(final, tree["log"], covs if covs.size else None)


def _write_batch(path, outcomes: list[PatchOutcome], dtype) -> None:
    import h5py

    final = [outcome.final for outcome in outcomes]
    rows = np.concatenate(final) if final else np.zeros(0, dtype)
    with atomic(path) as temporary, h5py.File(temporary, "w") as file:
        file["rows"] = np.frombuffer(rows.tobytes(), "u1") if len(rows) else np.zeros(0, "u1")
        file["log"] = json.dumps([outcome.log for outcome in outcomes])


def _read_batch(path, dtype) -> tuple[np.ndarray, list[dict]]:
    import h5py

    with h5py.File(path, "r") as file:
        rows = np.frombuffer(file["rows"][:].tobytes(), dtype)
        return rows, json.loads(file["log"][()])


def _refuse_if_all_failed(stage: str, outcomes: dict) -> None:
    failures = [outcome.log["failure"] for outcome in outcomes.values() if "failure" in outcome.log]
    if failures and len(failures) == len(outcomes):
        raise RuntimeError(f"{stage}: all {len(failures)} patches failed; the first: {failures[0]}")


def _describe(task: PatchTask, outcome: PatchOutcome) -> str:
    text = outcome.log.get("failure") or outcome.log.get("message", "done")
    return f"patch {task.patch.index} ({len(task.active)} sources): {text}"


def _remove_beyond(layout: Layout, n_patches: int) -> None:
    """Results of an earlier plan with more patches would be taken for this one's."""
    for path in layout.patches.glob("patch*_*.h5"):
        number = path.name.removeprefix("patch").split("_")[0]
        if number.isdigit() and int(number) >= n_patches:
            path.unlink()
