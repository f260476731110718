"""Draws under another prior than the one that they were made under."""

import numpy as np

from ..config import Population
from .draws import SourceDraws, ln_density


def weights_of(source: SourceDraws, law: Population) -> np.ndarray:
    """(N,) weights of a source's draws under a population; their sum is 1."""
    ratio = ln_density(law, source.flux, source.size, source.index, source.bands) - source.interim
    weight = np.exp(ratio - ratio.max())
    return weight / weight.sum()


def effective_number(weight) -> float:
    """Draws of equal weight that would tell as much (Kish 1965)."""
    return float(1 / np.sum(np.square(weight)))


def reweighted(source: SourceDraws, law: Population, rng) -> tuple[np.ndarray, float]:
    """(places of as many draws, chosen in proportion to their weights; effective number).

    Chosen at equal steps of the summed weights from a random start, which adds least noise (Kitagawa 1996,
    J. Comp. Graph. Stat. 5, 1).
    """
    weight = weights_of(source, law)
    steps = (rng.uniform() + np.arange(len(weight))) / len(weight)
    places = np.searchsorted(np.cumsum(weight), steps * (1 - 1e-12))
    return np.minimum(places, len(weight) - 1), effective_number(weight)
