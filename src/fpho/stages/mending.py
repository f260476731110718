"""Files of a run that are found damaged: the stage that wrote one makes it again, and work goes on.

From the same inputs a stage makes the same, so what is made again is what was there. It gets its time back,
too: later stages need not be repeated. Files that no stage reads are looked at before the workflow begins.
"""

import fcntl
import logging
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .. import hdf5
from ..errors import DamagedError, InputError
from ..files import has_seal, is_whole, set_time, was_edited
from ..layout import KINDS, Layout
from ..passes.files import flattened
from ..passes.needs import planned_jobs
from ..records import SUFFIX
from .registry import STAGES
from .stage import ConfiguredRun, Stage

log = logging.getLogger("fpho")
LOOKS = re.compile(  # snakemake's options that do something else than run jobs, -n and -np among them
    r"-[a-zA-Z]*[nlLSDt][a-zA-Z]*|--(dry-?run|touch|report|lint|unlock|dag|d3dag|archive|containerize)(=.*)?"
    r"|--(detailed-)?summary|--\w*graph|--(list|cleanup|export|delete|edit)\S*"
)
_locked: set[Path] = set()  # folders of runs in which this process makes something again


def with_mending(work: Callable[[], None], run: ConfiguredRun, again: Callable[..., None]) -> None:
    """Do `work`; each file of the run that it finds damaged is made again by `again(stage, **which)`, once.

    Raises
    ------
    DamagedError
        If no stage of the run writes that file, or it is damaged again.
    """
    mended: set[Path] = set()
    while True:
        try:
            return work()
        except InputError as error:
            path = Path(error.where)
            writer = writer_of(path, run) if path not in mended and _is_damage(error, path) else None
            if writer is None:
                raise
            mended.add(path)
            _mend(path, error, run, writer, again)


def writer_of(path: Path, run: ConfiguredRun) -> tuple[str, dict] | None:
    """The stage that writes a file, and which part of it: arguments of `run_stage`; None if none does."""
    path = path.absolute()
    for name, stage in STAGES.items():
        if stage.exists(run.config):
            for which in _jobs(stage, run):
                if path in map(Path.absolute, _written(stage, run, which)):
                    return name, which
    if path.is_relative_to(run.layout.simulation.absolute()):
        return "simulate", {}
    if path.parent in [run.layout.pixels(kind).absolute() for kind in KINDS]:
        return "preprocess", {"part": "images", "only": path.stem}
    if path.parent == run.layout.patches.absolute() and path.suffix == SUFFIX:
        return path.name.partition("_batch")[0], {}
    return None


def _jobs(stage: Stage, run: ConfiguredRun) -> Iterator[dict]:
    """Arguments by which `run_stage` does each job of a stage, smallest jobs first."""
    if not stage.is_pass:
        yield from _image_jobs(stage, run)
        return
    whole = run.config.workflow.batches == 1
    yield {"part": "plan"}
    jobs = [("all", 0)] if whole else planned_jobs(run.layout.plan(stage.name))
    for colour in sorted({colour for colour, _ in jobs}):
        yield {"part": "gather", "colour": colour}
    for colour, batch in jobs:
        yield {"part": "batch", "colour": colour, "batch": batch}
    yield {"part": "finish", "colour": "all" if whole else None}


def _image_jobs(stage: Stage, run: ConfiguredRun) -> Iterator[dict]:
    """The same of a stage that is one job, or one for each group of images."""
    groups = stage.groups(run)
    if groups == 1:
        yield {}
        return
    yield from ({"part": part} for part in stage.parts if part != "images")
    yield from ({"part": "images", "group": group} for group in range(groups))


def _written(stage: Stage, run: ConfiguredRun, which: dict) -> list[Path]:
    if not which or "only" in which:
        return [] if which else flattened(stage.writes(run))
    numbers = {key: which[key] for key in ("colour", "batch", "group") if key in which}
    return flattened(stage.parts[which["part"]].writes(run, **numbers))


def _is_damage(error: InputError, path: Path) -> bool:
    """Whether an error comes of a file that is not what was written, also where that was not looked for."""
    if isinstance(error, DamagedError) or not path.is_file():
        return isinstance(error, DamagedError)
    if path.suffix == ".h5":
        return not hdf5.is_whole(path, ours=True)
    return has_seal(path) and not is_whole(path)


def _mend(path: Path, error: InputError, run: ConfiguredRun, writer: tuple[str, dict], again) -> None:
    stage, which = writer
    before = _state(path)
    with _alone(Path(run.layout.outdir)):
        if _state(path) != before:
            return  # another job has done it
        log.warning("%s: %s; stage %s makes it again", path, error.found, stage)
        files = [one for one in _written(STAGES[stage], run, which) if one.is_file()]
        times = {one: one.stat().st_mtime_ns for one in files}
        aside = path.with_name(f"{path.name}.damaged")
        if path.suffix != SUFFIX:  # of many records, of which one is damaged
            with suppress(FileNotFoundError):
                path.replace(aside)
        again(stage, **which)
        aside.unlink(missing_ok=True)
        for one, time in times.items():
            set_time(one, time)


def _state(path: Path) -> tuple | None:
    try:
        state = path.stat()
    except FileNotFoundError:
        return None
    return state.st_ino, state.st_mtime_ns, state.st_size


@contextmanager
def _alone(folder: Path):
    """No other job of the run makes anything again meanwhile; this one may, for what it makes itself."""
    if folder in _locked:
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    _locked.add(folder)
    try:
        with suppress(OSError):  # a file system without locks: both make the same
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        _locked.discard(folder)
        os.close(handle)


def only_looks(arguments: list[str]) -> bool:
    """Whether a call of snakemake with these arguments runs no jobs, as far as a Snakefile can know."""
    return any(LOOKS.fullmatch(argument) for argument in arguments)


def mend_plans(run: ConfiguredRun, again: Callable[..., None]) -> None:
    """Make plans of divided passes again, by `again`, that are gone or cannot be read.

    The workflow reads them when it begins: which jobs there are stands there. While a pass is not finished
    it makes the plan itself; later it would take all that follows for outdated.
    """
    if run.config.workflow.batches == 1:
        return
    for name in (name for name, stage in STAGES.items() if stage.is_pass):
        path, state = run.layout.plan(name), run.layout.state_before(name)
        try:
            planned_jobs(path)
        except InputError as error:
            log.warning("%s: %s; it is made again", path, error.found)
            path.unlink()
        if not path.exists() and run.layout.scene(name).is_file() and state.is_file():
            with suppress(InputError):  # of what an older version wrote: all is done anew
                again(name, part="plan")
                set_time(path, state.stat().st_mtime_ns)


def remove_damaged_products(layout: Layout) -> None:
    """Remove what users look at where it is no longer what was written, so that the workflow makes it again.

    A file with another time than when it was last seen whole was edited, and stays; so this is called when a
    workflow begins, and when it has ended.
    """
    catalogs = [path for path in layout.catalogs.glob("*") if path != layout.postop]
    settings = {path: path for path in (layout.config, layout.config_json)}
    for path, declared in (dict.fromkeys(catalogs, layout.posterior) | settings).items():
        sealed = path.is_file() and has_seal(path)
        if sealed and not is_whole(path) and not was_edited(path):
            log.warning("%s: damaged; it is made again", path)
            for one in {path, declared}:
                one.unlink(missing_ok=True)
