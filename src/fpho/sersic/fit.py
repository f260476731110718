"""Fit the scale-free table: all n at once, widths and weights free and smooth.

Unknowns: the B-spline coefficients of log widths, and logits of those of the weights (a
softmax over components keeps them positive with sum 1). Residuals, at many n:
the curve of growth; the half-light radius; and the surface brightness after convolution with
Gaussians, as a fraction of its peak (that is what a pixel of an image sees). They are
divided by what is wanted of each, and raised in a few rounds where they are largest, which moves
least squares towards the smallest worst case.
"""

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import BSpline

from .profile import GAUSSIAN_SIGMA, convolved_brightness, curve_of_growth
from .table import DEGREE, MixtureTable, knot_vector

N_RANGE = (0.5, 8.0)
WANTED_GROWTH, WANTED_RADIUS, WANTED_PEAK = 1.5e-3, 1.5e-3, 2.5e-3
SMEARING = np.geomspace(0.027, 4.0, 9)  # PSF sigma over rhalf
GROWTH_RADII = np.geomspace(0.02, 150, 60)
PEAK_RADII = np.concatenate([[0.0], np.geomspace(0.15, 4.0, 11)])  # in units of PSF sigma


@dataclass(frozen=True)
class Targets:
    """What the mixture of one n must give: flux in rings and in PSF-weighted points."""

    n: float
    growth: np.ndarray  # (R,) at GROWTH_RADII, then at radius 1
    peak: np.ndarray  # (P,) convolved brightness over its peak
    peak_radius: np.ndarray  # (P,)
    peak_sigma: np.ndarray  # (P,)
    peak_scale: np.ndarray  # (P,) the peak


def targets(n: float) -> Targets:
    """Exact values for one n."""
    growth = curve_of_growth(np.append(GROWTH_RADII, 1.0), n)
    rows = [(PEAK_RADII * sigma, sigma) for sigma in SMEARING]
    exact = [convolved_brightness(radius, n, sigma) for radius, sigma in rows]
    return Targets(
        n,
        growth,
        np.concatenate([value / value[0] for value in exact]),
        np.concatenate([radius for radius, _ in rows]),
        np.repeat(SMEARING, len(PEAK_RADII)),
        np.repeat([value[0] for value in exact], len(PEAK_RADII)),
    )


def residuals(target: Targets, weight, log_width):
    """Residuals (R,) over what is wanted, and derivatives by weights (R, K) and log widths (R, K)."""
    s2 = np.exp(2 * log_width)
    radius = np.append(GROWTH_RADII, 1.0)
    u = radius[:, None] ** 2 / (2 * s2)
    grow = -np.expm1(-u)
    grow_by_s = -2 * u * np.exp(-u)
    scale = np.append(np.full(len(GROWTH_RADII), WANTED_GROWTH), 0.27 * WANTED_RADIUS)[:, None]
    var = s2 + target.peak_sigma[:, None] ** 2
    d2 = target.peak_radius[:, None] ** 2
    peak = np.exp(-d2 / (2 * var)) / (2 * np.pi * var) / target.peak_scale[:, None]
    peak_by_s = peak * (d2 / (2 * var) - 1) / var * 2 * s2
    basis = np.vstack([grow / scale, peak / WANTED_PEAK])
    by_s = np.vstack([grow_by_s / scale, peak_by_s / WANTED_PEAK]) * weight
    wanted = np.concatenate([target.growth / scale[:, 0], target.peak / WANTED_PEAK])
    return basis @ weight - wanted, basis, by_s


class _Problem:
    """The joint fit: vector of unknowns to residuals and normal equations."""

    def __init__(self, n_components, n_knots, n_points, n_range):
        self.u = np.log(n_range)
        points = np.linspace(*self.u, n_points)[1:]
        self.targets = [targets(n) for n in np.exp(points)]
        knots = knot_vector(*self.u, n_knots)
        self.design = BSpline.design_matrix(points.clip(*self.u), knots, DEGREE).toarray()  # (N, M)
        self.shape = (n_knots, n_components)
        self.importance = [np.ones(len(t.growth) + len(t.peak)) for t in self.targets]

    def unpack(self, x):
        """Weights (M, K), their logits' softmax, and log widths (M, K), the first row held."""
        logits, log_widths = x.reshape(2, *self.shape)
        weights = np.exp(logits - logits.max(axis=1, keepdims=True))
        weights /= weights.sum(axis=1, keepdims=True)
        weights[0] = np.eye(self.shape[1])[-1]
        log_widths = log_widths.copy()
        log_widths[0, -1] = np.log(GAUSSIAN_SIGMA)
        return weights, log_widths

    def free(self):
        """Mask of unknowns that are fitted."""
        mask = np.ones((2, *self.shape), bool)
        mask[0, 0] = False
        mask[1, 0, -1] = False
        return mask.ravel()

    def normal(self, x, jacobian=True):
        """Cost, gradient (P,), J^t J (P, P), and the residuals by n."""
        weights, log_widths = self.unpack(x)
        n_knots, n_gauss = self.shape
        cost, size = 0.0, 2 * n_knots * n_gauss
        gradient, curvature, all_residuals = np.zeros(size), np.zeros((size, size)), []
        for row, target, importance in zip(self.design, self.targets, self.importance, strict=True):
            res, by_a, by_s = residuals(target, row @ weights, row @ log_widths)
            all_residuals.append(res)
            cost += np.sum(importance * res**2)
            if not jacobian:
                continue
            used = np.flatnonzero(row)
            blocks = []
            for i in used:  # softmax: da_k/dl_m = a_k (delta_km - a_m)
                w = weights[i]
                blocks.append(row[i] * (by_a * w - (by_a @ w)[:, None] * w))
            blocks += [row[i] * by_s for i in used]
            local = np.hstack(blocks)
            at = np.concatenate([np.arange(n_gauss) + i * n_gauss for i in used])
            at = np.concatenate([at, at + n_knots * n_gauss])
            weighted = local * importance[:, None]
            gradient[at] += weighted.T @ res
            curvature[np.ix_(at, at)] += weighted.T @ local
        return cost, gradient, curvature, all_residuals

    def start(self):
        """Widths equally spaced in log between lines in log n, weights of a single-n fit's size."""
        n_knots, n_gauss = self.shape
        greville = np.linspace(*self.u, n_knots)
        low = -1.9 - 1.25 * (greville - np.log(0.6))
        high = 0.0 + 1.45 * (greville - np.log(0.6))
        log_widths = np.linspace(low, high, n_gauss, axis=1)
        log_widths[:, -1] = np.maximum(log_widths[:, -1], np.log(GAUSSIAN_SIGMA))
        peak = np.log(GAUSSIAN_SIGMA)
        logits = -((log_widths - peak) ** 2) / (2 * (0.3 + 0.55 * (greville[:, None] - self.u[0])) ** 2)
        return np.concatenate([logits.ravel(), log_widths.ravel()])


def _minimise(problem, x, steps, damping=1e-2):
    """Levenberg-Marquardt on the normal equations; returns the best x and its residuals."""
    free = problem.free()
    cost, gradient, curvature, res = problem.normal(x)
    for _ in range(steps):
        h = curvature[np.ix_(free, free)]
        scale = np.diag(h) + 1e-6 * np.diag(h).max()
        step = np.zeros_like(x)
        step[free] = np.linalg.solve(h + damping * np.diag(scale), -gradient[free])
        trial = problem.normal(x + np.clip(step, -1, 1))
        if trial[0] < cost:
            x = x + np.clip(step, -1, 1)
            done = cost - trial[0] < 1e-6 * cost
            (cost, gradient, curvature, res), damping = trial, max(damping / 3, 1e-9)
            if done:
                break
        else:
            damping *= 4
            if damping > 1e8:
                break
    return x, res


def fit_table(n_components=8, n_knots=14, n_points=50, rounds=12, steps=60, n_range=N_RANGE) -> MixtureTable:
    """The table with `n_components` Gaussians over `n_range`; deterministic, about a minute."""
    problem = _Problem(n_components, n_knots, n_points, n_range)
    x, res = _minimise(problem, problem.start(), 4 * steps)
    best, best_worst = x, np.inf
    for _ in range(rounds):
        worst = max(np.abs(r).max() for t, r in zip(problem.targets, res, strict=True) if t.n <= 6.2)
        if worst < best_worst:
            best, best_worst = x, worst
        for importance, r in zip(problem.importance, res, strict=True):
            importance *= 0.3 + np.abs(r) / np.sqrt(np.mean(r**2) + 1e-12)
            importance /= importance.mean()
        x, res = _minimise(problem, x, steps)
    weights, log_widths = problem.unpack(best)
    return MixtureTable(tuple(map(float, n_range)), weights, log_widths)


def worst_errors(table, n):
    """(curve of growth, half-light radius, convolved brightness over peak): largest errors at one n."""
    target = targets(n)
    profile, _ = table.evaluate([n], [1.0], [False])
    res, _, _ = residuals(target, profile[0, :, 0], 0.5 * np.log(profile[0, :, 1]))
    n_growth = len(GROWTH_RADII)
    r = np.abs(res)
    return (
        r[:n_growth].max() * WANTED_GROWTH,
        r[n_growth] * WANTED_RADIUS,
        r[n_growth + 1 :].max() * WANTED_PEAK,
    )
