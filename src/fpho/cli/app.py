"""The program `fpho`: its subcommands, and how it reports what a user can mend."""

import typer

from ..stages.running import told
from . import folder, stages, tools

app = typer.Typer(
    help="Galaxies measured by modelling all pixels of all exposures at once.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
folder.register(app)
stages.register(app)
tools.register(app)


def main(arguments=None) -> None:
    """Run the command line; bad input ends it with the message alone and exit status 2."""
    with told():
        app(arguments)
