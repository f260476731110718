"""One subcommand for each stage; those of passes over patches can also run a part of it."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ..errors import InputError
from ..layout import Layout
from ..stages.registry import STAGES
from ..stages.running import require_all, run_stage
from ..stages.stage import Stage
from .common import ConfigFile, Cores, Overrides, Verbose, prepare
from .simulating import simulate

SINGLE = "Stages one by one; `fpho run` does them in order"
PANELS = {"view": "Look and use", "calibrate": "Test", "inject": "Test"}


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
    """Add the subcommands."""
    for name, stage in STAGES.items():
        if name not in WITHOUT_COMMAND:
            made = OWN_COMMANDS.get(name) or (_pass(stage) if stage.is_pass else _command(stage))
            app.command(name, help=stage.help, rich_help_panel=PANELS.get(name, SINGLE))(made)


def _command(stage: Stage):
    def command(
        config: ConfigFile = None, overrides: Overrides = None, cores: Cores = 1, verbose: Verbose = False
    ):
        loaded, layout = prepare(config, overrides, stage.threads(cores), verbose)
        if stage.name == "check":
            require_all(loaded)
        run_stage(stage.name, loaded, layout, cores)

    return command


def _pass(stage: Stage):
    def command(
        step: StepArgument = Step.ALL,
        config: ConfigFile = None,
        overrides: Overrides = None,
        cores: Cores = 1,
        colour: Colour = "all",
        batch: Batch = 0,
        verbose: Verbose = False,
    ):
        which = {"colour": _colour(colour), "batch": batch}
        loaded, layout = prepare(config, overrides, stage.threads(cores), verbose)
        run_stage(stage.name, loaded, layout, cores, step.value, **which)

    return command


def _colour(text: str) -> str | int:
    if text == "all":
        return text
    if not text.isdecimal():
        raise InputError("--colour", f"{text!r} is no colour", "Give a number from 0, or `all`")
    return int(text)


Field = Annotated[bool, typer.Option("--field", help="On whole simulated fields, not on single sources.")]


def calibrate(
    config: ConfigFile = None,
    overrides: Overrides = None,
    cores: Cores = 1,
    verbose: Verbose = False,
    field: Field = False,
):
    """Whether the posterior's widths can be believed."""
    stage = STAGES["calibrate_field" if field else "calibrate"]
    run_stage(stage.name, *prepare(config, overrides, stage.threads(cores), verbose), cores)


Root = Annotated[Path | None, typer.Option(help="Folder of a run; its own configuration is used.")]
Mode = Annotated[str, typer.Option(help="`all` products, or `postop`: only the catalog of the optimum.")]
Catname = Annotated[Path | None, typer.Option(help="Its file; a bare name lies in the run's folder.")]


def postprocess(
    config: ConfigFile = None,
    overrides: Overrides = None,
    cores: Cores = 1,
    verbose: Verbose = False,
    root: Root = None,
    mode: Mode = "all",
    catname: Catname = None,
):
    """Products of a finished run, or with `--mode postop` the catalog of its optimum."""
    loaded, layout = prepare(config if root is None else _config_of(root), overrides, cores, verbose)
    if root is not None:
        loaded, layout = loaded.model_copy(update={"outdir": str(root)}), Layout(root)
    if mode == "all":
        run_stage("postprocess", loaded, layout, cores)
    elif mode == "postop":
        _postop(layout, catname)
    else:
        raise InputError("--mode", f"unknown mode {mode!r}", "Use `all` or `postop`")


def _config_of(root: Path) -> Path:
    path = root / "config.yaml"
    if not path.is_file():
        raise InputError(path, "no such file", "Give the folder of a run")
    return path


def _postop(layout, catname: Path | None) -> None:
    from fpho.products import postop_catalog

    target = layout.postop if catname is None else catname
    if catname is not None and catname.parent == Path("."):
        target = Path(layout.outdir) / catname
    postop_catalog(layout.outdir, catname=target)


def view(
    run: Annotated[Path, typer.Argument(help="Folder of a finished run.")],
    serve: Annotated[
        bool, typer.Option("--serve", help="Serve it on this machine's loopback address until Ctrl-C.")
    ] = False,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to serve on; 0: any free one.")] = 0,
    again: Annotated[bool, typer.Option("--again", help="Make it again, even if it is there.")] = False,
    cores: Cores = 1,
    verbose: Verbose = False,
):
    """Make the page on which a person looks at the field and its sources, and say where it is."""
    page = Layout(run).page / "index.html"
    if again or not page.is_file() or _older(page, Layout(run).posterior):
        loaded, _ = prepare(_config_of(run), None, cores, verbose)
        run_stage("view", loaded.model_copy(update={"outdir": str(run)}), Layout(run), cores)
    if serve:
        from ..page import serve as on_loopback

        on_loopback(page.parent, port, typer.echo)
    else:
        typer.echo(
            f"{page.resolve().as_uri()}\n(opens in any browser; the folder can be sent or put on a server)"
        )


def _older(one: Path, other: Path) -> bool:
    return other.is_file() and one.stat().st_mtime < other.stat().st_mtime


OWN_COMMANDS = {
    "simulate": simulate,
    "postprocess": postprocess,
    "view": view,
    "calibrate": calibrate,
}
WITHOUT_COMMAND = ("calibrate_field",)  # `calibrate --field`
