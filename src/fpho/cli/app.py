"""The program `fpho`: its subcommands, and how it reports what a user can mend."""

from typing import Annotated

import typer

from .. import __version__
from ..stages.running import start_quickly, told
from . import folder, running, stages, tools

app = typer.Typer(
    rich_markup_mode="rich",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback(invoke_without_command=True)
def options(
    version: Annotated[bool, typer.Option("--version", help="Print the version and end.")] = False,
):
    """Galaxies measured by modelling all pixels of all exposures at once.

    From a folder of images to a catalog on the screen:

    fpho init FOLDER

    fpho run FOLDER/fpho.yaml --cores 4

    fpho status FOLDER/results

    fpho view FOLDER/results
    """
    if version:
        typer.echo(__version__)
        raise typer.Exit


folder.register(app)
running.register(app)
stages.register(app)
tools.register(app)


def main(arguments=None) -> None:
    """Run the command line; bad input ends it with the message alone and exit status 2."""
    start_quickly()
    with told():
        app(arguments)
