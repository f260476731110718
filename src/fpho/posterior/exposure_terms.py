"""Terms of an exposure that are fitted with its sources: one value for each exposure, with a normal prior.

The background is linear, and the kernel gives its slope of chi-square by itself. Other terms (a scale of the
fluxes, a shift) change the geometry of an exposure. They are classes with what `MovingTerm` has, and are fed
by the kernel's gradient and Fisher matrix of that exposure by component: an exposure is then a patch of its
own. Terms come after the sources, in z as in q: the background's values by exposure, then each other term's.
"""

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Protocol

import numpy as np

from ..kernel.arrays import PatchArrays, SourceArrays

STEP = 0.1  # of the pixels' noise, or of a prior's width: what a coordinate of 1 stands for


class MovingTerm(Protocol):
    """A term that changes the geometry of an exposure; 0 changes nothing."""

    name: str
    sigma: float  # width of the prior about 0, in the term's own unit

    def moved(self, patch: PatchArrays, value: float) -> PatchArrays:
        """The patch of one exposure at a value."""

    def slopes(self, patch: PatchArrays, components: np.ndarray, value: float) -> np.ndarray:
        """(N, B + 7) how the components (N, B + 7) would have to change for what d value does."""


@dataclass(frozen=True)
class ExposureTerms:
    """Values for E exposures: of the background or not, then of each moving term.

    `unit` of a coordinate of 1, and `curvature` of the prior (unit^-2), of all values; `n_linear` of them are
    backgrounds (nJy per pixel).
    """

    unit: np.ndarray = field(default_factory=lambda: np.zeros(0))
    curvature: np.ndarray = field(default_factory=lambda: np.zeros(0))
    n_linear: int = 0
    moving: tuple[MovingTerm, ...] = ()

    @property
    def names(self) -> list[str]:
        """What each value is of."""
        each = (len(self.unit) - self.n_linear) // max(len(self.moving), 1)
        return ["background"] * self.n_linear + [term.name for term in self.moving for _ in range(each)]

    def split(self, values) -> tuple[np.ndarray, np.ndarray]:
        """(backgrounds (E,) or (0,), values (K, E) of the moving terms)."""
        moving = values[self.n_linear :].reshape(len(self.moving), -1) if self.moving else np.zeros((0, 0))
        return values[: self.n_linear], moving


def background_terms(noise, sigma: float) -> ExposureTerms:
    """A constant for each exposure with `noise` (E,) nJy per pixel; prior normal about 0, `sigma` noises."""
    noise = np.asarray(noise, "f8")
    return ExposureTerms(STEP * noise, 1 / (sigma * noise) ** 2, len(noise))


def with_moving(terms: ExposureTerms, moving, n_exposures: int) -> ExposureTerms:
    """Terms with moving ones after them."""
    sigma = np.repeat([term.sigma for term in moving], n_exposures).astype("f8")
    return ExposureTerms(
        np.concatenate([terms.unit, STEP * sigma]),
        np.concatenate([terms.curvature, 1 / sigma**2]),
        terms.n_linear,
        tuple(moving),
    )


def single_exposures(arrays: PatchArrays) -> list[PatchArrays]:
    """Each exposure of a patch as a patch of its own."""
    out = []
    for e, (a, b) in enumerate(pairwise(arrays.exposure_start)):
        tiles = {name: getattr(arrays, name)[a:b] for name in ("data", "weight", "tile_x", "tile_y")}
        own = {
            name: getattr(arrays, name)[e : e + 1]
            for name in ("band", "position", "scale", "gain", "psf_index")
        }
        own["exposure_start"] = np.array([0, b - a], "i8")
        out.append(PatchArrays(**tiles, **own, psf=arrays.psf, psf_count=arrays.psf_count))
    return out


def evaluate_moving(kernel, patches, state: SourceArrays, terms: ExposureTerms, values):
    """chi2 (E,), gradient by components (N, B + 7) and by all terms, of `kernel.evaluate` by exposure.

    patches : those of `single_exposures`; values (K, E) of the moving terms
    """
    chi2, by_sky = np.zeros((2, len(patches)))
    by_component, by_moving = np.zeros(state.sources.shape), np.zeros(values.shape)
    for e, patch in enumerate(patches):
        patch, own = _at(patch, state, terms, values[:, e], e)
        (chi2[e],), gradient, (by_sky[e],) = kernel.evaluate(patch, own)
        by_component += gradient
        for k, term in enumerate(terms.moving):
            by_moving[k, e] = np.sum(gradient * term.slopes(patch, state.sources, values[k, e]))
    return chi2, by_component, np.concatenate([by_sky[: terms.n_linear], by_moving.ravel()])


def fisher_moving(kernel, patches, state: SourceArrays, terms: ExposureTerms, values) -> np.ndarray:
    """J^T W J by components' parameters (N (B + 7)), then by all terms, of `kernel.fisher` by exposure."""
    n, n_exposures = state.sources.size, len(patches)
    out = np.zeros((n + len(terms.unit),) * 2)
    for e, patch in enumerate(patches):
        patch, own = _at(patch, state, terms, values[:, e], e)
        jacobian = np.zeros((n + 1, len(out)))
        jacobian[:n, :n] = np.eye(n)
        if terms.n_linear:
            jacobian[n, n + e] = 1.0
        for k, term in enumerate(terms.moving):
            slopes = term.slopes(patch, state.sources, values[k, e]).ravel()
            jacobian[:n, n + terms.n_linear + k * n_exposures + e] = slopes
        out += jacobian.T @ kernel.fisher(patch, own) @ jacobian
    return out


def _at(patch, state, terms, values, e: int):
    """An exposure's patch at its values, and the state with its background."""
    for term, value in zip(terms.moving, values, strict=True):
        patch = term.moved(patch, value)
    background = state.background[e : e + 1]
    return patch, SourceArrays(state.sources, state.profile, state.profile_count, background)


def pixel_noise(arrays) -> np.ndarray:
    """Median noise of a good pixel in each exposure (E,), nJy."""
    start = arrays.exposure_start
    weights = [arrays.weight[a:b] for a, b in pairwise(start)]
    return np.array([1 / np.sqrt(np.median(w[w > 0])) if np.any(w > 0) else 1.0 for w in weights])
