"""The optimum of faint galaxies: the highest point with fluxes integrated out, not that of all parameters.

The larger a model is, the less the data fix its flux: the error goes as sqrt(w^2 + r^2) with the half-light
radius r, w the width of the PSF. Of a large model there are more fluxes that fit, and they count: the density
of shapes alone is, fluxes being linear in the model,

    ln p(shape) = max over fluxes of ln p + sum over bands of ln error(shape) + constant.

The highest point of p itself leaves the sum out and makes faint galaxies too small, so too faint, with
errors that are too small. In simulated deep fields (PSFs of NIRCam, two bands) at S/N 2 to 5 median sizes
go from 0.7-0.9 of the truth's to unity, and pulls of fluxes above S/N 3 from sd 1.08 to 1.04.
"""

import numpy as np

from ..patch.noise import footprint_sides
from ..posterior.compiled import value

SPAN = 1.5  # coordinates of the size to both sides of the optimum, which tell the width of the PSF
HALF = 0.5  # coordinates of the index to both sides, for the slope of errors
NARROW = 1e-3  # of the larger size: least width


def sizes(plan, z, width) -> tuple[np.ndarray, np.ndarray]:
    """Half-light radii (S,) in arcsec at z (ndim,), and d ln sqrt(w^2 + r^2) / dz (S,) for widths w (S,)."""
    col, n = plan.column("rhalf"), plan.n_bands
    table = plan.number[:, col - n]
    both = [
        value(z, i, origin, unit, plan.tables, number, True)
        for i, origin, unit, number in zip(
            plan.index[:, col], plan.origin[:, col], plan.unit[:, col], table, strict=True
        )
    ]
    radius, slope = np.array(both).reshape(-1, 2).T
    square = width**2 + radius**2
    return radius, np.where(width > 0, radius * slope / np.where(square > 0, square, 1.0), 0.0)


def widening(model, z) -> tuple[np.ndarray, np.ndarray]:
    """How the error of a source's flux, its shape known, grows with index and size, about z (ndim,).

    Returns
    -------
    by_index : (S,) d ln error / d (coordinate of the index)
    width : (S,) w in arcsec: the error goes as sqrt(w^2 + r^2) with the half-light radius r; 0: it does not
    """
    width = widths(model, z)
    if not width.any():
        return np.zeros(len(width)), width
    small, large = (areas(model, z, "sersic", move) for move in (-HALF, HALF))
    return np.log(large[0] / small[0]) / (4 * HALF), width


def widths(model, z) -> np.ndarray:
    """w (S,) in arcsec of `widening` about z (ndim,)."""
    if not model.arrays.n_exposures:
        return np.zeros(len(model.plan.index))
    (small, low), (large, high) = (areas(model, z, "rhalf", move) for move in (-SPAN, SPAN))
    rise, free = large - small, model.plan.index[:, model.plan.column("rhalf")] >= 0
    known = free & (rise > NARROW * small)
    square = (small * high**2 - large * low**2) / np.where(known, rise, 1.0)
    return np.where(known, np.sqrt(np.maximum(square, (NARROW * high) ** 2)), 0.0)


def areas(model, z, name: str, move: float) -> tuple[np.ndarray, np.ndarray]:
    """Noise-equivalent areas (S,) in pixels with a coordinate of all sources moved, and sizes (S,) there."""
    plan, arrays = model.plan, model.arrays
    first, at, moved = plan.components.first, plan.index[:, plan.column(name)], z.copy()
    moved[at[at >= 0]] += move
    state = model.state(moved)[0]
    sides = [footprint_sides(arrays, e, state)[first] for e in range(arrays.n_exposures)]
    return np.exp(2 * np.mean(np.log(sides), axis=0)), state.sources[first, -1]


class ShapesAlone:
    """A posterior with the logarithms of the flux errors in it, as its sources' sizes change them."""

    def __init__(self, model, z):
        """model : `Posterior`. z (ndim,): where the widths are measured, which change little with it."""
        self.model, self.plan, self.ndim = model, model.plan, model.ndim
        self.transform, self.fisher, self.n_pix = model.transform, model.fisher, model.n_pix
        plan, n = model.plan, model.plan.n_bands
        self.width = widths(model, z)
        self.size = plan.index[:, plan.column("rhalf")]
        grows = (self.size >= 0) & (self.width > 0)
        self.n_fluxes = np.where(grows, np.sum(plan.index[:, :n] >= 0, axis=1), 0)

    def lnprob_and_grad(self, z) -> tuple[float, np.ndarray]:
        """ln p at z (ndim,) with the term, without a constant, and its gradient (ndim,)."""
        lnp, gradient = self.model.lnprob_and_grad(z)
        if not np.isfinite(lnp):
            return lnp, gradient
        radius, growth = sizes(self.plan, z, self.width)
        use = self.n_fluxes > 0
        gradient[self.size[use]] += (self.n_fluxes * growth)[use]
        return lnp + float(self.n_fluxes[use] @ np.log(np.hypot(self.width, radius)[use])), gradient
