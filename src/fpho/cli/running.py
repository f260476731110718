"""Subcommands that run the whole workflow and tell how far a run is."""

import os
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from ..errors import InputError
from ..layout import Layout
from ..stages.running import start_logging
from .common import Cores, Overrides

PANEL = "Run"
WAIT = 1.0  # seconds between looks at the jobs' records
LINE = 60.0  # seconds between lines where there is no terminal
TAIL = 30  # lines of the workflow's words that are shown when it fails

Configuration = Annotated[Path, typer.Argument(help="Configuration (YAML), such as `fpho init` makes it.")]
Targets = Annotated[
    list[str] | None, typer.Argument(help="Stages to run up to, such as `sample`; else everything.")
]
Folder = Annotated[Path, typer.Argument(help="Folder of a run (`outdir`).")]


def register(app: typer.Typer) -> None:
    """Add the subcommands."""
    app.command("run", rich_help_panel=PANEL)(run)
    app.command("status", rich_help_panel=PANEL)(status)
    app.command("plan", rich_help_panel=PANEL)(plan)


def run(config: Configuration, targets: Targets = None, cores: Cores = 1, overrides: Overrides = None):
    """Run everything, from images to catalogs and the page. The same command goes on where it stopped.

    Example: fpho run mydata/fpho.yaml --cores 4 --set sample.chains=2
    """
    start_logging()
    from ..config import load_config
    from ..stages.inputs import check_outdir
    from ..stages.stage import ConfiguredRun

    options = load_config(config, overrides or ())
    layout = Layout(Path(options.outdir))
    check_outdir(layout.outdir)
    words = layout.log("workflow")
    words.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(snakefile()), "--cores", str(cores)]
    command += ["--configfile", str(config)]
    if overrides:  # Snakemake allows no dot in a name
        pairs = (text.partition("=") for text in overrides)
        command += ["--config", *(f"{name.replace('.', '__')}={value}" for name, _, value in pairs)]
    command += ["--", *targets] if targets else []
    with words.open("w") as file:
        process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT)
        try:
            _watch(process, ConfiguredRun(options, layout))
        except KeyboardInterrupt:
            process.wait()
            typer.echo(f"Stopped; the same command goes on. So far: fpho status {layout.outdir}", err=True)
            raise typer.Exit(130) from None
    _end(process.returncode, layout, words, bool(targets))


def status(folder: Folder):
    """How far a run is: stages, patches done and left, sources flagged, time left; at its end a verdict.

    Example: fpho status mydata/results
    """
    from ..stages.status import status_of, verdict

    found = status_of(folder)
    typer.echo(str(found))
    if found.state == "finished":
        typer.echo("\n".join(verdict(found.layout)))


def plan(
    config: Configuration,
    stage: Annotated[
        str, typer.Option(help="Pass that is planned: optimize, reoptimize or sample.")
    ] = "sample",
    out: Annotated[
        Path | None, typer.Option(help="Picture (PNG); plan_STAGE.png in the run's folder.")
    ] = None,
    waiting: Annotated[
        bool, typer.Option("--waiting", help="Say which patches are not fitted yet; looks at all stores.")
    ] = False,
    overrides: Overrides = None,
):
    """What a pass will do and take: patches, steps, jobs, hours, memory; and a picture of it. Nothing is run.

    It is planned on the latest state of the scene that is there, at least the first one.

    Example: fpho plan mydata/fpho.yaml --set workflow.batches=50
    """
    start_logging()
    from ..config import load_config
    from ..stages.outlook import draw, outlook

    options = load_config(config, overrides or ())
    layout = Layout(Path(options.outdir))
    found = outlook(options, layout, stage, waiting)
    typer.echo(str(found))
    typer.echo(draw(found, out or layout / f"plan_{stage}.png"))


def snakefile() -> Path:
    """The workflow: of the checkout that this code lies in, else the one that came with the package.

    Raises
    ------
    InputError
        If the package lacks it.
    """
    package = Path(__file__).resolve().parents[1]
    for path in (package.parents[1] / "Snakefile", package / "_workflow" / "Snakefile"):
        if path.is_file() and (path.parent / "workflow" / "rules").is_dir():
            return path
    raise InputError(package, "the workflow (Snakefile) is not there", "Install fpho again")


def _watch(process, run) -> None:
    """Show how far the run is until the process ends: a line in a terminal, else one a minute."""
    from ..stages.status import status as look

    last = 0.0
    with _line() as show:
        while process.poll() is None:
            time.sleep(WAIT)
            text = look(run).headline
            if show is not None:
                show(text)
            elif time.monotonic() - last > LINE:
                typer.echo(f"{time.strftime('%H:%M:%S')} {text}", err=True)
                last = time.monotonic()


@contextmanager
def _line():
    """A function that shows a text in place, in a terminal; None elsewhere."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console

    with Console(stderr=True).status("starting") as line:
        yield line.update


def _end(code: int, layout: Layout, words: Path, some: bool) -> None:
    """Say how the workflow ended and where to look."""
    from ..stages.status import verdict

    if code:
        lines = words.read_text(errors="replace").splitlines()
        own = [line for line in lines if line.startswith("fpho: ")]  # what a job said that a user can mend
        typer.echo("\n".join(own or lines[-TAIL:]), err=True)
        typer.echo(f"The run stopped; all its words: {words}; jobs' own: {words.parent}{os.sep}", err=True)
        raise typer.Exit(code)
    typer.echo(f"Done: {layout.outdir}" + (" up to the stages asked for" if some else ""))
    for line in [] if some else verdict(layout):
        typer.echo(line)
