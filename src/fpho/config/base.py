"""What all sections of the configuration share."""

from itertools import pairwise
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from ..layout import Kind


def _increasing(values):
    if any(not low < high for low, high in pairwise(values)):
        raise ValueError(f"the range {values} must increase")
    return values


def _positive(values):
    if any(value <= 0 for value in values):
        raise ValueError(f"{values} must be above 0")
    return values


Range = Annotated[tuple[float, float], AfterValidator(_increasing)]
PositiveRange = Annotated[Range, AfterValidator(_positive)]
Positives = Annotated[list[float], AfterValidator(_positive)]
Edges = Annotated[list[float], Field(min_length=2), AfterValidator(_increasing)]
On = Literal[Kind, "all"]  # kinds of images that a stage works on
# Of options with a choice `off`, which is a boolean to YAML unless it is quoted.
OFF = BeforeValidator(lambda value: "off" if value is False else value)
Path = Annotated[str, Field(min_length=1)]


class Section(BaseModel):
    """A frozen group of options; a key that it does not know is an error, and so are nan and inf."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, validate_default=True, allow_inf_nan=False, defer_build=True
    )


def option(default, meaning: str, unit: str = "", **limits):
    """A field with its meaning and unit, for the default YAML, the schema and the documentation."""
    return Field(default=default, description=f"{meaning} [{unit}]" if unit else meaning, **limits)
