"""Priors as quantile functions of a standard normal coordinate.

A bounded parameter x has a coordinate z with z ~ N(0, 1) under the prior: x = F^-1(Phi(z)), F the
prior's distribution function truncated to the bounds. So ln prior = -z^2 / 2 whatever the family, the
prior's curvature is 1, no tail is heavy, and a posterior sd of 1 in z says that the data added nothing.
The map is a cubic spline through NODES exact values; the spline is the definition, so its derivative is
exact.

Ellipticity has two coordinates (w1, w2), normal under the prior: their length rho follows a Rayleigh law and
is mapped to |e| by quantiles, their direction is that of (e1, e2) (angles 2 pa are uniform).
"""

from functools import lru_cache

import numpy as np

from ..errors import InputError
from ..models import PARAMETERS

NODES = 513
REACH = 8.5  # tables cover |z| <= REACH; a normal draw lies outside once in 1e17
FLUX_FAMILIES = ("uniform", "normal", "student_t")

# (loc, scale) where the configuration gives no number: the models' own.
DEFAULTS = {
    (parameter.like, family): numbers
    for parameter in PARAMETERS.values()
    for family, numbers in parameter.families.items()
}
BETA = (2.0, 2.0)
STUDENT_DEGREES = 4.0


def distribution(parameter: str, prior, low: float, high: float):
    """Frozen scipy distribution of a `fpho.config.Prior` for a parameter within [low, high] (not truncated).

    Raises
    ------
    InputError
        If the family does not fit the parameter or its bounds.
    """
    from scipy import stats

    loc, scale = _numbers(parameter, prior, low, high)
    if prior.name in ("loguniform", "lognormal") and low <= 0:
        raise InputError(
            f"priors.{parameter}", f"{prior.name} with a lower bound of {low:g}", "Raise the bound above 0"
        )
    if prior.name == "uniform":
        return stats.uniform(low, high - low)
    if prior.name == "loguniform":
        return stats.loguniform(low, high)
    if prior.name == "normal":
        return stats.norm(loc, scale)
    if prior.name == "lognormal":
        return stats.lognorm(scale, scale=np.exp(loc))
    if prior.name == "beta":
        return stats.beta(prior.a or BETA[0], prior.b or BETA[1], low, high - low)
    if prior.name == "student_t":
        return stats.t(prior.a or STUDENT_DEGREES, loc, scale)
    raise InputError(f"priors.{parameter}", f"{prior.name} is for q only", "Use normal or lognormal")


def _numbers(parameter, prior, low, high):
    """(loc, scale) as given, or the default ones."""
    centre, half = 0.5 * (low + high), 0.5 * (high - low)
    default = (0.0, 0.5 * half) if parameter == "position" else (centre, half)
    default = DEFAULTS.get((parameter, prior.name), default)
    loc = default[0] if prior.loc is None else prior.loc
    return loc, default[1] if prior.scale is None else prior.scale


def nodes() -> np.ndarray:
    """The places (NODES,) of a table's values."""
    return np.linspace(-REACH, REACH, NODES)


def quantiles(law, low: float, high: float, z: np.ndarray) -> np.ndarray:
    """x(z) of a scipy distribution truncated to [low, high]; accurate in both tails."""
    from scipy.special import ndtr

    below, above = law.cdf(low), law.sf(high)
    inside = law.cdf(high) - below
    left = law.ppf(below + inside * ndtr(np.minimum(z, 0)))
    right = law.isf(above + inside * ndtr(-np.maximum(z, 0)))
    return np.clip(np.where(z < 0, left, right), low, high)


@lru_cache(maxsize=4096)
def table(parameter: str, prior, low: float, high: float, log: bool = False) -> np.ndarray:
    """Cubic pieces (NODES - 1, 4), lowest power first, of x(z), or of ln x(z)."""
    x = quantiles(distribution(parameter, prior, low, high), low, high, nodes())
    return pieces(nodes(), np.log(x) if log else x)


@lru_cache(maxsize=4096)
def radial_table(prior, q_low: float) -> np.ndarray:
    """Cubic pieces (NODES - 1, 4) of |e| / rho by rho in [0, REACH]; q = sqrt(b/a) runs from q_low to 1."""
    rho = np.linspace(0, REACH, NODES)
    limit = (1 - q_low**2) / (1 + q_low**2)
    if prior.name == "rayleigh":
        width = _numbers("q", prior, q_low, 1.0)[1]
        inside = -np.expm1(-0.5 * (limit / width) ** 2)
        e = width * np.sqrt(-2 * np.log1p(inside * np.expm1(-0.5 * rho**2)))
        at_zero = width * np.sqrt(inside)
    else:
        law = distribution("q", prior, q_low, 1.0)
        inside, above = law.cdf(1.0) - law.cdf(q_low), law.sf(1.0)
        q = np.clip(law.isf(above - inside * np.expm1(-0.5 * rho**2)), q_low, 1.0)
        e = (1 - q**2) / (1 + q**2)
        at_zero = 0.0  # a density that does not vanish at q = 1 makes |e| grow as rho^2
    ratio = np.concatenate([[at_zero], np.minimum(e[1:], limit) / rho[1:]])
    return pieces(rho, ratio)


def pieces(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Coefficients (N - 1, 4), lowest power first, of the cubic spline through (x, y)."""
    from scipy.interpolate import CubicSpline

    return np.ascontiguousarray(CubicSpline(x, y).c[::-1].T)


def flux_prior(prior, low: float, high: float) -> tuple[float, float, float, float, float]:
    """(kind, centre, half-width or scale, shoulder or degrees of freedom, curvature) of a flux.

    A flux is linear in its coordinate, so its prior is a density of its own. `uniform` is flat within the
    bounds and falls beyond them like a Gaussian of a tenth of the half-width: proper, smooth, and nothing
    piles up on an edge. The curvature (for step and metric) is 1 / variance.

    Raises
    ------
    InputError
        For a family that forbids negative fluxes.
    """
    if prior.name not in FLUX_FAMILIES:
        found = f"{prior.name} would forbid negative fluxes or bound them hard"
        raise InputError("priors.flux", found, f"Use one of {', '.join(FLUX_FAMILIES)}")
    centre, half = 0.5 * (low + high), 0.5 * (high - low)
    if not np.isfinite(half):
        return 0.0, 0.0, np.inf, 1.0, 0.0
    if prior.name == "uniform":
        return 0.0, centre, half, 0.1 * half, 3.0 / half**2
    loc = centre if prior.loc is None else prior.loc
    scale = half if prior.scale is None else prior.scale
    if prior.name == "normal":
        return 1.0, loc, scale, 0.0, 1.0 / scale**2
    degrees = prior.a or STUDENT_DEGREES
    return 2.0, loc, scale, degrees, (degrees + 1) / (degrees + 3) / scale**2
