"""Subcommands that test the measurement itself: `calibrate` and `inject`."""

import typer

from .common import ConfigFile, Cores, Overrides, Verbose, prepare
from .stages import run

STUDIES = {
    "calibrate": "Draw sources from the priors, fit them, and test the posterior's coverage.",
    "inject": "Put simulated sources into your own images, measure them, and report what was lost.",
}


def register(app: typer.Typer) -> None:
    """Add one subcommand for each study."""
    for name, text in STUDIES.items():
        app.command(name, help=text)(_command(name))


def _command(name: str):
    def command(
        config: ConfigFile = None, overrides: Overrides = None, cores: Cores = 1, verbose: Verbose = False
    ):
        run(name, *prepare(config, overrides, 1, verbose), cores)

    return command
