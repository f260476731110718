"""One validated model of all options, with meaning and unit; the default YAML and the JSON schema."""

from .calibrate import Calibrate, Inject
from .data import Catalog, Preprocess, Psf, Sersic
from .inference import Optimize, Population, Prior, Priors, Sample
from .loading import default_yaml, dump_config, json_schema, load_config, make_config, read_options
from .model import Config
from .products import Postprocess, Simulate, Workflow
from .scene import Bounds, Patches
from .sky import Background, Detect, Registration
from .view import ALL, UndeclaredOption, View, declared, values_of, view

__all__ = [
    "ALL",
    "Background",
    "Bounds",
    "Calibrate",
    "Catalog",
    "Config",
    "Detect",
    "Inject",
    "Optimize",
    "Patches",
    "Population",
    "Postprocess",
    "Preprocess",
    "Prior",
    "Priors",
    "Psf",
    "Registration",
    "Sample",
    "Sersic",
    "Simulate",
    "UndeclaredOption",
    "View",
    "Workflow",
    "declared",
    "default_yaml",
    "dump_config",
    "json_schema",
    "load_config",
    "make_config",
    "read_options",
    "values_of",
    "view",
]
