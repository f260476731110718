"""The population that makes the draws of all sources most likely."""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import logsumexp

from ..config import Population
from ..errors import InputError
from ..posterior.population import AB_25
from .draws import SourceDraws, ln_density

FEWEST = 20  # sources, to learn sizes and indices; and of those that are bright, the counts
BRIGHT = 10.0  # floors: counts are those of the fluxes above this
N_DRAWS = 256  # K of each source, at equal distances along its chains
STEP = 1e-3
NAMES = ("size", "size_slope", "size_scatter", "index", "index_scatter", "spheroids")
LOGS = ("size", "size_scatter", "index", "index_scatter")  # learned in their logarithm
SHARES = ("spheroids",)  # learned as sin(x)^2


@dataclass(frozen=True)
class Learned:
    """A population, and the errors of its numbers by name (of `size`, `index` and scatters: relative).

    Index and scatter of spheroids, of which a field has few, are as they were.
    """

    law: Population
    errors: dict[str, float]
    sources: int  # that sizes and indices were learned from
    bright: int  # that the counts were learned from; 0: they are as they were


def learn(sources: list[SourceDraws], start: Population | None = None) -> Learned:
    """Sizes given flux, indices, and the counts of bright sources.

    Which sources are listed is taken to depend on what the images show, not on sizes beyond that.

    Parameters
    ----------
    start : where the search begins, and what counts are where too few sources are bright

    Raises
    ------
    InputError
        If fewer than FEWEST sources have a size and an index.
    """
    start = start or Population()
    shaped = [source for source in sources if source.has_shape and source.floor > 0]
    if len(shaped) < FEWEST:
        found = f"{len(shaped)} galaxies with draws"
        raise InputError("learning", found, f"A population takes at least {FEWEST}; use the published one")
    counts, counts_error, bright = bright_counts(sources)
    start = start.model_copy(update={"use": True} | ({"counts": counts} if bright else {}))
    flux, size, index, interim = np.stack([_thinned(source) for source in shaped], axis=1)  # (S, K) each

    bands = np.array([source.bands for source in shaped])[:, None]

    def cost(x) -> float:
        ratio = ln_density(_law(start, x), flux, size, index, bands) - interim
        return -float(np.sum(logsumexp(ratio, axis=1)))

    first = np.array([_free(name, getattr(start, name)) for name in NAMES])
    how = {"xatol": STEP, "fatol": 0.01, "maxiter": 2000}
    best = minimize(cost, first, method="Nelder-Mead", options=how)
    spread = np.sqrt(np.diag(np.linalg.pinv(_hessian(cost, best.x))))
    errors = dict(zip(NAMES, map(float, spread), strict=True))
    for name in SHARES:
        at, error = best.x[NAMES.index(name)], errors[name]
        errors[name] = max(abs(_value(name, at + sign * error) - _value(name, at)) for sign in (1, -1))
    errors |= {"counts": counts_error} if bright else {}
    return Learned(_law(start, best.x), errors, len(shaped), bright)


def bright_counts(sources: list[SourceDraws]) -> tuple[float, float, int]:
    """(c, its error, number) of the sources above BRIGHT typical floors; number 0 where these are too few.

    The maximum of the likelihood of a power law above a limit (Crawford, Jauncey, Murdoch 1970, ApJ 162,
    405).
    """
    floors = [source.floor for source in sources if source.floor > 0]
    flux = np.array([np.exp(np.median(source.flux)) for source in sources if source.floor > 0])
    limit = BRIGHT * np.median(floors) / AB_25 if floors else 0.0
    above = flux[flux > limit]
    if len(above) < FEWEST:
        return 0.0, 0.0, 0
    c = (len(above) - 1) / float(np.sum(np.log(above / limit)))
    return c, c / np.sqrt(len(above)), len(above)


def _law(start: Population, x) -> Population:
    return start.model_copy(update={name: _value(name, v) for name, v in zip(NAMES, x, strict=True)})


def _free(name: str, value: float) -> float:
    """A number of the population without bounds."""
    if name in SHARES:
        return float(np.arcsin(np.sqrt(value)))
    return float(np.log(value)) if name in LOGS else value


def _value(name: str, x: float) -> float:
    """The number that `_free` made x of."""
    if name in SHARES:
        return float(np.sin(x) ** 2)
    return float(np.exp(x)) if name in LOGS else float(x)


def _thinned(source: SourceDraws) -> np.ndarray:
    """(4, K) flux, size, index, interim of K draws."""
    keep = np.linspace(0, len(source.flux) - 1, N_DRAWS).astype(int)
    return np.stack([source.flux, source.size, source.index, source.interim])[:, keep]


def _hessian(function, x) -> np.ndarray:
    """Second differences (n, n)."""
    n, h = len(x), 20 * STEP
    axes = h * np.eye(n)
    out = np.zeros((n, n))
    for i in range(n):
        for j in range(i + 1):
            ends = [function(x + s * axes[i] + t * axes[j]) for s in (1, -1) for t in (1, -1)]
            out[i, j] = out[j, i] = (ends[0] - ends[1] - ends[2] + ends[3]) / (4 * h * h)
    return out
