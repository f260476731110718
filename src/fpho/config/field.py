"""A simulated deep field."""

from typing import Literal

from .base import Section, option


class SimulatedField(Section):
    """A deep field as the stage `simulate` draws it."""

    sources: int = option(300, "sources drawn, those that no catalog lists included", ge=1)
    stars: int = option(0, "stars of S/N 100 to 1000 drawn beside them, from which a PSF can be made", ge=0)
    density: float = option(200.0, "sources per square arcmin", gt=0)
    bands: list[str] = option(["F200W", "F444W"], "bands; the counts and the depth are the first one's")
    pixel_scale: list[float] = option([0.031, 0.063], "pixel of each band", "arcsec")
    psfs: str | None = option(
        None, "table of PSF images (TSV), a key per band, through which all is drawn; none: a 6.5 m telescope"
    )
    depth: float = option(28.5, "AB magnitude of a point source of S/N 5 in all exposures of a band")
    exposures: int = option(3, "dithered and turned exposures of each band, of equal depth", ge=1)
    mosaic: bool = option(True, "a mosaic of each band, too")
    sky: float = option(1.5, "most sky left in an image, in noise of a pixel", ge=0)
    slope: float = option(0.5, "most change of that sky across an image, as a part of it", ge=0)
    structure: Literal["sersic", "clumpy"] = option(
        "sersic", "clumpy: bulge, disc, arms and knots, which no Sersic profile describes"
    )
    listed_snr: float = option(3.0, "sources of at least this S/N in one band stand in the catalog", ge=0)
