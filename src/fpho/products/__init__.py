"""What a user looks at, made from results only: catalogs, images, regions, plots, comparison with truth."""

from .catalogs import chain_catalog, postsample_catalog
from .collecting import collect
from .comparison import compare
from .exports import export
from .images import write_images
from .posterior import inference_data, samples_of, write_patches
from .postop import postop_catalog
from .regions import write_patchreg, write_sourcereg

__all__ = [
    "chain_catalog",
    "collect",
    "compare",
    "export",
    "inference_data",
    "postop_catalog",
    "postsample_catalog",
    "samples_of",
    "write_images",
    "write_patches",
    "write_patchreg",
    "write_sourcereg",
]
