"""Source models: one short file each, that names the parameters and says which components they make.

A new model is a file here and its place in `MODELS`; the posterior, the bounds, the tables and the vector q
take the rest from it.
"""

from ..errors import InputError
from .parameter import (
    ALL,
    ANGLE,
    NONE,
    POSITIVE,
    RATIO,
    SHARE,
    Component,
    FluxRest,
    FluxShare,
    Parameter,
    SourceModel,
)
from .point import POINT
from .sersic import SERSIC

__all__ = [
    "ALL",
    "ANGLE",
    "MODELS",
    "NONE",
    "PARAMETERS",
    "POINT",
    "POSITIVE",
    "RATIO",
    "SERSIC",
    "SHARE",
    "Component",
    "Components",
    "FluxRest",
    "FluxShare",
    "Parameter",
    "SourceModel",
    "component_values",
    "components_of",
    "models_of",
    "parameters_of",
]

MODELS = (SERSIC, POINT)


def parameters_of(models) -> dict[str, Parameter]:
    """All parameters of some models by name, in the order of the vector q."""
    return {parameter.name: parameter for model in models for parameter in model.parameters}


PARAMETERS = parameters_of(MODELS)
_BY_NAME = {model.name: model for model in MODELS}


def models_of(rows) -> list[SourceModel]:
    """The model of each scene row (S,): a point where `is_point`, else what a column `model` says, or Sersic.

    Raises
    ------
    InputError
        For a model that is not known.
    """
    if "model" not in rows.dtype.names:
        return [POINT if point else SERSIC for point in rows["is_point"]]
    unknown = set(rows["model"].tolist()) - {"", *_BY_NAME}
    if unknown:
        raise InputError("column model", f"{sorted(unknown)[0]!r}", f"Known are {', '.join(_BY_NAME)}")
    pairs = zip(rows["is_point"].tolist(), rows["model"].tolist(), strict=True)
    return [POINT if point else _BY_NAME[name or SERSIC.name] for point, name in pairs]


def __getattr__(name: str):
    """The components, on first use: the configuration names models, and needs no numpy for it."""
    if name in ("Components", "component_values", "components_of"):
        from . import components

        return getattr(components, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
