"""`fpho simulate`: a built-in scene as a stage of a run, or a survey in a folder of its own."""

from pathlib import Path
from typing import Annotated

import typer

from ..stages.registry import STAGES
from ..stages.running import run_stage
from .common import ConfigFile, Cores, Overrides, Verbose, prepare

Survey = Annotated[
    int | None, typer.Option(metavar="N", help="Draw a survey of N sources, with all that a run of it needs.")
]
Out = Annotated[Path | None, typer.Option(help="Folder of the survey, new or empty.")]
Pixels = Annotated[int, typer.Option(help="Sides of an exposure of the survey, at most.")]
JWST = Annotated[bool, typer.Option("--jwst", help="Its images as `_cal` files of JWST's pipeline.")]


def simulate(
    config: ConfigFile = None,
    overrides: Overrides = None,
    cores: Cores = 1,
    verbose: Verbose = False,
    survey: Survey = None,
    out: Out = None,
    pixels: Pixels = 2048,
    jwst: JWST = False,
):
    """Draw a scene with known truth: images, PSFs and catalog; or a survey of any size.

    Example: fpho simulate --survey 1000 --out mysurvey --set simulate.field.density=370 && fpho run
    mysurvey/fpho.yaml
    """
    loaded, layout = prepare(config, overrides, 1, verbose)
    if survey is None:
        _require(out is None and not jwst, "--survey", "is not given, though --out or --jwst is")
        run_stage("simulate", loaded, layout, cores)
        return
    _require(survey >= 1, "--survey", f"{survey} sources")
    _require(out is not None, "--out", "no folder is given for the survey")
    from ..extras import require
    from ..simulate import write_survey

    require("simulate --survey", *STAGES["simulate"].needs(loaded))
    options = loaded.simulate.field.model_copy(update={"sources": survey})
    path = write_survey(options, out, loaded.seed, pixels, "jwst" if jwst else "plain", cores)
    typer.echo(f"Next: fpho run {path} --cores {cores}")


def _require(right: bool, where: str, found: str) -> None:
    from ..errors import InputError

    if not right:
        raise InputError(where, found, "Such as: fpho simulate --survey 1000 --out mysurvey")
