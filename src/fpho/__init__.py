"""fpho: galaxies measured by modelling all pixels of all exposures at once.

Names are loaded on first use, so that the command line and the workflow start
without importing numerical packages they do not need.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .caches import find_caches
from .importing import without_collections

if TYPE_CHECKING:  # what type checkers and editors see of the names below
    from .config import Config as Config
    from .config import load_config as load_config
    from .errors import InputError as InputError
    from .flags import Flag as Flag
    from .images import Exposure as Exposure
    from .linear import optimize_fluxes as optimize_fluxes
    from .notebook import Fit as Fit
    from .notebook import Run as Run
    from .notebook import fit as fit
    from .notebook import open as open
    from .optimize import run_opt as run_opt
    from .patch import CPUPatchMixin as CPUPatchMixin
    from .patch import DirectPatch as DirectPatch
    from .patch import FITSPatch as FITSPatch
    from .patch import GPUPatchMixin as GPUPatchMixin
    from .patch import StorePatch as StorePatch
    from .products import postop_catalog as postop_catalog
    from .products import postsample_catalog as postsample_catalog
    from .products import write_images as write_images
    from .products import write_patchreg as write_patchreg
    from .products import write_sourcereg as write_sourcereg
    from .results import Residuals as Residuals
    from .results import Result as Result
    from .results import Samples as Samples
    from .results import write_to_disk as write_to_disk
    from .sampling import run_lmc as run_lmc
    from .scene import LinkedSuperScene as LinkedSuperScene
    from .scene import SuperScene as SuperScene

__version__ = "0.1.0"

find_caches()  # before packages that need them are imported
_EXPORTS = {
    "scene": ("LinkedSuperScene", "SuperScene"),
    "patch": ("FITSPatch", "StorePatch", "DirectPatch", "CPUPatchMixin", "GPUPatchMixin"),
    "optimize": ("run_opt",),
    "linear": ("optimize_fluxes",),
    "sampling": ("run_lmc",),
    "results": ("Result", "write_to_disk", "Samples", "Residuals"),
    "products": ("postsample_catalog", "postop_catalog", "write_images", "write_sourcereg", "write_patchreg"),
    "config": ("Config", "load_config"),
    "notebook": ("fit", "open", "Fit", "Run"),
    "images": ("Exposure",),
    "errors": ("InputError",),
    "flags": ("Flag",),
}
_HOME = {name: module for module, names in _EXPORTS.items() for name in names}
# What `dir` shows; the others are the parts that a loop over patches is written with.
_SHOWN = (
    "Config",
    "Exposure",
    "Fit",
    "Flag",
    "InputError",
    "Residuals",
    "Run",
    "Samples",
    "fit",
    "load_config",
    "open",
)
__all__ = ["__version__", *sorted(set(_HOME) - {"open"})]  # `import *` leaves Python's own `open`


def __getattr__(name: str) -> Any:
    if name in _HOME:
        with without_collections():
            return getattr(import_module(f"fpho.{_HOME[name]}"), name)
    raise AttributeError(f"module 'fpho' has no attribute {name!r}")


def __dir__() -> list[str]:
    return ["__version__", *_SHOWN]
