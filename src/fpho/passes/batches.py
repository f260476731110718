"""A share of a pass's patches: their tasks to the workers, their outcomes checked in and kept.

Each finished patch is kept (`kept`) under a hash of all that it depends on (its rows and those of its
neighbours, region, seed, options, stores, code). A killed job resumes at its next patch, and a finished patch
is never done again.
"""

import logging
from itertools import groupby
from pathlib import Path

import numpy as np

from ..config import Config
from ..errors import InputError
from ..files import checksum, remove_abandoned
from ..images import open_chosen
from ..layout import Layout
from ..progress import progress
from ..psf import PSFStore
from ..records import StoredRecord
from ..scene import checkin, checkout, read_scene, write_scene
from .accounts import check_cover, check_share, check_sources
from .cost import CostLaw, ImagePlaces
from .files import earlier_logs, present_files
from .kept import KeptPatches
from .logs import logs_in, write_lines
from .outcomes import Share, changed_rows, joined, read_lines, read_share, write_outcomes
from .plan import Plan, patch_seed, read_plan
from .planning import plan_patches
from .psfs import widest_of
from .running import run_tasks
from .settling import settled
from .tasks import PatchLog, PatchOutcome, PatchTask

log = logging.getLogger("fpho")


def plan(config: Config, layout: Layout, stage: str, scene_in) -> None:
    """Cut the scene into patches and write the plan of the pass."""
    rows, bands, _ = read_scene(scene_in)
    made = make_plan(config, layout, stage, rows, bands)
    check_cover(made, rows, layout.plan(stage))
    made.write(layout.plan(stage))
    largest = max((len(patch.active) for patch in made.patches), default=0)
    hours = sum(patch.seconds for patch in made.patches) / 3600
    text = "%s: %d patches of at most %d sources, %d colours, %d jobs, about %.2g hours of one core"
    log.info(text, stage, len(made.patches), largest, made.n_colours, len(made.jobs), hours)
    remove_abandoned(layout.outdir)
    _remove_older(layout, stage)


def make_plan(config: Config, layout: Layout, stage: str, rows: np.ndarray, bands) -> Plan:
    """The plan of a pass over scene rows (S,); the images that are there tell what patches cost."""
    jobs, sampled = config.workflow, stage == "sample"
    rounds = config.sample.gibbs_rounds if sampled else config.optimize.rounds
    numbers = config.seed, jobs.batches, jobs.job_seconds, rounds
    law, blur = law_of(config, layout, stage, bands), blur_of(config, layout, stage, bands)
    return plan_patches(rows, config.patches, *numbers, gibbs=sampled, law=law, blur=blur)


def blur_of(config: Config, layout: Layout, stage: str, bands) -> float | None:
    """Half-light radius (arcsec) of the widest PSF of a stage's images; None where there are no PSFs yet."""
    if not layout.psf_store.is_file():
        return None
    on = config.sample.on if stage == "sample" else config.optimize.on
    return widest_of(open_chosen(layout, on), PSFStore(layout.psf_store), bands)


def law_of(config: Config, layout: Layout, stage: str, bands) -> CostLaw:
    """What patches of a stage cost, on the images that it works on."""
    if stage == "sample":
        options = config.sample
        stores, draws = (
            open_chosen(layout, options.on),
            options.chains * (options.warmup + options.sampling_draws),
        )
        return CostLaw(True, ImagePlaces.of(stores, bands), draws)
    return CostLaw(False, ImagePlaces.of(open_chosen(layout, config.optimize.on), bands))


def run_batch(config: Config, layout: Layout, stage: str, colour, batch: int, cores: int, scene_in) -> None:
    """Fit the patches of one step (or `all`) and batch, colours in order, and write their results.

    Patches of one colour do not touch: all of them read the state after the colours before.
    """
    made, path = read_plan(layout.plan(stage)), layout.batch(stage, colour, batch)
    chosen = made.chosen(colour, batch)
    if not chosen:
        write_outcomes(path, [], None, origin(layout, stage, scene_in))
        return
    rows, bands, _ = read_scene(scene_in)
    if config.kernel == "gpu":
        cores = min(cores, config.workflow.gpu_processes)
    outcomes: list[PatchOutcome] = []
    past = past_of(layout, stage, colour, chosen)
    whole = f"{stage}, patches", len(chosen), sum(patch.seconds for patch in chosen)
    with KeptPatches.written_by(layout, stage, batch) as kept, progress(*whole) as advance:
        for _, some in groupby(chosen, key=lambda patch: patch.colour):
            tasks = []
            for patch in some:
                earlier = earlier_of(stage, patch, made, past, kept)
                tasks.append(make_task(config, layout, stage, patch, bands, rows, made, earlier))
            done = settled(tasks, past)
            waiting = []
            for task in tasks:
                if task.patch.index in done:
                    advance(*_told(task, done[task.patch.index]))
                else:
                    waiting.append(task)
            waiting.sort(key=lambda task: -task.patch.seconds)  # the longest is not the last to begin
            for task, outcome in run_tasks(waiting, cores, kept):
                done[task.patch.index] = outcome
                advance(*_told(task, outcome))
            outcomes += [done[task.patch.index] for task in tasks]
            past |= {number: outcome.log for number, outcome in done.items()}
            rows = checkin(rows, *joined(outcomes[-len(tasks) :], bands))
    failures = [outcome.log.failure for outcome in outcomes if outcome.log.failure]
    if colour == "all" and failures and len(failures) == len(outcomes):
        found = f"all {len(failures)} patches failed; the first: {failures[0]}"
        raise InputError(
            f"stage {stage}", found, "The log has the tracebacks; look at images, PSFs and bounds"
        )
    for folder in (layout.work(stage), layout.patches):
        remove_abandoned(folder)  # what workers left that were killed in the middle of writing
    write_outcomes(path, outcomes, rows.dtype, origin(layout, stage, scene_in))


def past_of(layout: Layout, stage: str, colour, patches) -> dict[int, PatchLog]:
    """Logs, by number, of the patches of steps before one that its own go on from."""
    before = {number for patch in patches for number in patch.before}
    paths = earlier_logs(layout, stage, colour) if before else []
    return {entry.patch: entry for path in paths for entry in logs_in(path, before)}


def earlier_of(
    stage: str, patch, made: Plan, past: dict[int, PatchLog], kept
) -> tuple[StoredRecord | None, ...]:
    """Draws that a patch of a sampling goes on from: its own, then those of its neighbours; or none."""
    before = patch.before if stage == "sample" else ()
    return tuple(kept.beside("samples", made.patches[number].name, past[number]) for number in before)


def gather(config: Config, layout: Layout, stage: str, colour, scene_in, scene_out) -> None:
    """Check the results of all batches of a step in: the next state of the scene, and a log beside it."""
    before, bands, _ = read_scene(scene_in)
    made, made_from = read_plan(layout.plan(stage)), origin(layout, stage, scene_in)
    numbers = [0] if colour == "all" else [batch for step, batch in made.jobs if step == colour]
    paths, shares = [layout.batch(stage, colour, batch) for batch in numbers], []
    for batch, path in zip(numbers, paths, strict=True):
        share = read_share(path, before.dtype, made_from)
        check_share(share, made, made.places(colour, batch), before, path)
        shares.append(share)
    rows = checkin(before, *changed_rows(shares, bands))
    check_sources(before, rows, scene_out)
    _tell_failures(stage, shares)
    write_scene(scene_out, rows, bands)
    write_lines(Path(scene_out).with_suffix(".log.json"), map(read_lines, paths))


def _tell_failures(stage: str, shares: list[Share]) -> None:
    failures = {number: text for share in shares for number, text in share.failures.items()}
    for number, text in failures.items():
        log.warning("%s: patch %d failed: %s", stage, number, text)
    if failures:
        n = sum(len(share.patches) for share in shares)
        log.warning("%s: %d of %d patches failed; their sources are flagged", stage, len(failures), n)


def origin(layout: Layout, stage: str, scene_in) -> str:
    """Checksums of the plan and of the state that a batch is made from."""
    return f"{checksum(layout.plan(stage))} {checksum(scene_in)}"


def make_task(config, layout, stage, patch, bands, rows, made: Plan, earlier=()) -> PatchTask:
    """One patch of a plan with its rows of the present state; `earlier`: see `earlier_of`."""
    active, fixed = checkout(rows, patch.active, patch.fixed)
    halo = rows[list(patch.halo)].copy()
    files, seed = present_files(config, layout, stage), patch_seed(made.seed, patch)
    return PatchTask(
        config, layout, stage, files, patch, tuple(bands), active, halo, fixed, seed, earlier=earlier
    )


def _told(task: PatchTask, outcome: PatchOutcome) -> tuple[str, int, float]:
    """(What became of a patch, in words; how many of its sources are flagged; the seconds predicted.)"""
    text = outcome.log.failure or outcome.log.message
    flagged = int(np.count_nonzero(outcome.final["flags"]))
    return f"patch {task.patch.index} ({len(task.active)} sources): {text}", flagged, task.patch.seconds


def _remove_older(layout: Layout, stage: str) -> None:
    """Files of finished patches as earlier versions wrote them, one by one: all is done again."""
    older = [*layout.work(stage).glob("patch*.h5"), *layout.work(stage).glob(".patch*.seal")]
    if stage == "sample":
        older += layout.patches.glob("patch*_*.h5")
    for path in older:
        path.unlink(missing_ok=True)
    if older:
        log.warning(
            "%s: %d files of an earlier version are removed, their patches done again", stage, len(older)
        )
