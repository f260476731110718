"""Calibration of the posterior, and injection of simulated sources."""

from typing import Literal

from pydantic import Field, model_validator

from .base import Edges, On, PositiveRange, Positives, Section, option


class FieldCalibration(Section):
    """Simulated deep fields that everything is run on."""

    fields: int = option(6, "simulated fields to draw, measure and compare", ge=1)
    sources: int = option(200, "sources of each field", ge=2)
    densities: list[float] = option([50.0, 150.0, 400.0], "sources per square arcmin, field after field")
    starts: list[Literal["rough", "detect"]] = option(
        ["rough"], "what a run begins with: a rough catalog of the sources that can be seen, or detection"
    )
    keep: bool = option(False, "keep the images and the runs, not only the tables")


class Calibrate(Section):
    """Sources drawn from the priors, fitted, and held against their truth."""

    isolated: int = option(500, "isolated sources to draw, fit and sample", ge=0)
    pairs: int = option(200, "close pairs", ge=0)
    empty: int = option(200, "empty places at which a source is fitted", ge=0)
    draws: int = option(99, "thinned draws among which the truth is ranked", ge=19)
    psf: list[Literal["moffat", "optical"]] = option(["moffat", "optical"], "PSF of each of the bands")
    pixel_scale: Positives = option([0.05, 0.06], "pixel of each of the bands", "arcsec")
    size: int = option(48, "side of the images", "pixel", ge=24)
    noise: float = option(1.0, "sigma of the noise per pixel", "nJy", gt=0)
    snr_range: PositiveRange = option(
        (10.0, 80.0),
        "S/N at the middle of a source's flux prior if its shape is the median one; drawn log-uniformly",
    )
    flux_range: PositiveRange = option(
        (0.5, 2.0),
        "flux prior of a source, from and to, in units of the flux of that S/N; the truth is drawn from it",
    )
    rhalf_range: PositiveRange = option((0.03, 0.8), "bounds of the half-light radius", "arcsec")
    separation: PositiveRange = option((0.3, 0.8), "distance of the two of a pair", "arcsec")
    field: FieldCalibration = Field(
        default=FieldCalibration.model_construct(),
        description="whole runs on simulated fields (`fpho calibrate --field`)",
    )

    @model_validator(mode="after")
    def _one_pixel_each(self):
        if len(self.psf) != len(self.pixel_scale) or not self.psf:
            raise ValueError("psf and pixel_scale need one entry for each band")
        return self


class Inject(Section):
    """Simulated sources in a user's own images."""

    catalog: str | None = option(None, "sources to put into the images (FITS, ECSV or CSV), in nJy")
    on: On = option("all", "kind of images to put them into")
    poisson: bool = option(False, "add the Poisson noise of the sources' own light")
    electrons_per_njy: float = option(1.0, "electrons per nJy, for `poisson`", gt=0)
    stages: list[str] = option(
        ["preprocess", "scene", "optimize", "background", "detect", "reoptimize", "postop"],
        "stages to run on the images with the sources in them; add `sample` for pulls from draws",
    )
    listed: bool = option(
        True, "add the sources to the peak catalog; false: only `detect` may find them (completeness)"
    )
    position_scatter: float = option(0.02, "error of their listed positions, sigma", "arcsec", ge=0)
    flux_scatter: float = option(0.2, "error of ln of their listed fluxes, sigma", ge=0)
    match_radius: float = option(0.25, "an injected source is found within this distance", "arcsec", gt=0)
    min_snr: float = option(3.0, "and with at least this S/N in one band", ge=0)
    magnitude_bins: Edges = Field(
        default=[20, 24, 25, 26, 27, 28, 30], description="edges for the tables [AB mag]"
    )
    size_bins: Edges = Field(
        default=[0, 0.1, 0.2, 0.4, 1.0], description="edges for the tables, half-light radius [arcsec]"
    )
