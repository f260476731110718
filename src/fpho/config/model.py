"""The root of the configuration."""

from typing import Literal

from pydantic import Field

from .base import Section, option
from .calibrate import Calibrate, Inject
from .data import Catalog, Preprocess, Psf, Sersic
from .inference import Model, Optimize, Priors, Sample
from .products import Postprocess, Simulate, Workflow
from .scene import Bounds, Patches
from .sky import Background, Detect, Registration


def _group(cls, meaning: str):
    return Field(default=cls(), description=meaning)


class Config(Section):
    """All options of a run."""

    outdir: str = option("results/run", "folder of all outputs of the run")
    seed: int = option(1, "seed of the run; each patch derives its own", ge=0)
    kernel: Literal["cpu", "gpu"] = option("cpu", "where the likelihood runs")
    bands: list[str] = option([], "bands in order; those of the exposure table when empty")
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
    simulate: Simulate = _group(Simulate, "the built-in example")
    calibrate: Calibrate = _group(Calibrate, "test of the posterior on drawn sources (`fpho calibrate`)")
    inject: Inject = _group(Inject, "simulated sources in the images (`fpho inject`)")
    workflow: Workflow = _group(Workflow, "division into jobs")
