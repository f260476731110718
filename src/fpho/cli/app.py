"""The program `fpho`: its subcommands, and how it reports what a user can mend."""

import sys

import typer

from ..errors import InputError
from . import passes, stages, studies, tools

app = typer.Typer(
    help="Galaxies measured by modelling all pixels of all exposures at once.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
stages.register(app)
passes.register(app)
studies.register(app)
tools.register(app)


def main(arguments=None) -> None:
    """Run the command line; bad input ends it with the message alone and exit status 2."""
    try:
        app(arguments)
    except InputError as error:
        print(f"fpho: {error}", file=sys.stderr)
        raise SystemExit(2) from None
