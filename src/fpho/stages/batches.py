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
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from itertools import groupby
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from ..codehash import code_hash
from ..config import Config
from ..errors import InputError
from ..files import atomic, write_text
from ..flags import Flag
from ..layout import Layout
from ..progress import progress
from ..scene import checkin, checkout, patch_seed, plan_patches, read_plan, read_scene, write_scene
from .tasks import PatchOutcome, PatchTask

log = logging.getLogger("fpho")

FAILED = {"optimize": Flag.OPTIMIZE_FAILED, "reoptimize": Flag.OPTIMIZE_FAILED, "sample": Flag.NOT_CONVERGED}
ROWS = ("active", "halo", "fixed")
SECTIONS = ("bounds", "priors", "model", "kernel", "bands", "background", "registration", "psf", "sersic")


def plan(config: Config, layout: Layout, stage: str, scene_in) -> None:
    """Cut the scene into patches and write the plan of the pass."""
    rows, _, _ = read_scene(scene_in)
    jobs = config.workflow
    sampling = stage == "sample"
    rounds = config.sample.gibbs_rounds if sampling else config.optimize.rounds
    made = plan_patches(
        rows, config.patches, config.seed, jobs.batches, jobs.max_colours, rounds, redraw=sampling
    )
    made.write(layout.plan(stage))
    largest = max((len(patch.active) for patch in made.patches), default=0)
    log.info(
        "%s: %d patches of at most %d sources, %d colours", stage, len(made.patches), largest, made.n_colours
    )
    if sampling:
        _remove_beyond(layout, len(made.patches))


def run_batch(config: Config, layout: Layout, stage: str, colour, batch: int, cores: int, scene_in) -> None:
    """Fit the patches of one step (or `all`) and batch, colours in order, and write their results.

    Patches of one colour do not touch: all of them read the state after the colours before.
    """
    rows, bands, _ = read_scene(scene_in)
    made = read_plan(layout.plan(stage))
    if config.kernel == "gpu":
        cores = min(cores, config.workflow.gpu_processes)
    chosen = made.chosen(colour, batch)
    outcomes: list[PatchOutcome] = []
    with progress(f"{stage}, patches", len(chosen)) as advance:
        for _, some in groupby(chosen, key=lambda patch: patch.colour):
            tasks = [make_task(config, layout, stage, patch, bands, rows, made.seed) for patch in some]
            done = {}
            for task, outcome in run_tasks(tasks, cores):
                done[task.patch.index] = outcome
                advance(_describe(task, outcome))
            outcomes += [done[task.patch.index] for task in tasks]
            rows = checkin(rows, *_joined(outcomes[-len(tasks) :], bands))
    failures = [outcome.log["failure"] for outcome in outcomes if "failure" in outcome.log]
    if colour == "all" and failures and len(failures) == len(outcomes):
        raise RuntimeError(f"{stage}: all {len(failures)} patches failed; the first: {failures[0]}")
    write_outcomes(layout.batch(stage, colour, batch), outcomes, rows.dtype)


def gather(config: Config, layout: Layout, stage: str, colour, scene_in, scene_out) -> None:
    """Check the results of all batches of a step in: the next state of the scene, and a log beside it."""
    rows, bands, _ = read_scene(scene_in)
    n_batches = 1 if colour == "all" else config.workflow.batches
    paths = [layout.batch(stage, colour, batch) for batch in range(n_batches)]
    outcomes = [outcome for path in paths for outcome in read_outcomes(path, rows.dtype)]
    if outcomes:
        rows = checkin(rows, *_joined(outcomes, bands))
    logs = [outcome.log for outcome in outcomes]
    failed = [entry for entry in logs if "failure" in entry]
    for entry in failed:
        log.warning("%s: patch %d failed: %s", stage, entry["patch"], entry["failure"])
    if failed:
        log.warning("%s: %d of %d patches failed; their sources are flagged", stage, len(failed), len(logs))
    write_scene(scene_out, rows, bands)
    write_text(Path(scene_out).with_suffix(".log.json"), json.dumps(logs, indent=1) + "\n")


def _joined(outcomes: list[PatchOutcome], bands):
    """Rows of all outcomes in order of colour, bands, and the draws that each row got."""
    final = np.concatenate([outcome.final for outcome in outcomes])
    counts = [len(outcome.final) for outcome in outcomes]
    return final, bands, np.repeat([outcome.log.get("n_draws", 0) for outcome in outcomes], counts)


def make_task(config, layout, stage, patch, bands, rows, seed) -> PatchTask:
    """One patch with its rows of the present state."""
    active, fixed = checkout(rows, patch.active, patch.fixed)
    halo = rows[list(patch.halo)].copy()
    seed = patch_seed(seed, patch.index)
    return PatchTask(config, layout, stage, patch, tuple(bands), active, halo, fixed, seed)


def run_tasks(tasks: list[PatchTask], cores: int) -> Iterator[tuple[PatchTask, PatchOutcome]]:
    """Outcomes of tasks as they come; finished ones of earlier runs first."""
    waiting = []
    for task in tasks:
        path = task.layout.work(task.stage) / f"patch{task.patch.index}_{task_hash(task)}.h5"
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
    entry["marks"] = {str(file): _fingerprint(file) for file in outcome.log.get("files", [])}
    outcome = PatchOutcome(_marked(task, outcome.final), entry, outcome.covs)
    write_outcomes(path, [outcome], outcome.final.dtype)
    Path(task.checkpoint).unlink(missing_ok=True)
    return outcome


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


def task_hash(task: PatchTask) -> str:
    """What a patch's result depends on."""
    config = task.config
    section = "sample" if task.stage == "sample" else "optimize"
    options = {name: config.model_dump(mode="json")[name] for name in (section, *SECTIONS)}
    parts = [
        json.dumps([task.stage, options, task.bands, repr(task.seed.entropy), task.seed.spawn_key]),
        repr(task.patch.region),
        task.active.tobytes().hex(),
        task.halo.tobytes().hex(),
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
    files = [*stores, layout.psf_store, layout.sersic_table]
    if task.stage != "optimize":
        files += [layout.background, layout.registration]
    elif task.config.background.tweakbg:
        files.append(Path(task.config.background.tweakbg))
    before = (task.patch.previous, *task.patch.neighbours)
    return files + [layout.samples(number) for number in before if number >= 0]


def _fingerprint(path) -> str:
    if not Path(path).is_file():
        return "absent"
    state = Path(path).stat()
    return f"{Path(path).name} {state.st_size} {state.st_mtime_ns}"


def finished(path: Path, dtype) -> PatchOutcome | None:
    """A finished patch, if it is there and the files it wrote are still its own."""
    if not path.is_file():
        return None
    (outcome,) = read_outcomes(path, dtype)
    marks = outcome.log["marks"]
    return None if any(_fingerprint(file) != mark for file, mark in marks.items()) else outcome


def write_outcomes(path, outcomes: list[PatchOutcome], dtype) -> None:
    """Outcomes in HDF5: rows as bytes (`dtype`, patch after patch), their numbers, logs, covariances."""
    import h5py

    rows = np.concatenate([np.zeros(0, dtype), *(outcome.final for outcome in outcomes)])
    with atomic(path) as temporary, h5py.File(temporary, "w") as file:
        file["rows"] = np.frombuffer(rows.tobytes(), "u1")
        file["counts"] = np.array([len(outcome.final) for outcome in outcomes], "i8")
        file["log"] = json.dumps([outcome.log for outcome in outcomes])
        for i, outcome in enumerate(outcomes):
            if outcome.covs is not None:
                file[f"covs/{i}"] = np.asarray(outcome.covs)


def read_outcomes(path, dtype) -> list[PatchOutcome]:
    """What `write_outcomes` wrote."""
    import h5py

    with h5py.File(path, "r") as file:
        rows = np.frombuffer(file["rows"][:].tobytes(), dtype)
        final = np.split(rows, np.cumsum(file["counts"][:])[:-1])
        logs = json.loads(file["log"][()])
        covs = [file[f"covs/{i}"][:] if f"covs/{i}" in file else None for i in range(len(logs))]
    return [PatchOutcome(*parts) for parts in zip(final[: len(logs)], logs, covs, strict=True)]


def _describe(task: PatchTask, outcome: PatchOutcome) -> str:
    text = outcome.log.get("failure") or outcome.log.get("message", "done")
    return f"patch {task.patch.index} ({len(task.active)} sources): {text}"


def _remove_beyond(layout: Layout, n_patches: int) -> None:
    """Results of an earlier plan with more patches would be taken for this one's."""
    for path in layout.patches.glob("patch*_*.h5"):
        number = path.name.removeprefix("patch").split("_")[0]
        if number.isdigit() and int(number) >= n_patches:
            path.unlink()
