"""Stage `postop`: the catalog of the optimum, and what the optima say of the field's galaxies."""

from ..config import Config
from ..layout import Layout
from ..passes.results import last_optima
from ..passes.structure import learnt_structure
from ..products.postop import postop_catalog
from ..results.structure import write_structure
from ..scene import read_scene


def run(config: Config, layout: Layout) -> None:
    """`layout.scene("reoptimize")` to `layout.postop`, and what its optima tell of galaxies' structure."""
    optima = last_optima(layout)
    postop_catalog(layout.outdir, optima=optima)
    bands = read_scene(layout.postop)[1]
    write_structure(layout.structure, bands, *learnt_structure(optima, len(bands)))
