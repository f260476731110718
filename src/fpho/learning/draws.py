"""What learning needs of a source's draws: flux, size, index, and the prior that they were made under."""

import json
from dataclasses import dataclass

import numpy as np

from ..config import Population, Priors, make_config
from ..errors import InputError
from ..posterior.population import AB_25, index_law
from ..posterior.priors import Normal, distribution
from ..results import Samples

SHAPES = {"rhalf": "size", "sersic": "index"}


@dataclass(frozen=True)
class SourceDraws:
    """One source: N draws, chain after chain, in natural logarithms; size and index NaN where not free.

    flux : of sqrt(L^2 + s^2) in units of AB 25, see `posterior.population`
    size : of the half-light radius (arcsec); index : of the Sersic index
    interim : of the prior's density of (fluxes, ln size, ln index), without a constant
    """

    source_index: int
    flux: np.ndarray
    size: np.ndarray
    index: np.ndarray
    interim: np.ndarray
    floor: float  # s, nJy
    bands: int = 1  # with data

    @property
    def has_shape(self) -> bool:
        """Whether it has a size and an index, as point sources do not."""
        return bool(np.isfinite(self.size).all() and np.isfinite(self.index).all())


def drawn_sources(path) -> list[SourceDraws]:
    """The sources of a samples file, or of its record (S,), in its order.

    Raises
    ------
    InputError
        If the draws were made under another prior of fluxes than a flat one or that of a population.
    """
    samples = Samples(path)
    priors = make_config({"priors": json.loads(samples.attrs["priors"])}, where=path).priors
    if priors.flux.name != "uniform":
        cure = "Sample with priors.flux uniform, or with priors.population"
        raise InputError(path, f"priors.flux is {priors.flux.name}, of which nothing can be learned", cure)
    return [_source(samples, s, priors) for s in range(len(samples.final))]


def _source(samples: Samples, s: int, priors: Priors) -> SourceDraws:
    draws, floor = samples.samples[s], float(samples.flux_floor[s])
    total = sum(w * draws[band] for w, band in zip(samples.flux_weight[s], samples.bands, strict=True))
    flux = 0.5 * np.log(np.maximum(total**2 + floor**2, 1e-300)) - np.log(AB_25)
    bands = int(np.count_nonzero(samples.flux_weight[s]))
    values, interim = {}, np.zeros(len(draws))
    for name, short in SHAPES.items():
        low, high = map(float, samples.bounds[name][s])
        free = high > low and not samples.final["is_point"][s]
        values[short] = np.log(draws[name]) if free else np.full(len(draws), np.nan)
        if free and not priors.has_population:
            law = distribution(name, getattr(priors, name), low, high)
            interim += law.logpdf(draws[name]) + values[short]
    if priors.has_population:
        interim = ln_density(priors.population, flux, values["size"], values["index"], bands)
    index = int(samples.final["source_index"][s])
    return SourceDraws(index, flux, values["size"], values["index"], interim, floor, bands)


def ln_density(law: Population, flux, size, index, bands) -> np.ndarray:
    """ln of the density of (fluxes in some bands, ln size, ln index), but for a constant; NaN has no part."""
    mean = np.log(law.size) + law.size_slope * flux
    out = -(bands + law.counts) * flux
    for one, x in ((Normal(0.0, law.size_scatter), size - mean), (index_law(law), index)):
        known = np.isfinite(x)
        out = out + np.where(known, one.log_density(np.where(known, x, 0.0)), 0.0)
    return out
