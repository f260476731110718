"""Prior of the population: how many sources there are of a flux, how large they are, with which index.

Fluxes F_b of a source enter through one number, L = sum of w_b F_b, w_b = (f_b / s_b^2) / sum of f / s^2,
with the noise s_b of each flux and a first guess f_b: the mean flux, weighted as the S/N of the colours that
are known would have it. With B bands that have data, and the floor s^2 = sum of w_b s_b^2, a band's noise,

    ln p = - (B + c) ln(L^2 + s^2) / 2
           - (ln r - m_r - b ln(sqrt(L^2 + s^2) / F_25))^2 / 2 s_r^2     half-light radius r given flux
           - sum of min(F_b, 0)^2 / 2 (3 s_b)^2                          no light is negative
           + ln [(1 - h) N(ln n; m_d, s_d) + h N(ln n; m_e, s_e)]        Sersic index n: discs, spheroids

Counts dN/dL ~ L^-(1 + c) act once for each source. The other B - 1 powers say that colours do not depend on
brightness: a density in B fluxes that keeps its colours when all fluxes double has the degree -(B + c).
Within that, colours are flat. Simulated power laws with log-normal colours (0.06 to 0.4 dex) in 1 to 7 bands,
seen with Gaussian noise, have mean pulls below 0.08 and median ratios within 2.5% in bins of measured S/N
from 3 on; with L^-(1 + c) pulls are 0.17 in two bands and 0.35 in five at S/N 3 to 5.
Counts that rise below the noise would make every source nothing; level, they leave a source that the data do
not show where a flat prior would. Negative fluxes are there for the noise; three noises down they fall off,
or two large models that overlap would take fluxes of opposite sign without end (400,000 and -300,000 nJy for
two galaxies of 90, at 400 sources per square arcmin).

The coordinate of the index has its whole prior (see `priors`); that of the radius is a wide lognormal one's,
whose density is taken out. One normal law of ln n in place of two has too thin a tail for spheroids: indices
of galaxies of S/N 5 to 10 came out 0.24 of their errors low.

Numbers (`fpho.config.Population`). Counts: near-infrared counts at AB 22 to 29 rise by 0.2 to 0.3 dex per
magnitude (Windhorst et al. 2023, AJ 165, 13), so c = 2.5 x 0.25. Sizes: r ~ L^0.22 to L^0.27 (late types, van
der Wel et al. 2014, ApJ 788, 28; 0 < z < 8, Shibuya et al. 2015, ApJS 219, 15). 1e9 solar masses at z = 1.5
have 1.9 kpc along the major axis (the same), which is 0.22 arcsec at about AB 25 and, circularised at b/a =
0.7, 0.19. The scatter of 0.17 to 0.2 dex at one mass and redshift becomes 0.22 dex in a field. Indices:
medians of 1 to 1.5 at faint magnitudes, 0.5 to 0.6 in ln n with a tail: a tenth to a fifth have n > 2.5 (van
der Wel et al. 2012, ApJS 203, 24); early types about n = 3 to 4.
"""

from dataclasses import dataclass

import numpy as np

from ..config import Population, Prior
from ..machinecode import compiled
from .priors import DEFAULTS, Normal, TwoKinds

NEGATIVE = 3.0  # noises: scale of the fall towards negative fluxes
AB_25 = 10 ** (0.4 * (31.4 - 25.0))  # nJy
SIZE = DEFAULTS["rhalf", "lognormal"]  # mean and sd of ln r under the coordinate's own prior


def coordinate_priors(law: Population) -> dict[str, Prior | TwoKinds]:
    """Priors that give the coordinates of sizes and indices, by name."""
    return {"rhalf": Prior(name="lognormal"), "sersic": index_law(law)}


def index_law(law: Population) -> TwoKinds:
    """How Sersic indices are distributed: discs and spheroids."""
    discs = Normal(float(np.log(law.index)), law.index_scatter, log=True)
    spheroids = Normal(float(np.log(law.spheroid_index)), law.spheroid_scatter, log=True)
    return TwoKinds(discs, spheroids, law.spheroids)


@dataclass(frozen=True)
class PopulationTerm:
    """The prior of S sources in a fit, less what their coordinates have."""

    weight: np.ndarray  # (S, B): L from fluxes, 0 where a source or band has no say
    floor: np.ndarray  # (S,) nJy; 0 where the source has no such prior
    size: int  # column of the half-light radius
    power: np.ndarray  # (S,) B + c
    fall: np.ndarray  # (S, B) nJy^-2: 1 / (3 s_b)^2
    law: np.ndarray  # (3,): ln r at AB 25, b, s_r

    @property
    def width(self) -> float:
        """Standard deviation of a size's coordinate at one flux."""
        return float(self.law[2] / SIZE[1])

    @property
    def numbers(self) -> tuple:
        """What compiled code takes."""
        return self.weight, self.floor, self.power, self.fall, self.size, self.law

    def add_slopes(self, index, values, out) -> float:
        """ln p; adds its gradient to `out` (ndim,). `values` (S, C, 5): those of `compiled.parameters`."""
        return add_slopes(index, values, *self.numbers, out)

    def add_curvature(self, index, values, out) -> None:
        """Adds the curvature of -ln p to `out` (ndim, ndim)."""
        add_curvature(index, values, *self.numbers, out)


def population_term(law: Population, plan, flux, information) -> PopulationTerm:
    """The term of a fit's sources.

    Parameters
    ----------
    plan : `ParameterMap`
    flux : (S, B) first guess, nJy
    information : (ndim, ndim) Fisher matrix of the data in z
    """
    index = plan.index[:, : plan.n_bands]
    diagonal = np.diag(information)[np.maximum(index, 0)] / plan.unit[:, : plan.n_bands] ** 2
    precision = np.where(index >= 0, diagonal, 0.0)
    noise = 1 / np.sqrt(np.maximum(precision, 1e-300))
    guess = np.where(precision > 0, np.hypot(np.nan_to_num(flux), noise), 0.0)
    weight = guess * precision
    total = weight.sum(axis=1, keepdims=True)
    weight = np.divide(weight, total, out=np.zeros_like(weight), where=total > 0)
    floor = np.sqrt(np.sum(weight / np.maximum(precision, 1e-300), axis=1))
    power = np.sum(precision > 0, axis=1) + law.counts
    numbers = np.log(law.size), law.size_slope, law.size_scatter
    fall = precision / NEGATIVE**2
    return PopulationTerm(weight, floor, plan.column("rhalf"), power, fall, np.array(numbers, "f8"))


@compiled(forceinline=True)
def level(values, weight, floor, s):
    """Of source s: L, ln of sqrt(L^2 + s^2) / F_25, and its derivative by L."""
    total = 0.0
    for b in range(weight.shape[1]):
        total += weight[s, b] * values[s, b, 0]
    square = total * total + floor[s] * floor[s]
    return total, 0.5 * np.log(square) - np.log(AB_25), total / square


@compiled(forceinline=True)
def add_slopes(index, values, weight, floor, power, fall, size, law, out):
    """ln p of the term, without a constant; adds its gradient to `out` (ndim,).

    values : (S, C, 5) of `compiled.parameters`
    """
    lnp = 0.0
    for s in range(len(floor)):
        if floor[s] <= 0:
            continue
        _, ln_flux, rise = level(values, weight, floor, s)
        lnp -= power[s] * ln_flux
        push, i = -power[s], index[s, size]  # push: d ln p / d ln sqrt(L^2 + s^2)
        if i >= 0:
            ln_r = np.log(values[s, size, 0])
            far = (ln_r - law[0] - law[1] * ln_flux) / law[2]
            own = (ln_r - SIZE[0]) / SIZE[1]
            lnp -= 0.5 * (far * far - own * own)
            push += law[1] * far / law[2]
            out[i] += (own / SIZE[1] - far / law[2]) * values[s, size, 1] / values[s, size, 0]
        for b in range(weight.shape[1]):
            if index[s, b] >= 0:
                below = fall[s, b] * min(values[s, b, 0], 0.0)
                lnp -= 0.5 * below * values[s, b, 0]
                out[index[s, b]] += (push * rise * weight[s, b] - below) * values[s, b, 1]
    return lnp


@compiled
def add_curvature(index, values, weight, floor, power, fall, size, law, out):
    """Adds the curvature of -ln p to `out` (ndim, ndim): of sizes J^t J, of counts where they are convex."""
    n_bands = weight.shape[1]
    for s in range(len(floor)):
        if floor[s] <= 0:
            continue
        total, _, rise = level(values, weight, floor, s)
        i, square = index[s, size], total * total + floor[s] * floor[s]
        convex = max(power[s] * (1 / square - 2 * rise * rise), 0.0)
        slope = values[s, size, 1] / values[s, size, 0] if i >= 0 else 0.0
        if i >= 0:
            out[i, i] += slope * slope * (1 / law[2] ** 2 - 1 / SIZE[1] ** 2)
        for b in range(n_bands):
            j = index[s, b]
            if j < 0:
                continue
            by_j = weight[s, b] * values[s, b, 1]
            if values[s, b, 0] < 0:
                out[j, j] += fall[s, b] * values[s, b, 1] ** 2
            if i >= 0:
                cross = -slope * law[1] * rise * by_j / law[2] ** 2
                out[i, j] += cross
                out[j, i] += cross
            for other in range(n_bands):
                k = index[s, other]
                if k >= 0:
                    by_k = weight[s, other] * values[s, other, 1]
                    size_part = (law[1] * rise / law[2]) ** 2 if i >= 0 else 0.0
                    out[j, k] += (convex + size_part) * by_j * by_k
