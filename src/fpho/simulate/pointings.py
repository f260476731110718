"""Where the exposures of a survey point: tiles over all of it, several times in each band, dithered."""

from dataclasses import dataclass

import numpy as np

from ..config.field import SimulatedField
from .field import DITHER, MARGIN, FieldImage, deep_noise, random_sky
from .optics import make_wcs
from .scenes import REFERENCE

TILT = 2.0  # degrees off a quarter turn, at most
GROW = float(np.cos(np.radians(TILT)) + np.sin(np.radians(TILT)))  # of the side, to hold an untilted square


@dataclass(frozen=True)
class SurveyExposure:
    """One exposure to be drawn, in plain numbers.

    number : in the survey. middle : arcsec east and north of the survey's. rotation : degrees.
    """

    number: int
    id: str
    band: str
    middle: tuple[float, float]
    rotation: float
    shape: tuple[int, int]
    scale: float
    noise: float
    sky: tuple[float, float, float]

    def image(self) -> FieldImage:
        """With its WCS."""
        wcs = make_wcs(*REFERENCE, self.scale, self.shape, self.rotation, self.middle)
        return FieldImage(self.id, self.band, "exposure", wcs, self.shape, self.scale, self.noise, self.sky)

    @property
    def radius(self) -> float:
        """Of the circle around it, arcsec."""
        return float(np.hypot(*self.shape) / 2 * self.scale)


def pointings(options: SimulatedField, side: float, pixels: int, psfs, seed: int) -> list[SurveyExposure]:
    """Exposures of a square on the sky: each place has `options.exposures` of each band, or more.

    side : of the square, arcsec. pixels : along a side of an exposure, at most. psfs : band to `PSFImage`.
    """
    out: list[SurveyExposure] = []
    for band, scale in zip(options.bands, options.pixel_scale, strict=True):
        noise = deep_noise(options, psfs[band]) * np.sqrt(options.exposures)
        width = min(pixels, int(np.ceil((side + MARGIN + 2 * DITHER) * GROW / scale)))
        for visit in range(options.exposures):
            for at in _tiles(side + MARGIN, width * scale, np.random.default_rng([seed, 32, len(out)])):
                rng = np.random.default_rng([seed, 33, len(out)])
                middle = tuple((at + rng.uniform(-DITHER, DITHER, 2)).tolist())
                rotation = 90.0 * (visit % 4) + rng.uniform(-TILT, TILT)
                sky, name = random_sky(options, noise, width, rng), f"{band}_{len(out) + 1}"
                shape = width, width
                out.append(
                    SurveyExposure(len(out), name, band, middle, rotation, shape, scale, float(noise), sky)
                )
    return out


def _tiles(side: float, width: float, rng) -> np.ndarray:
    """Middles (T, 2) of tiles that leave no gap, though each is tilted and dithered."""
    inner = width / GROW - 2 * DITHER  # side of what each covers for certain
    across = int(np.ceil(side / inner))
    slack = across * inner - side
    start = -side / 2 - slack * rng.uniform(size=2) + inner / 2
    y, x = np.divmod(np.arange(across**2), across)
    return start + inner * np.stack([x, y], axis=1)
