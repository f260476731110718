"""The root of the configuration."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from ..bands import check_bands
from ..errors import InputError
from ..showing import html_table
from .base import Section, option
from .calibrate import Calibrate, Inject
from .data import Catalog, Preprocess, Psf, Sersic
from .inference import Model, Optimize, Priors, Sample
from .products import Page, Postprocess, Simulate, Workflow
from .scene import Bounds, Patches
from .sky import Background, Detect, Registration
from .views import values_of


def _bands(names):
    try:
        check_bands(names, "bands")
    except InputError as error:
        raise ValueError(f"{error.found}. {error.cure}") from None
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"band {twice[0]!r} stands twice")
    return names


def _flat(tree: dict) -> dict:
    """Values by `section.option`; those of inner sections stay together."""
    sections = {key: value for key, value in tree.items() if isinstance(value, dict)}
    inner = {f"{key}.{name}": one for key, some in sections.items() for name, one in some.items()}
    return {key: value for key, value in tree.items() if key not in sections} | inner


def _group(cls, meaning: str):
    return Field(default=cls.model_construct(), description=meaning)


class Config(Section):
    """All options of a run."""

    outdir: str = option("results/run", "folder of all outputs of the run", min_length=1)
    seed: int = option(1, "seed of the run; each patch derives its own", ge=0, lt=2**63)
    kernel: Literal["cpu", "gpu"] = option("cpu", "where the likelihood runs")
    bands: Annotated[list[str], AfterValidator(_bands)] = option(
        [], "bands in order; those of the exposure table when empty"
    )
    images: str | None = option(None, "table of exposures (TSV)")
    psfs: str | None = option(None, "table of PSF images (TSV), or a PSF store (HDF5)")
    catalog: Catalog = _group(Catalog, "the peaks to be measured")
    psf: Psf = _group(Psf, "PSF mixtures")
    sersic: Sersic = _group(Sersic, "Sersic mixtures")
    preprocess: Preprocess = _group(Preprocess, "images to stores")
    bounds: Bounds = _group(Bounds, "allowed ranges of parameters")
    priors: Priors = _group(Priors, "priors of parameters")
    model: Model = _group(Model, "what the likelihood allows for")
    patches: Patches = _group(Patches, "cutting the sky")
    optimize: Optimize = _group(Optimize, "maximum of the posterior")
    background: Background = _group(Background, "residual background")
    registration: Registration = _group(Registration, "shifts of the exposures against each other")
    detect: Detect = _group(Detect, "missing objects")
    sample: Sample = _group(Sample, "posterior sampling")
    postprocess: Postprocess = _group(Postprocess, "products")
    page: Page = _group(Page, "the page on which a person looks at a run")
    simulate: Simulate = _group(Simulate, "the built-in example")
    calibrate: Calibrate = _group(Calibrate, "test of the posterior on drawn sources (`fpho calibrate`)")
    inject: Inject = _group(Inject, "simulated sources in the images (`fpho inject`)")
    workflow: Workflow = _group(Workflow, "division into jobs")

    def _repr_html_(self) -> str:
        """The options that are not the default ones."""
        default = _flat(values_of(type(self)()))
        changed = {name: value for name, value in _flat(values_of(self)).items() if value != default[name]}
        return html_table("Config: options that are not the default ones", changed)

    @model_validator(mode="after")
    def _together(self):
        for name, bands in (
            ("detect.bands", self.detect.bands),
            ("catalog.detect_bands", self.catalog.detect_bands),
        ):
            unknown = sorted(set(bands or ()) - set(self.bands))
            if self.bands and unknown:
                raise ValueError(f"{name} names {', '.join(unknown)}, which `bands` does not")
        if self.simulate.scene != "none" and (self.images or self.psfs):
            raise ValueError("simulate.scene draws images and PSFs of its own; set it to none to use yours")
        return self
