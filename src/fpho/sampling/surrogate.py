"""A polynomial for what is not Gaussian in a posterior, learnt from its gradients: forces that cost nothing.

In the coordinates u of a reference Gaussian (see `split`) the residual r(u) = ln p + u u / 2 is smooth: where
a model is of second degree in its parameters, -2 ln p is of fourth. Trajectories that follow the slope of
such a polynomial in place of that of r are accepted in three to nineteen cases of twenty by the Metropolis
test, which is made with the true ln p. One evaluation is then a draw, where true forces take five.

That is exact for any force that depends on u alone: turns and kicks can be gone backward and keep volume,
whatever the force (Rasmussen 2003, Bayesian Statistics 7, 651; Zhang, Shahbaba, Zhao 2017, Statistics and
Computing 27, 1473). What was learnt must be fixed before the draws that count.

The polynomial (`polynomial`) is one in v = R^t u. The columns of R are the directions of the largest forces;
cubic and quartic terms have the first of them alone, since their numbers grow with the third and fourth
power. Beyond the radius within which all points lay the force stays what it is there.
"""

from dataclasses import dataclass

import numpy as np
from scipy.sparse.linalg import LinearOperator, lsqr

from ..machinecode import compiled
from . import polynomial

DIRECTIONS = (96, 96, 24, 12)  # that linear, square, cubic and quartic terms have at most
RIDGE = (0.1, 10.0, 100.0, 1000.0)  # of these terms: (error of a force / size of a number)^2
SHARES = (1.0, 0.1, 0.01)  # of the ridge, that are tried: a posterior may be far from Gaussian and smooth
ITERATIONS, PRECISION = 60, 3e-3  # of the regression


@dataclass(frozen=True)
class Surrogate:
    """Slopes of a polynomial in the first n of ndim rotated coordinates."""

    rotation: np.ndarray  # (ndim, ndim) R
    matrices: tuple  # of linear (n, 1), square (n, n), cubic and quartic terms: `polynomial.Term.matrix`
    radius: float
    rough: bool = False  # its trajectories are rejected now and then: some should follow true forces

    def trajectory(self, u, p, step: float, n_steps: int) -> tuple[np.ndarray, np.ndarray]:
        """(u, p) after `n_steps` turns by `step` rad, with half a kick before and after each."""
        v, w = self.rotation.T @ u, self.rotation.T @ p
        _turn(v, w, step, n_steps, *self.matrices, self.radius)
        return self.rotation @ v, self.rotation @ w

    def slope(self, u) -> np.ndarray:
        """The force (ndim,) that trajectories have at u."""
        v, out = self.rotation.T @ u, np.zeros(len(u))
        _kick(v, out, 1.0, *self.matrices, self.radius)
        return self.rotation @ out

    def error(self, points, forces) -> float:
        """Weighted mean square of what is left of forces (N, ndim) at points u (N, ndim)."""
        left, v = forces @ self.rotation, points @ self.rotation
        left -= _slopes(self.matrices, _features(v, [len(matrix) for matrix in self.matrices]), v.shape)
        return float(np.mean((left * weights(forces)[:, None]) ** 2))


def weights(forces) -> np.ndarray:
    """Of points (N,) in a regression: the less the larger the force (N, ndim) there.

    Far out no polynomial of this degree holds, and what is there would bend it where it is needed.
    """
    return 1 / np.sqrt(1 + np.mean(forces**2, axis=1))


def best_share(points, forces) -> float:
    """The share of the ridge with which the first half of the points tells most about the second."""
    half = len(points) // 2
    first, second = (points[:half], forces[:half]), (points[half:], forces[half:])
    return min(SHARES, key=lambda share: learn(*first, share).error(*second))


def learn(points, forces, share: float = 1.0) -> Surrogate:
    """The polynomial for forces (N, ndim), slopes of r, at points u (N, ndim), by a ridge regression."""
    weight = weights(forces)[:, None]
    rotation = np.ascontiguousarray(np.linalg.eigh((forces * weight).T @ (forces * weight))[1][:, ::-1])
    sizes = [min(points.shape[1], limit) for limit in DIRECTIONS]
    v, f = points @ rotation, forces @ rotation
    matrices = _regression(_features(v, sizes), (f * weight)[:, : sizes[0]], weight, sizes, share)
    length = np.linalg.norm(v[:, : sizes[0]], axis=1)
    return Surrogate(rotation, matrices, float(length.max()))


def _features(v, sizes) -> list:
    """(N, F) for the slopes of linear, square, cubic and quartic terms in so many of v (N, ndim)."""
    v = np.ascontiguousarray(v)
    return [np.ones((len(v), 1)), v[:, : sizes[1]], *polynomial.features(v, *sizes[2:])]


def _slopes(matrices, features, shape) -> np.ndarray:
    """Slopes (N, n) at all points."""
    out = np.zeros(shape)
    for matrix, some in zip(matrices, features, strict=True):
        out[:, : len(matrix)] += some @ matrix.T
    return out


def _regression(features, forces, weight, sizes, share) -> tuple:
    """Matrices whose slopes, times weight (N, 1), are nearest to `forces` (N, n) with a ridge.

    Least squares by iteration (Paige, Saunders 1982, ACM TOMS 8, 43). The numbers are scaled to columns of
    equal length, the ridge is a row for each number.
    """
    terms = [polynomial.term(n, degree + 1) for degree, n in enumerate(sizes)]
    ends = np.cumsum([term.size for term in terms])[:-1]
    features = [some * weight for some in features]
    ridge = np.concatenate([np.full(term.size, share * r) for term, r in zip(terms, RIDGE, strict=True)])
    length = [
        np.bincount(term.index.ravel(), (term.times**2 * (some**2).sum(axis=0)).ravel(), term.size)
        for term, some in zip(terms, features, strict=True)
    ]
    scale = 1 / np.sqrt(np.concatenate(length) + ridge)
    rows = np.sqrt(ridge) * scale

    def matrices(x) -> tuple:
        parts = np.split(scale * x.ravel(), ends)
        return tuple(term.matrix(part) for term, part in zip(terms, parts, strict=True))

    def forward(x):
        return np.concatenate([_slopes(matrices(x), features, forces.shape).ravel(), rows * x.ravel()])

    def backward(y):
        slopes, rest = y[: forces.size].reshape(forces.shape), y[forces.size :]
        parts = [
            term.numbers(slopes[:, : len(term.index)].T @ some)
            for term, some in zip(terms, features, strict=True)
        ]
        return scale * np.concatenate(parts) + rows * rest

    shape = forces.size + len(scale), len(scale)
    operator = LinearOperator(shape, matvec=forward, rmatvec=backward, dtype=np.float64)
    target = np.concatenate([forces.ravel(), np.zeros(len(scale))])
    return matrices(lsqr(operator, target, atol=PRECISION, btol=PRECISION, iter_lim=ITERATIONS)[0])


@compiled
def _kick(v, w, step, linear, square, cubic, quartic, radius):
    """Adds step times the slope at v (ndim,) to w (ndim,)."""
    n, n_cubic, n_quartic = len(square), len(cubic), len(quartic)
    second, third = np.empty(cubic.shape[1]), np.empty(quartic.shape[1])
    inside = v[:n] * min(1.0, radius / np.sqrt(np.sum(v[:n] ** 2) + 1e-300))
    polynomial.squares(inside, n_cubic, second)
    polynomial.cubes(inside, n_quartic, third)
    w[:n] += step * (linear[:, 0] + square @ inside)
    w[:n_cubic] += step * (cubic @ second)
    w[:n_quartic] += step * (quartic @ third)


@compiled
def _turn(v, w, step, n_steps, linear, square, cubic, quartic, radius):
    """A trajectory in place, from position v and momentum w (ndim,)."""
    cosine, sine = np.cos(step), np.sin(step)
    for turn in range(n_steps + 1):
        if turn:
            for i in range(len(v)):
                v[i], w[i] = cosine * v[i] + sine * w[i], cosine * w[i] - sine * v[i]
        kick = step if 0 < turn < n_steps else 0.5 * step
        _kick(v, w, kick, linear, square, cubic, quartic, radius)
