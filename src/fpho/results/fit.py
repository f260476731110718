"""How well a patch is fitted where each of its sources counts.

Residuals are in units of the pixels' errors; a model that is right has a mean squared residual of 1, and a
mean over n pixels has a standard deviation of sqrt(2 / n). One weighted by w has n = (sum w)^2 / sum w^2.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from ..geometry import tile_pixels
from ..kernel.arrays import SourceArrays
from ..parameters import q_names

RADII = 2.0  # half-light radii
PIXELS = 3.0  # and at least this many pixels
SHARE = 0.01  # of a source's brightest pixel, in S/N: pixels with less light do not count
POOR = 1.5  # mean squared residual
SIGNIFICANT = 5.0  # and its excess over 1 in standard deviations
MEDIAN = 0.4549  # of the square of a unit normal
MEDIAN_ERROR = 1.65  # error of a variance from the median of squares over that from their mean


@dataclass(frozen=True)
class FitQuality:
    """S sources; mean squared residuals and the numbers of pixels that they are the means of."""

    chi2: np.ndarray  # (S,) sum of squared residuals near the source: RADII, PIXELS
    n_pix: np.ndarray  # (S,)
    by_light: np.ndarray  # (S,) mean over all pixels in which the source counts, weighted by its light
    light_pixels: np.ndarray  # (S,) effective number of pixels
    around: np.ndarray  # (S,) mean within the radius of influence
    around_pixels: np.ndarray  # (S,)
    typical: np.ndarray  # (S,) typical squared residual of the worst exposure that has the source
    typical_pixels: np.ndarray  # (S,)

    @property
    def poor(self) -> np.ndarray:
        """(S,) bool: residuals too large, near the source, under its light, around it or everywhere."""
        near = self.chi2 / np.maximum(self.n_pix, 1), self.n_pix
        means = near, (self.by_light, self.light_pixels), (self.around, self.around_pixels)
        typical = _excess(self.typical, self.typical_pixels / MEDIAN_ERROR**2)
        return np.any([*(_excess(*mean) for mean in means), typical], axis=0)


def _excess(mean, n) -> np.ndarray:
    return (mean > POOR) & (mean - 1 > SIGNIFICANT * np.sqrt(2 / np.maximum(n, 1)))


def fit_quality(model, q) -> FitQuality:
    """`FitQuality` of a posterior's sources at a vector q (P,)."""
    arrays, n_bands = model.arrays, len(model.bands)
    first = model.plan.components.first
    n_sources, rhalf = len(first), sizes_of(model, q)
    state, _ = model.state(model.transform.inverse_transform(q))
    squares = arrays.weight * (arrays.data - model.kernel.model(arrays, state)) ** 2
    x, y = tile_pixels(arrays.tile_x, arrays.tile_y)
    sums = np.zeros((3, 3, n_sources))  # near, by light, around: sum of w r^2, of w, of w^2
    usual, typical = _typical(arrays, squares), np.zeros((2, n_sources))
    for s, n in enumerate(first):
        light = source_light(model, state, s)
        floor = SHARE * light.max(initial=0.0)
        for e, (a, b) in enumerate(pairwise(arrays.exposure_start)):
            good, some = arrays.weight[a:b] > 0, squares[a:b]
            scale = arrays.scale[e, n]
            centre = arrays.position[e, n] + scale @ state.sources[n, n_bands : n_bands + 2]
            pixel = np.sqrt(np.abs(np.linalg.det(scale)))
            away = np.hypot(x[a:b] - centre[0], y[a:b] - centre[1])
            near = good & (away < max(RADII * rhalf[s] * pixel, PIXELS))
            weights = (
                near,
                np.where(good & (light[a:b] > floor), light[a:b], 0.0),
                good & (away < max(model.rows["roi"][s] * pixel, PIXELS)),
            )
            sums[:, :, s] += [[(w * some).sum(), w.sum(), (w * w).sum()] for w in map(np.float64, weights)]
            if near.any():
                typical[:, s] = max(tuple(typical[:, s]), usual[e])
    mean = sums[:, 0] / np.maximum(sums[:, 1], 1e-300)
    count = sums[:, 1] ** 2 / np.maximum(sums[:, 2], 1e-300)
    return FitQuality(sums[0, 0], sums[0, 1], mean[1], count[1], mean[2], count[2], *typical)


def _typical(arrays, squares) -> list[tuple[float, int]]:
    """(typical squared residual, good pixels) of each exposure; sources are few of its pixels."""
    good = arrays.weight > 0
    pixels = [squares[a:b][good[a:b]] for a, b in pairwise(arrays.exposure_start)]
    return [(np.median(some) / MEDIAN if len(some) else 0.0, len(some)) for some in pixels]


def sizes_of(model, q) -> np.ndarray:
    """Half-light radii (S,) of a posterior's sources in a vector q (P,), arcsec."""
    names, n_sources = q_names(model.bands), len(model.rows)
    return np.asarray(q)[: n_sources * len(names)].reshape(n_sources, -1)[:, names.index("rhalf")]


def source_light(model, state: SourceArrays, s: int) -> np.ndarray:
    """(T, 64) light of one source, in units of the pixels' errors."""
    sources = state.sources.copy()
    sources[model.plan.components.source != s, : len(model.bands)] = 0.0
    alone = SourceArrays(sources, state.profile, state.profile_count, np.zeros_like(state.background))
    return np.sqrt(model.arrays.weight) * np.abs(model.kernel.model(model.arrays, alone))
