"""Residual background and missing objects."""

from typing import Annotated, Literal

from .base import OFF, Section, option


class Background(Section):
    """The sky that calibration has left in the images."""

    mode: Annotated[Literal["off", "constant", "plane", "in_fit"], OFF] = option(
        "constant", "what is fitted; in_fit: a constant of each exposure inside every patch's own fit"
    )
    prior_sigma: float = option(
        10.0,
        "in_fit: width of the prior of a background around 0, in noise of a typical pixel; narrow it where a "
        "galaxy fills the image, as its wings and the sky cannot be told apart there",
        gt=0,
    )
    per: Literal["band", "exposure"] = option("exposure", "one value for each")
    nsigma: float = option(3.0, "below this significance a background is reported, not subtracted", gt=0)
    tweakbg: str | None = option(None, "table of backgrounds to use instead of fitting (TSV)")
    reoptimize: bool = option(True, "optimize again after a significant background")


class Registration(Section):
    """Shifts of the exposures against each other."""

    mode: Annotated[Literal["measure", "off"], OFF] = option(
        "off", "measure: the shift of each exposure's WCS from the optimized scene, used in what follows"
    )
    nsigma: float = option(5.0, "smaller shifts are reported, not used", "sigma", gt=0)
    largest: float = option(2.0, "a larger shift is taken for a failure", "pixel", gt=0)
    table: str | None = option(None, "table of shifts to use instead of measuring (TSV)")


class Detect(Section):
    """The search for objects that the catalog lacks."""

    enabled: bool | None = option(
        None,
        "look for objects that the catalog lacks in the residual images; absent: where catalog.detect made "
        "it, since light of companions that were not split off goes to the galaxies beside them",
    )
    nsigma: float = option(5.0, "threshold in the PSF-matched residual", "sigma", gt=0)
    bands: list[str] | None = option(None, "bands that are added up; all when absent")
    min_separation: float = option(0.15, "distance to the next source", "arcsec", ge=0)
    model_error: float = option(
        0.05, "part of the known sources' light, at any place, that their models may be wrong by", ge=0
    )
    rhalf: float = option(0.1, "starting size of a new source", "arcsec", gt=0)
