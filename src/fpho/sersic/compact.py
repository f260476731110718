"""Fit the part of the table below n = 0.5: profiles that fall faster than a Gaussian, with signed weights.

exp(-b r^(1/n)) with n < 0.5 has a flat top and a steep edge. Differences of Gaussians of similar widths make
both; the splines of weights and log widths go on from n = 0.5 with continuous second derivative
(`table.compact_pieces`), so that the fit has only the third-degree terms as unknowns. Weights of opposite
signs cancel, and what cancels is lost to rounding in single precision: a ridge keeps them to a few.
"""

from dataclasses import replace

import numpy as np
from scipy.optimize import least_squares

from .fit import residuals, targets
from .table import MixtureTable

N_MIN = 0.3
N_PIECES = 3
WIDTHS = -6.0, 3.0  # of log widths
FIRST = 0.292  # a little below, where errors are largest: at the end of what is fitted
SMALL_WEIGHTS = 0.2  # of a weight, in units of what is wanted of a residual
SMALL_TERMS = 1e-3, 0.02  # of the third-degree terms of weights, of log widths


def fit_compact(table: MixtureTable, n_points: int = 40, rounds: int = 7) -> MixtureTable:
    """The table with its part for `N_MIN` <= n < 0.5; deterministic, some ten seconds.

    Residuals are raised where they are largest, in so many rounds, towards the smallest worst case.
    """
    fit = _CompactFit(table, n_points)
    x = np.zeros(N_PIECES * (2 * table.n_components - 1))
    for _ in range(rounds):
        x = least_squares(fit.residuals, x, fit.jacobian, x_scale="jac", max_nfev=300).x
        fit.raise_the_worst(x)
    return replace(table, compact=fit.terms(x), n_min=N_MIN)


class _CompactFit:
    """Unknowns (J (2 K - 1),): terms of the weights but the last, which keeps the sum, and of log widths."""

    def __init__(self, table: MixtureTable, n_points: int):
        self.k = table.n_components
        u_first, per_step, pieces, _ = replace(table, compact=None)._pieces
        n = np.geomspace(FIRST, table.spline_range[0], n_points + 1)[:-1]
        t = np.log(n)[:, None] - u_first
        self.targets = [targets(one) for one in n]
        self.base = pieces[0, 0] + t * (pieces[0, 1] + t * pieces[0, 2])  # (N, 2 K)
        self.powers = np.maximum(-np.arange(N_PIECES) / per_step - t, 0) ** 3  # (N, J)
        self.importance = [np.ones(len(one.growth) + len(one.peak)) for one in self.targets]
        ridge = np.repeat(SMALL_TERMS, (self.k - 1, self.k))
        self.ridge = np.tile(ridge, N_PIECES)
        sums = np.vstack([np.eye(self.k - 1), -np.ones(self.k - 1)])  # d weights / d unknown weights
        by_weight = np.einsum("nj,km->nkjm", self.powers, sums)
        self.by_weight = np.concatenate([by_weight, np.zeros((*by_weight.shape[:3], self.k))], axis=-1)

    def terms(self, x) -> np.ndarray:
        """(J, 2 K) of unknowns."""
        free = x.reshape(N_PIECES, -1)
        weights, widths = free[:, : self.k - 1], free[:, self.k - 1 :]
        return np.hstack([weights, -weights.sum(axis=1, keepdims=True), widths])

    def _each(self, x):
        """(importance^0.5, residuals (R,), by weights (R, K), by log widths (R, K)) at each n."""
        values = self.base + self.powers @ self.terms(x)
        for target, row, importance in zip(self.targets, values, self.importance, strict=True):
            widths = np.clip(row[self.k :], *WIDTHS)  # beyond lie trials that are not taken
            yield np.sqrt(importance), *residuals(target, row[: self.k], widths)

    def residuals(self, x) -> np.ndarray:
        weights = (self.base + self.powers @ self.terms(x))[:, : self.k]
        parts = [root * res for root, res, _, _ in self._each(x)]
        return np.concatenate([*parts, self.ridge * x, SMALL_WEIGHTS * weights.ravel()])

    def jacobian(self, x) -> np.ndarray:
        rows = []
        for powers, (root, _, by_a, by_s) in zip(self.powers, self._each(x), strict=True):
            local = np.hstack([by_a[:, :-1] - by_a[:, -1:], by_s]) * root[:, None]
            rows.append((powers[:, None] * local[:, None, :]).reshape(len(local), -1))
        small = SMALL_WEIGHTS * self.by_weight.reshape(-1, len(x))
        return np.vstack([*rows, np.diag(self.ridge), small])

    def raise_the_worst(self, x) -> None:
        """Weigh residuals by their size, as `fit.fit_table` does."""
        for importance, (_, res, _, _) in zip(self.importance, self._each(x), strict=True):
            importance *= 0.3 + np.abs(res) / np.sqrt(np.mean(res**2) + 1e-12)
            importance /= importance.mean()
