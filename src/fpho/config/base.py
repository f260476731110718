"""What all sections of the configuration share."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field


def _increasing(pair):
    if not pair[0] < pair[1]:
        raise ValueError(f"the range {pair} must increase")
    return pair


Range = Annotated[tuple[float, float], AfterValidator(_increasing)]


class Section(BaseModel):
    """A frozen group of options; a key that it does not know is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


def option(default, meaning: str, unit: str = "", **limits):
    """A field with its meaning and unit, for the default YAML, the schema and the documentation."""
    return Field(default=default, description=f"{meaning} [{unit}]" if unit else meaning, **limits)
