"""Bounds of parameters and the cutting of the sky into patches."""

from typing import Annotated, Literal

from pydantic import AfterValidator, model_validator

from ..models import SERSIC
from .base import PositiveRange, Range, Section, option


def _at_most_one(values):
    if values[1] > 1:
        raise ValueError(f"{values} must end at 1 or below")
    return values


Fraction = Annotated[PositiveRange, AfterValidator(_at_most_one)]
Held = Literal["ra", "dec", "q", "pa", "sersic", "rhalf"]


class Bounds(Section):
    """Allowed ranges of the parameters of sources, see `fpho.make_bounds`."""

    sqrtq_range: Fraction = option(SERSIC["q"].range, "q = sqrt(b/a)")
    pa_range: Range = option(SERSIC["pa"].range, "pa, from east towards north", "rad")
    rhalf_range: PositiveRange = option(SERSIC["rhalf"].range, "half-light radius", "arcsec")
    sersic_range: PositiveRange = option(SERSIC["sersic"].range, "Sersic index")
    dpos: float | None = option(None, "half-width of the position box; else n_pix * pixscale", "arcsec", gt=0)
    n_pix: float = option(2.0, "half-width of the position box", "pixel", gt=0)
    pixscale: float | None = option(
        None, "pixel scale for n_pix; the coarsest of the images when absent", "arcsec", gt=0
    )
    n_sig_flux: float = option(
        50.0,
        "half-width of the flux bounds in uncertainties, the catalog's or the pixels' (the larger)",
        gt=0,
    )
    minflux: float | None = option(None, "lower bound of every flux; none: from the uncertainty", "nJy")
    maxfluxfactor: float = option(10.0, "upper flux bound at least this times the flux", gt=1)
    held: tuple[Held, ...] = option(
        (), "parameters of all sources held at the catalog's values: all but ra, dec is forced photometry"
    )


class Patches(Section):
    """How the sky is cut into patches that are fitted together."""

    maxactive_per_patch: int = option(15, "most sources of a patch, those fitted along not counted", ge=1)
    strict: bool = option(
        True, "optimize a group as a whole, even above maxactive_per_patch; draws are of parts"
    )
    max_seconds: float = option(
        7200.0,
        "longest that a patch may take, as predicted; larger groups are cut, also if `strict`",
        "s",
        gt=0,
    )
    patch_maxradius: float = option(
        15.0, "largest radius of a patch, which holds the roi and nearly all light", "arcsec", gt=0
    )
    patch_minradius: float = option(1.0, "smallest radius of a patch", "arcsec", gt=0)
    buffer: float = option(0.5, "margin of pixels around the active sources' roi", "arcsec", ge=0)
    max_active_fraction: float = option(1.0, "most of the scene that may be active at once", gt=0, le=1)
    halo: float = option(
        1.0,
        "sources of other patches within this factor of the roi are fitted along: errors then know them too",
        ge=1,
    )
    default_roi: float = option(
        1.0,
        "least roi of sources that have none: twice the half-light radius, the width of the PSF",
        "arcsec",
        gt=0,
    )

    @model_validator(mode="after")
    def _radii(self):
        if self.patch_minradius > self.patch_maxradius:
            raise ValueError("patch_minradius is larger than patch_maxradius")
        return self
