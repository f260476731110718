"""Which source model a catalog asks for in its column `type`, and parameters that only some models have."""

import numpy as np

from ...models import MODELS, PARAMETERS, POINT, SERSIC
from . import values
from .columns import Columns

WORDS = {model.name.upper(): model.name for model in MODELS if model is not POINT}


def fill_models(rows, columns: Columns) -> None:
    """Names of models in `rows`, in place; parameters that Sersic lacks from their columns, or starts."""
    kind = columns.own("type")
    if kind is not None:
        words = values.names(columns.cells(kind), kind, columns.path)
        rows["model"] = [WORDS.get(word.upper(), "") for word in words]
    for name, parameter in PARAMETERS.items():
        if name not in SERSIC.names:
            found = columns.numbers(name, parameter.unit, needed=False)
            rows[name] = np.where(np.isfinite(found), found, parameter.start)
