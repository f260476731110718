"""Keywords of a header that state how many nJy a unit of the image is."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..errors import InputError
from .spelling import ImageUnit

TOLERANCE = 0.01  # two statements agree within this part (a zeropoint rounded to 0.01 mag: 0.9%)
CURE = (
    "Give flux_scale (nJy per unit of the image; 1 if it is in nJy) in the table of exposures, "
    "or set FLUXSCL in the header"
)
SQUARE_ARCSEC = (np.pi / 180 / 3600) ** 2  # sr


@dataclass(frozen=True)
class Statement:
    """`text`: keywords and their values; `njy`: nJy per unit of a pixel by them."""

    text: str
    njy: float


@dataclass(frozen=True)
class Keywords:
    """Where statements are looked for.

    header : science header, then the primary one, as one mapping
    unit : what BUNIT says; None where there is none, or one that cannot be read
    where : file that errors name
    pixel_areas : smallest and largest pixel by the WCS, sr; None where there is no WCS
    area_map : mean of a map of relative pixel areas that the factor is multiplied with afterwards
    """

    header: Mapping
    unit: ImageUnit | None
    where: object
    pixel_areas: tuple[float, float] | None = None
    area_map: float = 1.0

    def number(self, name: str, blank_zero: bool = False) -> float | None:
        """A keyword's number; None where it is absent or empty (or 0, which says `unknown` of some)."""
        value = self.header.get(name)
        if value is None or (isinstance(value, str) and not value.strip()):
            return None
        try:
            number = float(value)
        except (TypeError, ValueError):
            number = np.nan
        if isinstance(value, bool) or not np.isfinite(number):
            raise InputError(self.where, f"{name} = {value!r} is no number", CURE)
        return None if blank_zero and number == 0 else number

    def area(self) -> tuple[float, str]:
        """Solid angle of a pixel in sr, and what says so; keywords and WCS must agree."""
        stated = []
        for name, scale in (("PIXAR_SR", 1.0), ("PIXAR_A2", SQUARE_ARCSEC)):
            if (value := self.number(name, blank_zero=True)) is not None:
                stated.append((value * scale, f"{name} = {value:g}"))
        if not stated and self.pixel_areas is None:
            found = "a unit per solid angle without PIXAR_SR, PIXAR_A2 or a WCS"
            raise InputError(self.where, found, CURE)
        low, high = self.pixel_areas or (stated[0][0] * self.area_map,) * 2
        by = f"the WCS's pixels of {_side(low)} arcsec"
        if not self.pixel_areas:
            by = f"{stated[0][1]}, {_side(low)} arcsec"
        if not stated and high > low * (1 + TOLERANCE):
            found = (
                f"the WCS's pixels differ from {_side(low)} to {_side(high)} arcsec, and there is no PIXAR_SR"
            )
            raise InputError(self.where, found, CURE)
        for area, other in stated:
            if not low * (1 - TOLERANCE) <= area * self.area_map <= high * (1 + TOLERANCE):
                found = f"{other} is a pixel of {_side(area)} arcsec, against {by}"
                raise InputError(self.where, found, f"Mend what was left behind. {CURE}")
        return stated[0] if stated else (0.5 * (low + high), by)


def per_frequency(pivot: float) -> float:
    """f_nu of f_lambda = 1 at the pivot wavelength (Angstrom), in s Angstrom: pivot^2 / c."""
    return pivot**2 / 2.99792458e18


def _side(area: float) -> str:
    """Side in arcsec of a pixel of an area in sr."""
    return f"{np.sqrt(abs(area) / SQUARE_ARCSEC):.4g}"
