"""Subcommands of the stages that work patch by patch: optimize, reoptimize, sample."""

from enum import StrEnum
from typing import Annotated

import typer

from ..errors import InputError
from .common import ConfigFile, Cores, Overrides, Verbose, prepare

STAGES = {
    "optimize": "Find the maximum of the posterior of every patch.",
    "reoptimize": "Optimize again, after background and new objects.",
    "sample": "Draw from the posterior of every patch.",
}


class Step(StrEnum):
    """Parts of a pass that the workflow runs as jobs of their own."""

    ALL = "all"
    PLAN = "plan"
    BATCH = "batch"
    GATHER = "gather"
    FINISH = "finish"


StepArgument = Annotated[Step, typer.Argument(help="Part of the pass; `all` is the whole of it.")]
Colour = Annotated[str, typer.Option(help="Colour of patches, for `batch` and `gather`: a number, or `all`.")]
Batch = Annotated[int, typer.Option(min=0, help="Which batch of that colour, for `batch`.")]


def register(app: typer.Typer) -> None:
    """Add one subcommand for each pass."""
    for name, text in STAGES.items():
        app.command(name, help=text)(_command(name))


def _command(stage: str):
    def command(
        step: StepArgument = Step.ALL,
        config: ConfigFile = None,
        overrides: Overrides = None,
        cores: Cores = 1,
        colour: Colour = "all",
        batch: Batch = 0,
        verbose: Verbose = False,
    ):
        which = _colour(colour)
        loaded, layout = prepare(config, overrides, cores, verbose)
        from ..passes import steps

        if step is Step.ALL:
            steps.run(loaded, layout, stage, cores)
        elif step is Step.PLAN:
            steps.plan(loaded, layout, stage)
        elif step is Step.BATCH:
            steps.run_batch(loaded, layout, stage, which, batch, cores)
        elif step is Step.GATHER:
            steps.gather(loaded, layout, stage, which)
        else:
            steps.finish(loaded, layout, stage)

    return command


def _colour(text: str) -> str | int:
    if text == "all":
        return text
    if not text.isdecimal():
        raise InputError("--colour", f"{text!r} is no colour", "Give a number from 0, or `all`")
    return int(text)
