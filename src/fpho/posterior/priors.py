"""Priors as quantile functions of a standard normal coordinate.

A bounded parameter x has a coordinate z with z ~ N(0, 1) under the prior: x = F^-1(Phi(z)), F the
prior's distribution function truncated to the bounds. So ln prior = -z^2 / 2 whatever the family, the
prior's curvature is 1, no tail is heavy, and a posterior sd of 1 in z says that the data added nothing.
The map is a cubic spline through NODES exact values; the spline is the definition, so its derivative is
exact.

Ellipticity has two coordinates (w1, w2), normal under the prior: their length rho follows a Rayleigh law and
is mapped to |e| by quantiles, their direction is that of (e1, e2) (angles 2 pa are uniform).
"""

from dataclasses import dataclass
from functools import lru_cache
from math import log, pi, sqrt

import numpy as np
from scipy.linalg import solve_banded
from scipy.special import ndtr, ndtri

from ..errors import InputError
from ..models import PARAMETERS

NODES = 513
HALVINGS = 50  # of a bracket, to a double's last digits
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
    check_family(parameter, prior, low)
    from scipy import stats  # half a second

    loc, scale = _numbers(parameter, prior, low, high)
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
    return stats.t(prior.a or STUDENT_DEGREES, loc, scale)


def check_family(parameter: str, prior, low: float) -> None:
    """Stop where a prior's family does not fit its parameter, or the lower bound of that.

    Raises
    ------
    InputError
        With the option.
    """
    if prior.name in ("loguniform", "lognormal") and low <= 0:
        found = f"{prior.name} with a lower bound of {low:g}"
        raise InputError(f"priors.{parameter}", found, "Raise the bound above 0")
    if prior.name == "rayleigh":
        raise InputError(f"priors.{parameter}", f"{prior.name} is for q only", "Use normal or lognormal")


def _law(parameter: str, prior, low: float, high: float):
    """As `distribution`; the usual families without scipy.stats, which takes half a second to import.

    A law is itself.
    """
    if isinstance(prior, TwoKinds):
        return prior
    if prior.name == "normal" or (prior.name == "lognormal" and low > 0):
        return Normal(*_numbers(parameter, prior, low, high), prior.name == "lognormal")
    return distribution(parameter, prior, low, high)


@dataclass(frozen=True)
class Normal:
    """A normal law, of x or of ln x, with the methods of scipy's that `quantiles` calls."""

    loc: float
    scale: float
    log: bool = False

    def _standard(self, x):
        return ((np.log(x) if self.log else x) - self.loc) / self.scale

    def _value(self, z):
        x = self.loc + self.scale * z
        return np.exp(x) if self.log else x

    def cdf(self, x):
        """Probability below x."""
        return ndtr(self._standard(x))

    def sf(self, x):
        """Probability above x."""
        return ndtr(-self._standard(x))

    def ppf(self, p):
        """The x with probability p below it."""
        return self._value(ndtri(p))

    def isf(self, p):
        """The x with probability p above it."""
        return self._value(-ndtri(p))

    def log_density(self, y):
        """ln of the density of y = x, or ln x."""
        return -0.5 * ((y - self.loc) / self.scale) ** 2 - log(self.scale * sqrt(2 * pi))


@dataclass(frozen=True)
class TwoKinds:
    """Two laws of ln x, of which `share` have the second, with the methods that `quantiles` calls."""

    first: Normal
    second: Normal
    share: float

    def _mean(self, of_first, of_second):
        return (1 - self.share) * of_first + self.share * of_second

    def cdf(self, x):
        """Probability below x."""
        return self._mean(self.first.cdf(x), self.second.cdf(x))

    def sf(self, x):
        """Probability above x."""
        return self._mean(self.first.sf(x), self.second.sf(x))

    def ppf(self, p):
        """The x with probability p below it."""
        return self._between(self.first.ppf(p), self.second.ppf(p), lambda x: self.cdf(x) < p)

    def isf(self, p):
        """The x with probability p above it."""
        return self._between(self.first.isf(p), self.second.isf(p), lambda x: self.sf(x) > p)

    def _between(self, one, other, is_below):
        """By halving ln x between the quantiles of both, where that of the whole lies."""
        low, high = np.log(np.minimum(one, other)), np.log(np.maximum(one, other))
        for _ in range(HALVINGS):
            middle = 0.5 * (low + high)
            below = is_below(np.exp(middle))
            low, high = np.where(below, middle, low), np.where(below, high, middle)
        return np.exp(0.5 * (low + high))

    def log_density(self, ln_x):
        """ln of the density of ln x."""
        with np.errstate(divide="ignore"):
            shares = np.log([1 - self.share, self.share])
        return np.logaddexp(
            shares[0] + self.first.log_density(ln_x), shares[1] + self.second.log_density(ln_x)
        )


def _numbers(parameter, prior, low, high):
    """(loc, scale) as given, or the default ones."""
    centre, half = 0.5 * (low + high), 0.5 * (high - low)
    default = (0.0, half) if parameter == "position" else (centre, half)
    default = DEFAULTS.get((parameter, prior.name), default)
    loc = default[0] if prior.loc is None else prior.loc
    return loc, default[1] if prior.scale is None else prior.scale


def nodes() -> np.ndarray:
    """The places (NODES,) of a table's values."""
    return np.linspace(-REACH, REACH, NODES)


def quantiles(law, low: float, high: float, z: np.ndarray) -> np.ndarray:
    """x(z) of a scipy distribution truncated to [low, high]; accurate in both tails."""
    below, above = law.cdf(low), law.sf(high)
    inside = law.cdf(high) - below
    left = law.ppf(below + inside * ndtr(np.minimum(z, 0)))
    right = law.isf(above + inside * ndtr(-np.maximum(z, 0)))
    return np.clip(np.where(z < 0, left, right), low, high)


@lru_cache(maxsize=4096)
def table(parameter: str, prior, low: float, high: float, log: bool = False) -> np.ndarray:
    """Cubic pieces (NODES - 1, 4), lowest power first, of x(z), or of ln x(z)."""
    x = quantiles(_law(parameter, prior, low, high), low, high, nodes())
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
    """Coefficients (N - 1, 4), lowest power first, of the cubic spline through (x, y), x at equal steps.

    Its third derivative is continuous at the second and the last but one place (scipy's `CubicSpline`, whose
    import takes longer than all tables of a fit).
    """
    h = (x[-1] - x[0]) / (len(x) - 1)
    rise = np.diff(y) / h
    bands = np.ones((3, len(x)))  # of the equations for the slopes
    bands[0, 1], bands[1, 1:-1], bands[2, -2] = 2.0, 4.0, 2.0
    first, last = (5 * rise[0] + rise[1]) / 2, (5 * rise[-1] + rise[-2]) / 2
    slope = solve_banded((1, 1), bands, np.concatenate([[first], 3 * (rise[1:] + rise[:-1]), [last]]))
    left, right = slope[:-1], slope[1:]
    cubic = [y[:-1], left, (3 * rise - 2 * left - right) / h, (left + right - 2 * rise) / h**2]
    return np.ascontiguousarray(np.stack(cubic, axis=-1))


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
