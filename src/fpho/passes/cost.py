"""Seconds that a patch will take, predicted from what is known when a pass is planned.

One evaluation of ln p with its gradient takes EVALUATION: each source is drawn on the pixels AROUND it, and
all pixels are gone through once. An optimum needs few; draws need the more of them the fainter the faintest
source is: its posterior is farther from a Gaussian. How many was fitted to the logs of 1,379 sampled and
1,736 optimized patches of simulated NIRCam fields (150 sources per square arcmin, S/N 1 to 1,000, 1 to 13
sources in a patch, two bands, default options); what each takes to 290 sampled patches of fields of 60 and
400 per square arcmin with up to 18 sources, within 21%. Within a factor of 2 are 90% of the former's patches
and 76% of the latter's; all of the latter together take what is predicted within 3%, those of nine and more
sources a third less, where a cost for each source and pixel had said four and thirteen times as much.

In later rounds of an optimization patches are fitted again as far as the sources beside them have moved. In
some 35 passes of up to six rounds, most of them small, all later ones took 0.01 (423 patches of 370 sources
per square arcmin), 0.7 to 0.9 (150 sources that overlap) and up to 2.4 times the first (an example with
bright neighbours), a group of three 3.2; AGAIN makes it 0.97, so a pass is predicted within a factor of 2 but
for the last.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..geometry import unit_vectors
from ..parameters import bands_of, error_col
from ..scene.grouping import chord

EVALUATION = 1.0e-4, 2.0e-8, 5.0e-9  # seconds, for each source and pixel around it, for each pixel
AROUND = 3.0  # arcsec^2 on which a source is drawn
AGAIN = 0.5  # of an optimization's round, the next one: few patches are fitted again, from near their optimum
SETTLED = 0.001  # seconds to see that a patch stays as it is
OPTIMUM = 0.020, 0.010, 4.9e-7  # seconds, for each source, for each source and pixel
DRAWS = (
    np.exp(9.58),
    0.55,
    -0.973,
    0.097,
)  # evaluations: factor, power of the sources, of the S/N, and of its log
USUAL = 1280  # draws, warm-up included, of all chains under default options
FAINTEST, BRIGHTEST = 1.0, 100.0  # S/N beyond which nothing changes
UNKNOWN = 5.0  # S/N of a source without errors
PIXELS = 3000.0  # good pixels in a square arcsec, all exposures together, where no image is known


@dataclass(frozen=True)
class ImagePlaces:
    """Circles around N images on the sky."""

    ra: np.ndarray  # degrees
    dec: np.ndarray
    radius: np.ndarray  # arcsec
    scale: np.ndarray  # arcsec per pixel

    def pixels(self, regions: Sequence) -> np.ndarray:
        """Pixels (P,) of all images together in circles on the sky (`CircularRegion`)."""
        area = np.pi * np.array([region.radius for region in regions]) ** 2
        if not len(self.ra) or not len(regions):
            return PIXELS * area
        from scipy.spatial import cKDTree  # slow to import

        density = np.zeros(len(regions))
        tree = cKDTree(unit_vectors([one.ra for one in regions], [one.dec for one in regions]))
        centres = unit_vectors(self.ra, self.dec)
        for centre, radius, scale in zip(centres, self.radius, self.scale, strict=True):
            density[tree.query_ball_point(centre, chord(radius), return_sorted=False)] += scale**-2
        return area * density

    @classmethod
    def of(cls, stores, bands) -> "ImagePlaces":
        """Of the images of some bands in stores; a pixel's side is that of a square image in its circle."""
        found = [
            (one.ra, one.dec, one.radius, 2 * one.radius / np.hypot(*store.shape(name)))
            for store in stores
            for name in store.ids
            if store.band(name) in bands
            for one in [store.footprint(name)]
        ]
        return cls(*np.array(found).reshape(-1, 4).T)


NOWHERE = ImagePlaces(*np.zeros((4, 0)))


@dataclass(frozen=True)
class CostLaw:
    """What patches of a pass cost."""

    sampled: bool = False  # drawn from, not optimized
    images: ImagePlaces = NOWHERE
    draws: int = USUAL  # of all chains of a patch, warm-up included

    def seconds(self, rows: np.ndarray, fitted: Sequence, regions: Sequence) -> np.ndarray:
        """Predicted seconds (P,) of one core for patches.

        Parameters
        ----------
        rows : scene rows (S,)
        fitted : of each patch the indices of the sources that are fitted, halo included
        regions : of each patch its circle on the sky
        """
        n, work = np.array([len(some) for some in fitted], "f8"), self.images.pixels(regions)
        if not self.sampled:
            return OPTIMUM[0] + n * (OPTIMUM[1] + OPTIMUM[2] * work)
        snr = signal_to_noise(rows)
        faintest = np.log([np.clip(np.min(snr[some]), FAINTEST, BRIGHTEST) for some in map(list, fitted)])
        factor, power, slope, bend = DRAWS
        evaluations = factor * n**power * np.exp((slope + bend * faintest) * faintest) * self.draws / USUAL
        area = np.pi * np.array([region.radius for region in regions]) ** 2
        own = work * np.minimum(1.0, AROUND / area)
        return evaluations * (EVALUATION[0] + EVALUATION[1] * n * own + EVALUATION[2] * work)

    def of_round(self, seconds: np.ndarray, rounds: np.ndarray, alone: np.ndarray) -> np.ndarray:
        """Predicted seconds (P,) of patches in some rounds (P,), given those of the first.

        alone : (P,) bool, no source is fixed in a patch: it is not optimized again
        """
        if self.sampled:
            return seconds
        again = np.where(alone, SETTLED, np.maximum(SETTLED, seconds * AGAIN**rounds))
        return np.where(rounds > 0, again, seconds)


def signal_to_noise(rows: np.ndarray) -> np.ndarray:
    """S/N (S,) of scene rows in the best band; UNKNOWN where no error is known."""
    bands = bands_of(rows)
    with np.errstate(divide="ignore", invalid="ignore"):
        every = np.array([np.abs(rows[band]) / rows[error_col(band)] for band in bands])
    known = np.isfinite(every)
    best = np.max(every, axis=0, initial=0.0, where=known)
    return np.where(known.any(axis=0), best, UNKNOWN)
