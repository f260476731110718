"""The model's flux within circles on the source: what the data tell of a faint source whatever its profile.

A total flux holds light far out, which pixels do not show and the prior of sizes and indices adds. Within a
circle about as large as the PSF, model and data agree. The model is that of the fit: mixtures of Gaussians,
convolved with the PSF's; against GalSim with the PSF's image, a flux within a circle is right to 0.3%.
Circles: one with the FWHM of the band's PSF as its radius, and those of `model.apertures`, for each source
and band about its final position; the PSF is that of the band's image that weighs most at the source.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from ..geometry import tile_pixels
from .circle import light_within
from .fwhm import fwhm

MOST_DRAWS = 128  # errors of medians and widths from these are 0.1 and 0.06 of the widths
STEP = 1e-3  # of a coordinate, for slopes
NEAR = 16.0  # pixels from a source within which an image's weight counts


@dataclass(frozen=True)
class Apertures:
    """Fluxes (nJy) of S sources in B bands within A circles; NaN where no image of a band has a source."""

    radius: np.ndarray  # (S, B, A) arcsec; the first is the PSF's FWHM
    flux: np.ndarray  # (S, B, A) at the optimum, or the median of draws
    error: np.ndarray  # (S, B, A)

    def plain(self) -> tuple:
        """As nested lists (3, S, B, A), for JSON; None for NaN."""
        values = np.stack([self.radius, self.flux, self.error])
        out = values.astype(object)
        out[~np.isfinite(values)] = None
        return tuple(out.tolist())


def apertures_of(values) -> Apertures:
    """`Apertures` from (3, S, B, A) numbers."""
    return Apertures(*np.asarray(values, "f8"))


def optimum_apertures(model, optimum, radii) -> Apertures:
    """At an optimum, errors by linear propagation of its covariance; the circles move with the sources."""
    circles = _Circles(model, radii)
    flux, index = circles.fluxes(optimum.z, None), model.plan.index
    slopes = np.zeros((*flux.shape, index.shape[1]))
    n_bands = model.plan.n_bands
    for c in (*range(n_bands), *range(n_bands + 2, index.shape[1])):
        step = np.zeros(len(optimum.z))
        step[index[index[:, c] >= 0, c]] = STEP
        if step.any():
            ends = [circles.fluxes(optimum.z + sign * step, None) for sign in (1, -1)]
            slopes[..., c] = (ends[0] - ends[1]) / (2 * STEP)
    error = np.zeros_like(flux)
    for s, row in enumerate(index):
        own = optimum.covariance[np.ix_(row, row)] * np.outer(row >= 0, row >= 0)
        error[s] = np.sqrt(np.einsum("bai,ij,baj->ba", slopes[s], own, slopes[s]))
    return Apertures(circles.radius, flux, np.where(np.isfinite(flux), error, np.nan))


def drawn_apertures(model, z, q, radii) -> Apertures:
    """Medians and standard deviations over draws z (N, ndim), about the positions of the vector q."""
    circles = _Circles(model, radii)
    centres = circles.places(model.transform.inverse_transform(q))
    keep = np.unique(np.linspace(0, len(z) - 1, MOST_DRAWS).astype(int))
    flux = np.array([circles.fluxes(one, centres) for one in z[keep]])
    return Apertures(circles.radius, np.median(flux, axis=0), np.std(flux, axis=0))


class _Circles:
    """The circles of a posterior's sources, and the PSF in arcsec of each source and band."""

    def __init__(self, model, radii):
        plan = model.plan
        self.model, self.first = model, plan.components.first
        shape = len(plan.index), plan.n_bands
        self.radius = np.tile(np.array([np.nan, *radii], "f8"), (*shape, 1))
        self.psfs: dict[tuple[int, int], np.ndarray] = {}
        for s, b in np.ndindex(shape):
            e = _exposure(model.arrays, b, self.first[s])
            if e is not None:
                self.psfs[s, b] = _on_sky(model.arrays, e, self.first[s])
                self.radius[s, b, 0] = fwhm(self.psfs[s, b])

    def places(self, z) -> np.ndarray:
        """(S, 2) offsets (arcsec) of the sources from their reference positions."""
        n_bands = self.model.plan.n_bands
        return self.model.state(z)[0].sources[self.first, n_bands : n_bands + 2]

    def fluxes(self, z, centres) -> np.ndarray:
        """(S, B, A) fluxes about `centres` (S, 2), or the sources' own places when None."""
        state, _ = self.model.state(z)
        parts, n = self.model.plan.components, self.model.plan.n_bands
        seen = np.isfinite(self.radius[..., :1])
        out = np.where(seen, 0.0, np.nan) * np.ones(self.radius.shape[2])
        for k, s in enumerate(parts.source):
            source = state.sources[k]
            place = source[n : n + 2] - (source[n : n + 2] if centres is None else centres[s])
            profile = np.ascontiguousarray(state.profile[k, : state.profile_count[k], :2])
            for b in range(n):
                if (s, b) in self.psfs and source[b] != 0:
                    radius = self.radius[s, b]
                    share = light_within(profile, source[n + 2 : n + 5], self.psfs[s, b], place, radius)
                    out[s, b] += source[b] * share
        return out


def _exposure(arrays, band: int, n: int) -> int | None:
    """The image of a band with the largest weight near component n; None where none has a good pixel."""
    x, y = tile_pixels(arrays.tile_x, arrays.tile_y)
    best, chosen = 0.0, None
    for e, (a, b) in enumerate(pairwise(arrays.exposure_start)):
        if arrays.band[e] != band or a == b:
            continue
        centre = arrays.position[e, n]
        near = np.hypot(x[a:b] - centre[0], y[a:b] - centre[1]) < NEAR
        weight = float(np.sum(arrays.weight[a:b] * near)) * abs(np.linalg.det(arrays.scale[e, n]))
        if weight > best:
            best, chosen = weight, e
    return chosen


def _on_sky(arrays, e: int, n: int) -> np.ndarray:
    """PSF (J, 6) of an exposure at component n, from pixels to arcsec east and north."""
    index = arrays.psf_index[e, n]
    mixture = arrays.psf[index, : arrays.psf_count[index]]
    back = np.linalg.inv(arrays.scale[e, n])
    covariance = back @ mixture[:, [3, 5, 5, 4]].reshape(-1, 2, 2) @ back.T
    centre = mixture[:, 1:3] @ back.T
    return np.column_stack(
        [mixture[:, 0], centre, covariance[:, 0, 0], covariance[:, 1, 1], covariance[:, 0, 1]]
    )
