"""Packages that only some need: the extra of the installation that brings each, and words for its absence."""

from importlib.util import find_spec

from .errors import InputError

EXTRA_OF = {"galsim": "simulate", "matplotlib": "plots", "corner": "plots", "arviz": "plots", "PIL": "plots"}
NAMES = {"galsim": "GalSim", "PIL": "Pillow"}  # where the package is called otherwise than its module


def installed(*modules: str) -> bool:
    """Whether all of these modules can be imported."""
    return not _lacking(modules)


def require(purpose: str, *modules: str, instead: str = "") -> None:
    """See that modules are there, before work is done that would come to nothing without them.

    Raises
    ------
    InputError
        That names the packages and the command that installs them; `instead`: what else would do.
    """
    if lacking := _lacking(modules):
        extras = ",".join(sorted({EXTRA_OF[module] for module in lacking}))
        packages = " and ".join(NAMES.get(module, module) for module in lacking)
        found = f"{packages} {'is' if len(lacking) == 1 else 'are'} not installed"
        raise InputError(purpose, found, f'Run pip install "fpho[{extras}]"{instead}')


def _lacking(modules) -> list[str]:
    return [module for module in modules if find_spec(module) is None]
