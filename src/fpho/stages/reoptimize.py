"""Stage `reoptimize`: the maximum again, after background and new objects."""

from ..config import Config
from ..layout import Layout
from ..passes import steps


def run(config: Config, layout: Layout, cores: int = 1) -> None:
    """The whole pass, colours in order; finished patches are taken from earlier runs."""
    steps.run(config, layout, "reoptimize", cores)
