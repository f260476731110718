"""Subcommands of the stages that are one job each."""

from importlib import import_module
from inspect import signature
from pathlib import Path
from typing import Annotated

import typer

from ..errors import InputError
from .common import ConfigFile, Cores, Overrides, Verbose, prepare

STAGES = {
    "simulate": "Draw a scene with known truth: images, PSFs and catalog.",
    "check": "Check all inputs and options before anything is fitted.",
    "settings": "Write the configuration as used, beside the results.",
    "psf": "Turn PSF images into mixtures of Gaussians.",
    "sersic": "Take the table of Sersic mixtures, or make it again.",
    "preprocess": "Turn images into stores of pixels and metadata.",
    "scene": "Turn the peak catalog into the first scene state.",
    "background": "Fit a residual background to the residual images.",
    "detect": "Look for objects that the catalog lacks.",
    "postop": "Write the catalog of the optimum, the start of sampling.",
    "compare": "Compare the results of a simulated run with its truth.",
}


def register(app: typer.Typer) -> None:
    """Add one subcommand for each stage."""
    for name, text in STAGES.items():
        app.command(name, help=text)(_command(name))
    app.command("postprocess", help="Write catalogs, images, regions, plots and the report.")(postprocess)


def _command(name: str):
    def command(
        config: ConfigFile = None, overrides: Overrides = None, cores: Cores = 1, verbose: Verbose = False
    ):
        run(name, *prepare(config, overrides, cores, verbose), cores)

    return command


def run(name: str, config, layout, cores: int) -> None:
    """Import a stage only now, since numerical packages take seconds, and run it.

    Those that work in several processes take the number of `cores`; the others use threads.
    """
    stage = import_module(f"fpho.stages.{name}").run
    stage(config, layout, **({"cores": cores} if "cores" in signature(stage).parameters else {}))


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
    if root is not None:
        config, overrides = _config_of(root), [*(overrides or []), f"outdir={root}"]
    loaded, layout = prepare(config, overrides, cores, verbose)
    if mode == "all":
        run("postprocess", loaded, layout, cores)
    elif mode == "postop":
        _postop(loaded, layout, catname)
    else:
        raise InputError("--mode", f"unknown mode {mode!r}", "Use `all` or `postop`")


def _config_of(root: Path) -> Path:
    path = root / "config.yaml"
    if not path.is_file():
        raise InputError(path, "no such file", "Give the folder of a run as --root")
    return path


def _postop(config, layout, catname: Path | None) -> None:
    from fpho.products import postop_catalog

    target = layout.postop if catname is None else catname
    if catname is not None and catname.parent == Path("."):
        target = Path(layout.outdir) / catname
    postop_catalog(layout.outdir, catname=target)
