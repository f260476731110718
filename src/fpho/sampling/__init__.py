"""Draws from the posterior of a patch; the only importer of the samplers."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .gibbs import gibbs_update as gibbs_update
    from .lmc import run_lmc as run_lmc

_HOME = {"gibbs_update": "gibbs", "run_lmc": "lmc"}
__all__ = ["gibbs_update", "run_lmc"]


def __getattr__(name: str) -> Any:
    """The samplers are imported at first use: diagnostics of draws, and the optimum, do without."""
    if name in _HOME:
        return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
