"""Subcommands that begin with files as people have them."""

from pathlib import Path
from typing import Annotated

import typer

from ..stages.running import limit_threads, start_logging

PANEL = "Begin"


def register(app: typer.Typer) -> None:
    """Add the subcommands."""
    app.command("init", rich_help_panel=PANEL)(init)
    app.command("inspect", rich_help_panel=PANEL)(inspect)


def init(
    folder: Annotated[Path, typer.Argument(help="Folder with images, and what PSFs and catalog there are.")],
):
    """Make a folder of images ready to run: tables and a configuration. Nothing is overwritten.

    Example: fpho init mydata && fpho run mydata/fpho.yaml --cores 4
    """
    start_logging()
    limit_threads(1)
    from ..folder import start

    made = start(folder)
    for text in made.said:
        typer.echo(f"  {text}")
    if made.doubts:
        typer.echo("Could not decide:")
    for text in made.doubts:
        typer.echo(f"  - {text}")
    typer.echo("Written: " + ", ".join(map(str, made.written)))
    typer.echo(f"{'Next' if made.ready else 'When that is mended'}: fpho run {made.written[-1]} --cores 2")


def inspect(
    files: Annotated[list[Path], typer.Argument(help="Images, PSFs, catalogs.")],
    catalog: Annotated[
        Path | None, typer.Option(help="Tell how many of its sources lie on each image.")
    ] = None,
):
    """Say what is seen in files: band, scale, calibration, bad pixels, noise, sky, stars.

    Example: fpho inspect mydata/*.fits --catalog peaks.csv
    """
    start_logging()
    limit_threads(1)
    from ..errors import InputError
    from ..folder import inspect as facts

    failed = False
    for path in files:
        try:
            typer.echo(str(facts(path, catalog)))
        except InputError as error:
            failed = True
            typer.echo(f"{path}: cannot be used: {error}", err=True)
    if failed:
        raise typer.Exit(2)
