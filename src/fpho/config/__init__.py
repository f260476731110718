"""One validated model of all options, with meaning and unit; the default YAML and the JSON schema.

Names are loaded on first use, as those of `fpho`: the command line and the stages' registry do without the
models, which are slow to import.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # what type checkers and editors see of the names below
    from .calibrate import Calibrate as Calibrate
    from .calibrate import Inject as Inject
    from .data import Catalog as Catalog
    from .data import Preprocess as Preprocess
    from .data import Psf as Psf
    from .data import Sersic as Sersic
    from .inference import Optimize as Optimize
    from .inference import Population as Population
    from .inference import Prior as Prior
    from .inference import Priors as Priors
    from .inference import Sample as Sample
    from .loading import default_yaml as default_yaml
    from .loading import dump_config as dump_config
    from .loading import json_schema as json_schema
    from .loading import load_config as load_config
    from .loading import make_config as make_config
    from .loading import read_options as read_options
    from .model import Config as Config
    from .products import Page as Page
    from .products import Postprocess as Postprocess
    from .products import Simulate as Simulate
    from .products import Workflow as Workflow
    from .scene import Bounds as Bounds
    from .scene import Patches as Patches
    from .sky import Background as Background
    from .sky import Detect as Detect
    from .sky import Registration as Registration
    from .views import ALL as ALL
    from .views import DeclaredOptions as DeclaredOptions
    from .views import UndeclaredOption as UndeclaredOption
    from .views import declared as declared
    from .views import values_of as values_of
    from .views import view as view
    from .views import with_values as with_values

_EXPORTS = {
    "calibrate": ("Calibrate", "Inject"),
    "data": ("Catalog", "Preprocess", "Psf", "Sersic"),
    "inference": ("Optimize", "Population", "Prior", "Priors", "Sample"),
    "loading": ("default_yaml", "dump_config", "json_schema", "load_config", "make_config", "read_options"),
    "model": ("Config",),
    "products": ("Page", "Postprocess", "Simulate", "Workflow"),
    "scene": ("Bounds", "Patches"),
    "sky": ("Background", "Detect", "Registration"),
    "views": ("ALL", "UndeclaredOption", "DeclaredOptions", "declared", "values_of", "view", "with_values"),
}
_HOME = {name: module for module, names in _EXPORTS.items() for name in names}
__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(f"fpho.config.{_HOME[name]}"), name)
    raise AttributeError(f"module 'fpho.config' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
