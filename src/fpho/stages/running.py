"""A stage as a job: its function is imported, gets the options that it declared, and its outcome is told.

The command line and the rules of the workflow both come this way.
"""

import logging
import os
import sys
from contextlib import contextmanager, nullcontext
from importlib import import_module
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from ..errors import DamagedError, InputError
from ..extras import require
from ..faults import MACHINE, trouble
from ..files import remove, remove_abandoned
from ..importing import without_collections
from ..layout import Layout
from ..passes.files import flattened
from ..progress import recorded
from ..records import SUFFIX
from .mending import with_mending
from .registry import STAGES
from .stage import ConfiguredRun, StagePart

if TYPE_CHECKING:  # the models of all options are slow to import: only jobs need them
    from ..config import Config

THREADS = ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
SHOWING = ("postprocess", "view", "compare")  # stages at the end of a run that draw
NUMBERS = ("colour", "batch", "group")  # of a part of a stage
UNRECORDED = {"check"}  # stages without a record: it writes nothing before all inputs are found right


def run_stage(
    name: str, config: "Config | dict", layout: Layout, cores: int = 1, part: str = "all", **which
) -> None:
    """Run a stage, or one `part` of it; `which`: of a pass `colour` and `batch`, else the `group` of images.

    A whole pass is its parts in order, each for all colours. A plain stage may be given the options as JSON
    has them.
    """
    stage = STAGES[name]
    require(f"stage {name}", *stage.needs(config))
    if part == "all" and not stage.is_pass:
        _call(stage, config, layout, cores=cores)
    elif part == "all":
        for one in stage.parts.values():
            _call(one, config, layout, stage=name, cores=cores, colour="all", batch=0)
        if config.workflow.batches > 1:
            _remove_between(layout, name)
    else:
        _call(stage.parts[part], config, layout, stage=name, cores=cores, **which)


def _remove_between(layout: Layout, stage: str) -> None:
    """Remove what the parts of a whole pass handed on: a divided run has no such files.

    It has a whole pass where draws that are damaged are made again.
    """
    remove(layout.batch(stage, "all", 0))
    remove(layout.state_after(stage, "all"))
    remove(layout.patch_log(stage, "all"))


def require_all(config: "Config") -> None:
    """See that the packages of all stages of a run are there, before the first of them works for hours.

    Raises
    ------
    InputError
        With the command that installs them, and the options without which they are not needed.
    """
    stages = [STAGES[name] for name in SHOWING if STAGES[name].exists(config)]
    modules = [module for stage in stages for module in stage.needs(config)]
    cure = ", or set postprocess.plots and page.enabled to false"
    require("plots and page of the run", *dict.fromkeys(modules), instead=cure)


def _call(part: StagePart, config: "Config | dict", layout: Layout, **arguments) -> None:
    """Numerical packages take seconds to import: the function's module is imported only now."""
    from ..config import values_of, view

    module, _, name = part.function.partition(":")
    with without_collections():
        function = getattr(import_module(module), name)
    wanted = {key: value for key, value in arguments.items() if key in signature(function).parameters}
    options = values_of(config) if part.plain else view(config, part.options, part.free)

    def work() -> None:
        function(options, layout, **wanted)

    def again(stage: str, **which) -> None:
        run_stage(stage, config, layout, arguments["cores"], **which)

    stage = arguments.get("stage") or getattr(part, "name", name)
    job = job_name(stage, arguments.get("colour", "all"), arguments.get("batch", 0), arguments.get("group"))
    record = nullcontext() if stage in UNRECORDED else recorded(layout.progress(job))
    with damaged_set_aside(layout), record:
        if part.plain:
            work()
        else:
            run = ConfiguredRun(config, layout)
            if "only" not in arguments:
                _sweep(part, run, {key: arguments[key] for key in NUMBERS if key in arguments})
            with_mending(work, run, again)


def _sweep(part: StagePart, run: ConfiguredRun, which: dict) -> None:
    """Remove what a job that was killed left beside the files that this one writes."""
    for folder in {path.parent for path in flattened(part.writes(run, **which))}:
        remove_abandoned(folder)


def job_name(stage: str, colour, batch: int, group: int | None = None) -> str:
    """Name of a job's record: the stage; of a divided one also the batch, or the group of images.

    Steps of a pass share them: they run one after the other.
    """
    if group is not None:
        return f"{stage}_group{group}"
    return stage if colour == "all" else f"{stage}_batch{batch}"


@contextmanager
def damaged_set_aside(layout: Layout):
    """A file of the run that is found damaged, and that no stage writes, gets another name."""
    try:
        yield
    except DamagedError as error:
        path = Path(error.where)
        inside = path.is_file() and path.resolve().is_relative_to(Path(layout.outdir).resolve())
        if not inside or path.suffix == SUFFIX:  # of many records, of which one is damaged
            raise
        aside = path.with_name(f"{path.name}.damaged")
        path.replace(aside)
        cure = (
            f"It is now {aside.name}; run the same command again, or the whole workflow, which makes it again"
        )
        raise DamagedError(path, error.found, cure) from None


def run_job(name: str, config: dict, cores: int, log: str, part: str = "all", **which) -> None:
    """A job of the workflow: `run_stage` with its words and errors in the file `log`.

    config : the whole configuration, as JSON has it. Bad input ends the process with exit status 2.
    """
    start_quickly()
    screen = write_into(log)
    start_logging()
    limit_threads(STAGES[name].threads(cores))
    options = config if STAGES[name].plain else _validated(config)
    with told(screen):
        if name == "check":
            require_all(options)
        run_stage(name, options, Layout(Path(config["outdir"])), cores, part, **which)


def _validated(config: dict) -> "Config":
    with without_collections():
        from ..config import Config

        return Config.model_validate(config)


def write_into(log: str) -> TextIO:
    """Send all that the process and its children say to a file; what standard error was is returned."""
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    before = os.fdopen(os.dup(2), "w")
    with open(log, "w") as file:
        for number in (1, 2):
            os.dup2(file.fileno(), number)
    return before


@contextmanager
def told(other: TextIO | None = None):
    """Bad input or a fault of the machine in the block ends the process with its message, and status 2.

    It goes to standard error, or to the `other` stream where that takes nothing: a log on a full disk.
    """
    try:
        yield
    except InputError as error:
        words = error
    except MACHINE as error:
        logging.getLogger("fpho").debug("", exc_info=True)
        words = trouble("this machine", error)
    else:
        return
    try:
        print(f"fpho: {words}", file=sys.stderr, flush=True)
    except OSError:
        print(f"fpho: {words}", file=other or sys.stderr, flush=True)
    raise SystemExit(2)


def start_quickly() -> None:
    """No plugins of pydantic in programs of ours: to look for them takes a tenth of a short job."""
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")


def start_logging(verbose: bool = False) -> None:
    """Log to standard error: progress, or with `verbose` every detail."""
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", datefmt="%H:%M:%S")
    logging.getLogger("fpho").setLevel(logging.DEBUG if verbose else logging.INFO)
    logging.captureWarnings(True)


def limit_threads(cores: int) -> None:
    """Bound the threads of numerical libraries, which read these variables when imported."""
    for name in THREADS:
        os.environ.setdefault(name, str(cores))
