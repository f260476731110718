"""Stage `postop`: the catalog of the optimum."""

from ..config import Config
from ..layout import Layout
from ..products.postop import postop_catalog


def run(config: Config, layout: Layout) -> None:
    """`layout.scene("reoptimize")` to `layout.postop`."""
    postop_catalog(layout.outdir)
