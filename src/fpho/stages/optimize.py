"""Stage `optimize`: the maximum of the posterior of every patch."""

from ..config import Config
from ..layout import Layout
from ..passes import steps


def run(config: Config, layout: Layout, cores: int = 1) -> None:
    """The whole pass, colours in order; finished patches are taken from earlier runs."""
    steps.run(config, layout, "optimize", cores)
