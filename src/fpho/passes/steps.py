"""Passes over all patches of a scene: which states they start from, and the order of their parts.

A pass is `plan`, then for each step of the plan its batches and `gather`, then `finish`; or `run`, all of it
in one process. `batches` does the work; here is only what lies between stages and files.
"""

import logging
import shutil

import numpy as np

from ..config import Config
from ..files import atomic
from ..flags import Flag
from ..layout import Layout
from ..psf import PSFStore
from ..scene import read_scene, write_scene
from . import batches
from .accounts import check_numbers, check_sources, without_draws
from .kept import pack_records
from .logs import lines_in, logs_in, write_lines
from .plan import Plan, read_plan
from .settling import Settling, flagged

log = logging.getLogger("fpho")
WHOLE = "all"


def run(config: Config, layout: Layout, stage: str, cores: int = 1) -> None:
    """A whole pass in this process, colours in order; finished patches are taken from earlier runs."""
    plan(config, layout, stage)
    run_batch(config, layout, stage, WHOLE, 0, cores)
    gather(config, layout, stage, WHOLE)
    finish(config, layout, stage, WHOLE)


def plan(config: Config, layout: Layout, stage: str) -> None:
    """Cut the scene into patches, colour those that touch, divide them into batches.

    A pass that would change nothing has a plan without patches, hence without jobs.
    """
    if unneeded(config, layout, stage):
        log.info("%s: no significant background and no new object, so the scene stays as it is", stage)
        Plan((), config.seed).write(layout.plan(stage))
        return
    batches.plan(config, layout, stage, layout.state_before(stage, WHOLE))


def run_batch(config: Config, layout: Layout, stage: str, colour, batch: int, cores: int = 1) -> None:
    """Fit the patches of one colour and batch."""
    batches.run_batch(config, layout, stage, colour, batch, cores, layout.state_before(stage, colour))


def gather(config: Config, layout: Layout, stage: str, colour) -> None:
    """Check the results of one colour in."""
    before, after = layout.state_before(stage, colour), layout.state_after(stage, colour)
    batches.gather(config, layout, stage, colour, before, after)


def finish(config: Config, layout: Layout, stage: str, colour=None) -> None:
    """Keep the state after the last step as that of the stage, and the logs of all its patches."""
    made, log_path = read_plan(layout.plan(stage)), layout.patch_log(stage)
    colours = sorted({step for step, _ in made.jobs}) if colour is None else [colour]
    paths = [layout.patch_log(stage, each) for each in colours]
    last = layout.state_after(stage, colours[-1]) if colours else layout.state_before(stage)
    rows, bands, _ = read_scene(last)
    check_sources(read_scene(layout.state_before(stage))[0], rows, last)
    entries = [Settling.of(entry) for path in paths for entry in logs_in(path)]
    check_numbers([entry.patch for entry in entries], made.columns.turns["index"], log_path)
    write_lines(log_path, (line for path in paths for line in lines_in(path)))
    if made.jobs:
        pack_records(layout, stage, {entry.task for entry in entries})
    if stage == "sample":
        write_scene(layout.scene(stage), without_draws(rows), bands)
    elif made.jobs:
        write_scene(layout.scene(stage), _settled(stage, rows, bands, made, entries), bands)
    else:
        copy(last, layout.scene(stage))


def _settled(stage: str, rows, bands, made, entries) -> np.ndarray:
    """Rows of an optimum, those flagged whose neighbours still moved; says how much was done."""
    rows = flagged(rows, bands, made, entries)
    previous = made.columns.turns["previous"]
    again = [entry for entry in entries if previous[entry.patch] >= 0]
    kept = sum(entry.kept for entry in again)
    unsettled = np.sum(rows["flags"] & int(Flag.NEIGHBOUR_UNSETTLED) > 0)
    log.info("%s: of %d patches of later rounds %d stayed as they were", stage, len(again), kept)
    log.info("%s: %d of %d sources have neighbours that still moved or failed", stage, unsettled, len(rows))
    return rows


def unneeded(config: Config, layout: Layout, stage: str) -> bool:
    """Whether a second optimization would repeat the first.

    It does where nothing was subtracted, added or moved, no source wants more pixels, and the PSFs' mixtures
    are all there is of them: what they leave is taken off only where sources have been fitted.
    """
    if stage != "reoptimize":
        return False
    from ..background import changed, read_tweakbg
    from ..registration import read_shifts

    first = read_scene(layout.scene("optimize"))[0]
    added = len(read_scene(layout.scene("detect"))[0]) - len(first)
    outgrown = np.any(first["flags"] & int(Flag.LIGHT_OUTSIDE))
    tables = read_tweakbg(layout.first_sky), read_tweakbg(layout.background)
    subtracted = config.background.reoptimize and changed(*tables)
    moved = layout.registration.is_file() and bool(read_shifts(layout.registration))
    return not (added or subtracted or moved or outgrown or PSFStore(layout.psf_store).has_remainders())


def copy(source, target) -> None:
    """Copy a file atomically."""
    with atomic(target, seal=True) as temporary:
        shutil.copyfile(source, temporary)
