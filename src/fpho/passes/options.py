"""Options that the result of a patch depends on; what else a pass has, is in its plan and its files."""

import json
from functools import lru_cache

from ..config import values_of

FIT = (
    "bounds",
    "priors",
    "model",
    "kernel",
    "psf.interpolation",
    "background.mode",
    "background.prior_sigma",
)
OWN = {"optimize": "optimize", "reoptimize": "optimize", "sample": "sample"}  # section of a pass
# How many patches there are, and how often what is done is kept, changes none of them.
APART = {"optimize": ("rounds",), "sample": ("gibbs_rounds", "checkpoint_seconds")}


@lru_cache(maxsize=8)
def fit_options(config: str, stage: str) -> str:
    """Values, as JSON, of these options for a pass, given a whole configuration as JSON."""
    section = OWN[stage]
    values = values_of(json.loads(config), (section, *FIT))
    values[section] = {name: value for name, value in values[section].items() if name not in APART[section]}
    return json.dumps(values)
