"""The stages that work patch by patch, each a pass over all patches: `optimize`, `reoptimize`, `sample`.

A pass is one job, or is divided: `plan`, then for each step that this has its batches and a `gather`, then
`finish`. Which steps and batches there are is known as soon as there is a plan. The options of the part
`batch` are those that the result of a patch depends on.
"""

from pathlib import Path

from ..layout import Layout
from ..passes.files import earlier_logs, fit_files
from ..passes.needs import planned_jobs
from ..passes.options import FIT
from .stage import ConfiguredRun, Files, Stage, StagePart

PLAN = ("patches", "seed")
DIVISION = ("workflow.batches", "workflow.job_seconds")  # of a pass into jobs, on which no result depends


def part_writes(part: str, layout: Layout, stage: str, colour=None, batch=None) -> Files:
    """Files that a part of a pass writes; the rules put wildcards for stage, colour and batch."""
    if part == "plan":
        return {"plan": layout.plan(stage)}
    if part == "batch":
        return {"batch": layout.batch(stage, colour, batch)}
    if part == "gather":
        return {"scene": layout.state_after(stage, colour), "log": layout.patch_log(stage, colour)}
    return {"scene": layout.scene(stage), "log": layout.patch_log(stage)}


def _pass(name: str, help: str, rounds: str, options, reopening: tuple[str, ...] = (), **more) -> Stage:
    """A pass; `rounds`: option that says how many, `reopening`: those that say whether it is needed."""

    def fits(run: ConfiguredRun) -> Files:
        files = fit_files(run.config, run.layout, name)
        given = {"given": run.named(*files["given"])} if "given" in files else {}
        return files | given

    def needed(run: ConfiguredRun) -> Files:
        """What tells whether a second optimization is needed."""
        layout = run.layout
        tables = {"tables": [layout.background, layout.registration], "sky": layout.first_sky}
        return {"optimized": layout.scene("optimize")} | tables if reopening else {}

    def planned(run: ConfiguredRun, colour) -> Files:
        return {"plan": run.layout.plan(name), "scene": run.layout.state_before(name, colour)}

    def before(run: ConfiguredRun, colour) -> Files:
        """What says with which neighbours the patches of earlier rounds were fitted."""
        logs = earlier_logs(run.layout, name, colour)
        return {"logs": logs} if logs else {}

    def batches(run: ConfiguredRun, colour) -> list[Path]:
        jobs = [(colour, 0)] if colour == "all" else planned_jobs(run.layout.plan(name))
        return [run.layout.batch(name, step, batch) for step, batch in jobs if step == colour]

    def gathered(run: ConfiguredRun) -> Files:
        steps = sorted({step for step, _ in planned_jobs(run.layout.plan(name))})
        files = {"scenes": [run.layout.state_after(name, step) for step in steps]}
        files |= {"logs": [run.layout.patch_log(name, step) for step in steps]}
        return files | planned(run, "all")

    def part(key: str, function: str, reads, options: tuple[str, ...] = (), free=()) -> StagePart:
        def writes(run: ConfiguredRun, **which) -> Files:
            return part_writes(key, run.layout, name, **which)

        function = f"fpho.passes.steps:{function}"
        may = ("workflow", *free)
        return StagePart(function=function, reads=reads, writes=writes, options=options, free=may)

    parts = {
        "plan": part(
            "plan",
            "plan",
            lambda run: {"scene": run.layout.state_before(name), "psf": run.layout.psf_store} | needed(run),
            (*PLAN, rounds, *DIVISION, *reopening),
            free=(options[0],),  # of which the time that patches take depends
        ),
        "batch": part(
            "batch",
            "run_batch",
            lambda run, colour, batch=0: fits(run) | planned(run, colour) | before(run, colour),
            (*options, *FIT),
        ),
        "gather": part(
            "gather",
            "gather",
            lambda run, colour: planned(run, colour) | {"batches": batches(run, colour)},
        ),
        "finish": part("finish", "finish", gathered),
    }
    every = [option for one in parts.values() for option in one.options]
    return Stage(
        name=name,
        help=help,
        function="fpho.passes.steps:run",
        reads=lambda run: fits(run) | needed(run) | {"scene": run.layout.state_before(name)},
        writes=lambda run: parts["plan"].writes(run) | parts["finish"].writes(run),
        options=tuple(name for name in dict.fromkeys(every) if name not in DIVISION),
        parts=parts,
        cores=True,
        gpu=True,
        measures=True,
        **more,
    )


OPTIMIZE = _pass(
    "optimize",
    "Find the maximum of the posterior of every patch.",
    "optimize.rounds",
    ("optimize", "background.tweakbg", "registration.table"),
    without=("passes.draws",),
)
REOPTIMIZE = _pass(
    "reoptimize",
    "Optimize again, after background, shifts and new objects.",
    "optimize.rounds",
    ("optimize",),
    reopening=("background.reoptimize",),
    without=("passes.draws",),
)
SAMPLE = _pass(
    "sample",
    "Draw from the posterior of every patch.",
    "sample.gibbs_rounds",
    ("sample",),
    without=("passes.optimum",),
)
