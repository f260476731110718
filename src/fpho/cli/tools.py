"""Subcommands beside the stages: options, flags, and the model image of a catalog."""

from pathlib import Path
from typing import Annotated

import typer

from ..stages.running import limit_threads, start_logging
from .common import Cores, Verbose


def register(app: typer.Typer) -> None:
    """Add the tools to the program."""
    for name, tool in {"render": render, "export": export, "show": show}.items():
        app.command(name, rich_help_panel="Look and use")(tool)
    for name, tool in {"config": config, "flags": flags, "stages": stages}.items():
        app.command(name, rich_help_panel="Look up")(tool)


def config(schema: Annotated[bool, typer.Option(help="Print the JSON schema instead.")] = False):
    """Print all options with their defaults, meanings and units (YAML)."""
    from ..config import default_yaml, json_schema

    typer.echo(json_schema() if schema else default_yaml(), nl=False)


def flags():
    """Print the quality flags: bit, name, meaning."""
    from ..flags import DESCRIPTIONS

    for flag, text in DESCRIPTIONS.items():
        typer.echo(f"{flag.value:6d}  {flag.name:22s} {text}")


def stages():
    """Print the stages: what each does, reads and writes, and the options it depends on (Markdown)."""
    from ..stages.table import stage_table

    typer.echo(stage_table(), nl=False)


def render(
    catalog: Annotated[Path, typer.Option(help="Catalog of sources (FITS).")],
    images: Annotated[Path, typer.Option(help="Table of exposures (TSV).")],
    psfs: Annotated[Path, typer.Option(help="PSF store (HDF5).")],
    out: Annotated[Path, typer.Option(help="Folder for the model images (FITS).")],
    convention: Annotated[
        str | None, typer.Option(help="Meaning of columns q and pa: `documented` or `internal`.")
    ] = None,
    cores: Cores = 1,
    verbose: Verbose = False,
):
    """Draw the model image of a catalog on the pixels of given images."""
    start_logging(verbose)
    limit_threads(cores)
    from ..stages.render import render as draw

    for path in draw(catalog, images, psfs, out, convention):
        typer.echo(path)


def export(
    form: Annotated[str, typer.Argument(help="eazy, bagpipes or prospector.")],
    run: Annotated[Path, typer.Argument(help="Folder of a run.")],
    filters: Annotated[
        list[str] | None,
        typer.Option(
            "--filter", metavar="BAND=NAME", help="The program's name or number of a band's filter."
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the files; the run's catalogs if absent.")
    ] = None,
):
    """Write the fluxes of a run's catalog for another program."""
    from ..errors import InputError
    from ..products import export as write

    pairs = [text.partition("=") for text in filters or ()]
    for band, sign, name in pairs:
        if not (sign and name):
            raise InputError("--filter", f"{band!r} is not BAND=NAME", "Such as --filter F125W=203")
    for path in write(run, form, out, {band: name for band, _, name in pairs}):
        typer.echo(path)


def show(
    run: Annotated[Path, typer.Argument(help="Folder of a finished run.")],
    sources: Annotated[list[str] | None, typer.Argument(help="Indices or ids of sources.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Of all sources.")] = False,
    form: Annotated[str, typer.Option("--form", help="pdf (two pages) or png (a file for each).")] = "pdf",
    out: Annotated[Path | None, typer.Option(help="Folder; the run's `sheets` if absent.")] = None,
    cores: Cores = 1,
    verbose: Verbose = False,
):
    """Make sheets of sources for print: pictures, profiles, fluxes, posterior, flags in words."""
    start_logging(verbose)
    limit_threads(cores)
    from ..errors import InputError
    from ..products.sheets import write_sheets

    if every == bool(sources):
        cure = "Name sources by index or id, such as `fpho show RUN 12`, or give --all"
        raise InputError("source", "none is named" if not every else "both names and --all", cure)
    for path in write_sheets(run, sources or None, out, form):
        typer.echo(path)
