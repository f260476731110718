"""The PSF of some stars: one for the whole image, or, where stars left out ask for it, one for each place."""

import logging
from dataclasses import dataclass

import numpy as np

from ..psf.empirical import Empirical, Stamps, fit_stars, left_out, without_others
from .gathering import FEWEST, Gathered

log = logging.getLogger("fpho")
POOR = {"chi2": 2.0, "scatter": 0.03}  # of stars left out: beyond, it is no PSF, or these are no stars
STRANGE = 4.0  # times the median chi-square per pixel: no star, or blended
FEWEST_OF_PLACE = 8  # stars of a part of the image
FAINT = 1.0  # of the pixels' noise: error of wings by faint sources under them,
SKY = 0.005  # of the light, by the sky's level (docs/inputs.md: measured on six fields),
LAW = 0.2  # and of the light beyond the stamp, by the law that tells it (there: JWST)
GAIN = 0.05  # by which the chi-square of stars left out has to fall for PSFs that vary


@dataclass(frozen=True)
class StarPSF:
    """A PSF from stars, and how it does.

    place : (x, y) of the middle of its stars on the image, pixels; None: of all of it.
    Of stars that a PSF was made without: `chi2`, the median per pixel; `offset` and `scatter`, median and sd
    of the light within a third of the stamp over the model's, minus 1, and `noise`, the part of that sd which
    the pixels' noise makes. `stars`: how many, of S/N `snr`.
    """

    made: Empirical
    stamps: Stamps
    stars: int
    snr: tuple[float, float]
    chi2: float
    offset: float
    scatter: float
    noise: float
    place: tuple[float, float] | None = None

    @property
    def error(self) -> float:
        """Of the light: the stars' scatter over the root of their number."""
        return self.scatter / np.sqrt(max(1, self.stars))

    @property
    def wings_error(self) -> float:
        """Of the light beyond a third of the stamp: noise of the pixels there, FAINT, SKY and LAW."""
        pixels = (4 - np.pi / 9) * self.made.half**2
        known = np.sum(self.made.flux**2 * np.mean(self.stamps.ierr**2, axis=1))
        beyond = LAW * (1 - self.made.inside)
        return float(np.sqrt((1 + FAINT**2) * pixels / known + SKY**2 + beyond**2))

    @property
    def poor(self) -> bool:
        """Whether stars that it was made without are not described."""
        return self.chi2 > POOR["chi2"] or self.scatter > np.hypot(POOR["scatter"], self.noise)

    def __str__(self) -> str:
        half, stamps = self.made.half, len(self.stamps.star)
        where = "" if self.place is None else " about ({:.0f}, {:.0f})".format(*self.place)
        made = (
            f"from {self.stars} stars of S/N {self.snr[0]:.0f} to {self.snr[1]:.0f} in {stamps} stamps{where}"
        )
        inside = (
            f"of {2 * half:.0f} pixels, with {100 * self.made.inside:.1f}% of the light, "
            f"its wings known to {100 * self.wings_error:.1f}%"
        )
        each = f"(each {100 * self.scatter:.2f}%, {100 * self.noise:.2f}% by noise)"
        light = f"{100 * self.offset:+.2f}% +- {100 * self.error:.2f}% {each}"
        judged = f"chi2 {self.chi2:.2f} per pixel, light within {half / 3:.1f} pixels {light}"
        return f"{made} {inside}; stars left out: {judged}"


def psfs_of_stars(found: Gathered | None, max_cells: int = 1) -> list[StarPSF]:
    """PSFs of the stars of images with equal pixels; empty where there are too few stars.

    One of all; or one for each of n x n parts of the image, n up to `max_cells`, with at least
    FEWEST_OF_PLACE stars each, if stars left out are then better described.
    """
    if found is None or found.stars < FEWEST:
        return []
    whole = _psf_of(found.brightest())
    best = [] if whole is None else [whole]
    for side in range(2, max_cells + 1):
        parts = _parts(found, side)
        if min(part.stars for part in parts) < FEWEST_OF_PLACE:
            break
        some = [_psf_of(part.brightest(), tuple(map(float, part.place.mean(axis=0)))) for part in parts]
        made = [one for one in some if one is not None]
        if len(made) == len(parts) and best and _mean(made) < (1 - GAIN) * _mean(best):
            best = made
    return best


def _mean(psfs: list[StarPSF]) -> float:
    """Mean chi-square of stars left out."""
    return float(np.average([one.chi2 for one in psfs], weights=[one.stars for one in psfs]))


def _parts(found: Gathered, side: int) -> list[Gathered]:
    """Stars by the part of the image that they lie in, of side x side parts of their extent."""
    low, high = found.place.min(axis=0), found.place.max(axis=0)
    cell = np.clip(((found.place - low) / np.maximum(high - low, 1) * side).astype(int), 0, side - 1)
    return [found.only((cell == (i, j)).all(axis=1)) for j in range(side) for i in range(side)]


def _psf_of(found: Gathered, place=None) -> StarPSF | None:
    """One PSF of all stars, those left out that are none; None where too few are left."""
    found = found.with_stamps(without_others(found.stamps, found.fwhm))
    for _ in range(2):
        if found.stars < FEWEST:
            return None
        made, star = fit_stars(found.stamps, found.fwhm), found.stamps.star
        worst = np.array([made.chi2[star == one].max() for one in star])
        strange = worst > STRANGE * max(1.0, np.median(made.chi2))
        if not strange.any():
            break
        log.info("%d stars are none, or blended: left out", len(np.unique(star[strange])))
        found = found.only(~strange)
    chi2, ratio, error = left_out(found.stamps, found.fwhm)
    snr = (float(found.snr.min()), float(found.snr.max()))
    light = float(np.median(ratio)) - 1, float(np.std(ratio)), float(np.sqrt(np.mean(error**2)))
    judged = (float(np.median(chi2)), *light)
    return StarPSF(made, found.stamps, found.stars, snr, *judged, place)
