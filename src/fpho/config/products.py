"""Simulation of the built-in example, and the products."""

from importlib.util import find_spec
from typing import Annotated, Literal

from pydantic import Field, field_validator

from .base import Section, option
from .field import SimulatedField

Percentile = Annotated[float, Field(gt=0, lt=100)]


class Simulate(Section):
    """The built-in scene with known truth that takes the place of inputs."""

    scene: Literal["none", "example", "isolated", "tiny", "field"] = option(
        "none", "draw this scene with GalSim and use it as the input (images, PSFs and catalog)"
    )
    field: SimulatedField = Field(default=SimulatedField.model_construct(), description="the scene `field`")


class Postprocess(Section):
    """What is written of a finished run."""

    images: bool = option(True, "write model and residual images")
    regions: bool = option(True, "write DS9 regions")
    plots: bool = option(True, "write plots of the field, the images, and patches")
    max_plots: int = option(12, "most patches that get plots of their own (for sources: `fpho show`)", ge=0)
    percentiles: list[Percentile] = option([2.5, 16.0, 50.0, 84.0, 97.5], "of the catalog", "%")
    tables: list[Literal["ecsv", "votable", "parquet"]] = option(
        ["ecsv", "votable"], "forms of the catalog beside FITS; parquet needs pyarrow (fpho[parquet])"
    )
    chain_draws: int = option(400, "most draws of each source in the catalog of chains", ge=1)

    @field_validator("tables")
    @classmethod
    def _writable(cls, tables):
        """Said before sampling, not after."""
        if "parquet" in tables and find_spec("pyarrow") is None:
            raise ValueError('parquet needs pyarrow: pip install "fpho[parquet]"')
        return tables


class Page(Section):
    """The page on which a person looks at a run."""

    enabled: bool = option(True, "make the page on which a person looks at the field and its sources")
    draws: int = option(200, "most draws of each source on its sheet; 0: none", ge=0)


class Workflow(Section):
    """How a pass is divided into jobs."""

    batches: int = option(1, "jobs that share the patches of one stage", ge=1, le=100_000)
    job_seconds: float = option(
        60.0, "until a job begins to work, in a queue and to start: what takes less shares a job", "s", ge=0
    )
    image_groups: int = option(
        1, "jobs that share the images of one stage, where it takes one image at a time", ge=1, le=100_000
    )
    gpu_processes: int = option(
        2, "most worker processes of a job that share a GPU; they take turns on it", ge=1
    )
