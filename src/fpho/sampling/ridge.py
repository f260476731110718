"""Ridge coordinates y: in them the bent posterior of a faint source is nearly straight; y = z to first order.

Where the wings of a galaxy are lost in the noise, total flux, half-light radius and Sersic index grow
together along a bent, skewed ridge: flux as the exponential of log size, log size with the index itself
rather than with its logarithm. What the data fix is the flux within the seen aperture, and the less of it
the larger the source: at a size R the error of a flux is as sqrt(w^2 + R^2), w the width of the PSF. With
D, R the distances of the index's and the size's coordinate from the optimum, and F0 the fluxes there:

    z_size = y_size + c ((n / n0 - 1) / k - D),      k = d ln n / dz at the optimum
    flux   = (flux(y) - F0 t) exp(t),                t = a D + b R + ln [(w^2 + r^2) / (w^2 + r0^2)] / 2

so flux(y) is the flux with that of larger or smaller models taken out, r being the half-light radius: of a
source that is not seen at all it is the S/N times an error that no size changes. The numbers are such that
the slopes of t at the optimum are the regressions of ln flux on index and size in the Gaussian there; where
fluxes are not seen these are the slopes of the errors. c is the regression of size on index. At the optimum
the Jacobian is the unit matrix, so the optimum and its covariance are the same in y and z. The density in y
has the Jacobian in it (ln |dz/dy| = number of fluxes times t): what is sampled does not change.
"""

import math
from dataclasses import dataclass

import numpy as np

from ..machinecode import compiled
from ..optimize.volume import sizes, widening
from ..posterior.compiled import value
from ..posterior.parameter_map import ParameterMap

LARGEST = 30.0  # of |t|: far beyond, where only rejected steps go
SURE = 9.0  # (S/N)^2 of the fluxes at which half of a and b is believed
SLOWEST = 0.1  # k below which the index is near a bound, and c is left out


@dataclass(frozen=True)
class RidgeCoefficients:
    """The numbers of each source."""

    columns: tuple[int, int]  # of sersic and rhalf among those of a source
    origin: np.ndarray  # (S, 2): coordinates of sersic and rhalf at the optimum
    index0: np.ndarray  # (S,) Sersic index there
    flux: np.ndarray  # (S, B) nJy there
    a: np.ndarray  # (S,)
    b: np.ndarray  # (S,)
    c: np.ndarray  # (S,)
    k: np.ndarray  # (S,)
    width: np.ndarray  # (S,) w, arcsec; 0: no growth of errors with the size
    radius0: np.ndarray  # (S,) arcsec


def ridge_coefficients(plan: ParameterMap, z, cov, by_index=None, width=None) -> RidgeCoefficients:
    """The numbers at an optimum z (ndim,) with covariance (ndim, ndim); see `widening` for the last two."""
    n, n_sources = plan.n_bands, len(plan.index)
    columns = plan.column("sersic"), plan.column("rhalf")
    free = plan.index[:, :n] >= 0
    flux = plan.origin[:, :n] + np.where(free, plan.unit[:, :n] * z[plan.index[:, :n]], 0.0)
    origin, index0 = np.zeros((n_sources, 2)), np.ones(n_sources)
    a, b, c, k = np.zeros((4, n_sources))
    by_index, width = (np.zeros(n_sources) if some is None else some for some in (by_index, width))
    radius0, growth = sizes(plan, z, width)
    for s, row in enumerate(plan.index):
        shapes, fluxes = row[list(columns)], row[:n][free[s]]
        here = shapes >= 0
        origin[s, here] = z[shapes[here]]
        if plan.is_point[s] or not here.any():
            continue
        block = cov[np.ix_(shapes[here], shapes[here])]
        if len(fluxes):
            rise = np.linalg.solve(block, cov[np.ix_(shapes[here], fluxes)])  # d(flux coordinate)/d(shape)
            unit, level = plan.unit[s, :n][free[s]], flux[s, free[s]]
            # the mean of d ln flux over bands, each with its (S/N)^2
            certainty = 1 / (unit**2 * np.diag(cov)[fluxes])
            expected = np.array([by_index[s], growth[s]])
            found = rise @ (unit * level * certainty)
            total = level**2 @ certainty + SURE
            numbers = np.zeros(2)
            numbers[here] = (found + SURE * expected[here]) / total
            a[s], b[s] = numbers[0], numbers[1] - growth[s]
        if here.all():
            col = columns[0]
            index0[s], slope = value(
                z,
                shapes[0],
                plan.origin[s, col],
                plan.unit[s, col],
                plan.tables,
                plan.number[s, col - n],
                True,
            )
            k[s] = slope / index0[s]
            c[s] = block[0, 1] / block[0, 0] if k[s] > SLOWEST else 0.0
    return RidgeCoefficients(columns, origin, index0, flux, a, b, c, np.maximum(k, SLOWEST), width, radius0)


@compiled(forceinline=True)
def forward(
    y, n_bands, index, origin, unit, number, tables, columns, start, index0, flux, a, b, c, k, width, radius0,
    z, slopes,
):  # fmt: skip
    """z (ndim,) of y, and ln |dz/dy|.

    slopes : (S, 4) exp(t), d z_size / d y_sersic, t in use (1 or 0), d t / d z_size
    """
    total = 0.0
    for i in range(len(y)):
        z[i] = y[i]
    for s in range(index.shape[0]):
        i, j = index[s, columns[0]], index[s, columns[1]]
        d, r, size_by_index, grown, by_size = 0.0, 0.0, 0.0, 0.0, b[s]
        if i >= 0:
            d = y[i] - start[s, 0]
        if j >= 0:
            if c[s] != 0.0:
                col = columns[0]
                x, slope = value(y, i, origin[s, col], unit[s, col], tables, number[s, col - n_bands], True)
                z[j] += c[s] * ((x / index0[s] - 1) / k[s] - d)
                size_by_index = c[s] * (slope / index0[s] / k[s] - 1)
            r = z[j] - start[s, 1]
            if width[s] > 0.0:
                col = columns[1]
                x, slope = value(z, j, origin[s, col], unit[s, col], tables, number[s, col - n_bands], True)
                square = width[s] ** 2 + x**2
                grown = 0.5 * math.log(square / (width[s] ** 2 + radius0[s] ** 2))
                by_size += x * slope / square
        t = a[s] * d + b[s] * r + grown
        slopes[s, 3] = by_size
        slopes[s, 2] = 1.0 if abs(t) < LARGEST else 0.0
        t = min(max(t, -LARGEST), LARGEST)
        factor = np.exp(t)
        slopes[s, 0], slopes[s, 1] = factor, size_by_index
        for f in range(n_bands):
            m = index[s, f]
            if m >= 0:
                inner = origin[s, f] + unit[s, f] * y[m] - flux[s, f] * t
                z[m] = (inner * factor - origin[s, f]) / unit[s, f]
                total += t
    return total


@compiled
def forward_all(
    y, n_bands, index, origin, unit, number, tables, columns, start, index0, flux, a, b, c, k, width, radius0,
    z, slopes, log_det,
):  # fmt: skip
    """`forward` of places y (D, ndim) to z (D, ndim) and log_det (D,)."""
    for i in range(len(y)):
        log_det[i] = forward(
            y[i], n_bands, index, origin, unit, number, tables, columns, start, index0, flux, a, b, c, k,
            width, radius0, z[i], slopes,
        )  # fmt: skip


@compiled(forceinline=True)
def backward(z, n_bands, index, origin, unit, columns, flux, a, slopes, gradient):
    """The gradient (ndim,) of ln p by z becomes that of the density of y, in place."""
    for s in range(index.shape[0]):
        i, j = index[s, columns[0]], index[s, columns[1]]
        factor, by_t = slopes[s, 0], 0.0
        for f in range(n_bands):
            m = index[s, f]
            if m >= 0:
                level = origin[s, f] + unit[s, f] * z[m]
                by_t += gradient[m] / unit[s, f] * (level - flux[s, f] * factor) + 1.0
                gradient[m] *= factor
        by_t *= slopes[s, 2]
        if j >= 0:
            gradient[j] += slopes[s, 3] * by_t
        if i >= 0:
            gradient[i] += a[s] * by_t
            if j >= 0:
                gradient[i] += slopes[s, 1] * gradient[j]


class RidgeCoordinates:
    """The posterior of a model in the coordinates y; picklable."""

    def __init__(self, model, z, cov, by_index=None, width=None):
        """z (ndim,): optimum; cov (ndim, ndim) there; by_index, width (S,): see `widening`."""
        self.model, self.ndim = model, model.ndim
        self.coefficients = ridge_coefficients(model.plan, z, cov, by_index, width)

    def _numbers(self) -> tuple:
        """What `forward` takes after y."""
        plan, ridge = self.model.plan, self.coefficients
        return (
            plan.n_bands, plan.index, plan.origin, plan.unit, plan.number, plan.tables,
            ridge.columns, ridge.origin, ridge.index0, ridge.flux, ridge.a, ridge.b, ridge.c, ridge.k,
            ridge.width, ridge.radius0,
        )  # fmt: skip

    def lnprob_and_grad(self, y) -> tuple[float, np.ndarray]:
        """ln of the density of y, and its gradient (ndim,), a fresh array."""
        plan, ridge = self.model.plan, self.coefficients
        z, slopes = np.empty(self.ndim), np.empty((len(plan.index), 4))
        log_det = forward(y, *self._numbers(), z, slopes)
        lnp, gradient = self.model.lnprob_and_grad(z)
        backward(
            z, plan.n_bands, plan.index, plan.origin, plan.unit,
            ridge.columns, ridge.flux, ridge.a, slopes, gradient,
        )  # fmt: skip
        return lnp + log_det, gradient

    def to_z(self, y) -> tuple[np.ndarray, np.ndarray]:
        """z (chain, draw, ndim) and ln |dz/dy| (chain, draw) of draws y."""
        flat = np.ascontiguousarray(y).reshape(-1, self.ndim)
        z, log_det = np.empty_like(flat), np.empty(len(flat))
        slopes = np.empty((len(self.model.plan.index), 4))
        forward_all(flat, *self._numbers(), z, slopes, log_det)
        return z.reshape(y.shape), log_det.reshape(y.shape[:-1])


class IdentityCoordinates:
    """The coordinates z themselves, for models without a plan."""

    def __init__(self, model):
        self.model, self.ndim, self.lnprob_and_grad = model, model.ndim, model.lnprob_and_grad

    def to_z(self, y) -> tuple[np.ndarray, np.ndarray]:
        """(y, 0): draws (chain, draw, ndim) as they are, ln |dz/dy| (chain, draw)."""
        return y, np.zeros(y.shape[:-1])


def coordinates(model, start):
    """The target for the chains of a model from a `Start`."""
    mapped = isinstance(getattr(model, "plan", None), ParameterMap)
    if mapped and start.cov.ndim == 2 and not start.adapt:
        return RidgeCoordinates(model, start.z, start.cov, *widening(model, start.z))
    return IdentityCoordinates(model)
