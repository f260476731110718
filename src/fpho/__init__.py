"""fpho: galaxies measured by modelling all pixels of all exposures at once.

Names are loaded on first use, so that the command line and the workflow start
without importing numerical packages they do not need.
"""

from importlib import import_module

from .caches import find_caches

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
}
_HOME = {name: module for module, names in _EXPORTS.items() for name in names}
__all__ = ["__version__", *sorted(_HOME)]


def __getattr__(name: str):
    if name in _HOME:
        return getattr(import_module(f"fpho.{_HOME[name]}"), name)
    raise AttributeError(f"module 'fpho' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
