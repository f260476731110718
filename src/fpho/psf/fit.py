"""Fit an effective PSF with Gaussians: free amplitudes (either sign), centres and covariances.

Least squares over the samples of `samples.take`, with added rows for the encircled energy, for the light
in quadrants of rings and for the flux of point sources and galaxies, so that what the faint wings hold
is not lost beside the bright core. Amplitudes enter linearly: they are solved exactly for each set of
shapes, under the constraint that they sum to the stamp's total (Golub & Pereyra 1973, in
Kaufman's form); the shapes take Levenberg-Marquardt steps with analytic derivatives.
Covariances are floor I + L L^t, so no component is narrower than the floor.
"""

from dataclasses import dataclass

import numpy as np

from .mixture import gaussians
from .samples import PixelSamples

PIXEL_ERROR, GROWTH_ERROR, FLUX_ERROR = 0.01, 0.0008, 0.0005  # sizes that count as 1 in the cost
SECTOR_ERROR = 0.002
SWAPS = 3
NARROWEST = 0.5  # sigma of a component over that of the core, of native stamps
GROWTH_GOAL = 0.002  # worst error of the encircled energy, beyond which it is evened out
RIDGE = 2e-3  # keeps pairs of large opposite amplitudes out, which float32 would not add up


@dataclass(frozen=True)
class MixtureFit:
    """A mixture (J, 6), sorted by width, and its cost."""

    mixture: np.ndarray
    cost: float


def floor_variance(samples: PixelSamples) -> float:
    """Smallest variance (pixel^2) of a component.

    Of an oversampled image: that of the pixel, which is in every effective PSF. On native
    samples nothing between them is known, and a bump much narrower than the core would show at
    other sub-pixel phases only.
    """
    return 1 / 12 if samples.step <= 0.51 else max(0.16, (NARROWEST * samples.fwhm / 2.355) ** 2)


class _Rows:
    """Residual rows and their derivatives for a set of shapes."""

    def __init__(self, samples: PixelSamples):
        self.s = samples
        self.pixel = np.sqrt(samples.area) / (PIXEL_ERROR * np.sqrt(np.sum(samples.area * samples.value**2)))
        self.importance = np.ones(len(samples.ends))  # of the apertures
        self.growth = 1 / (GROWTH_ERROR * samples.total * np.sqrt(len(samples.ends)))
        self.sector = 1 / (SECTOR_ERROR * samples.total * np.sqrt(len(samples.sectors)))
        self.flux = 1 / (FLUX_ERROR * np.sqrt(len(samples.sources)))
        self.rings = np.append(0, self.s.ends)[np.append(0, self.s.ends) < len(self.s.x)]
        self.aim()
        self.floor = floor_variance(samples)
        self.largest = (samples.half_width / 2.2) ** 2

    def aim(self):
        """Take the target rows with the present weights."""
        self.target = self(self.s.value[None])[:, 0]

    def growth_errors(self, theta, amp):
        """Encircled energy of the mixture minus the samples' (A,), over the total."""
        values, _ = gaussians(self.shapes(theta), self.s.x, self.s.y)
        rings = np.add.reduceat((amp @ values - self.s.value) * self.s.area, self.rings)[: len(self.s.ends)]
        return np.cumsum(rings) / self.s.total

    def __call__(self, images):
        """Rows (R, C) of images (C, P)."""
        rings = np.add.reduceat(images * self.s.area, self.rings, axis=1)[:, : len(self.s.ends)]
        inside = np.cumsum(rings, axis=1) * self.importance
        through, turned = images @ self.s.sources.T, images @ self.s.sectors.T
        parts = [images * self.pixel, inside * self.growth, through * self.flux, turned * self.sector]
        return np.concatenate(parts, axis=1).T

    def shapes(self, theta):
        """Mixture rows with amplitude 1 from theta (J, 5): x, y, and the Cholesky factor p, q, r."""
        x, y, p, q, r = theta.T
        f = self.floor
        return np.stack([np.ones_like(x), x, y, p * p + f, q * q + r * r + f, p * q], axis=1)

    def theta(self, mixture):
        """The inverse of `shapes`; covariances below the floor are raised to it."""
        tiny = 1e-3 * self.floor
        cxx = np.maximum(mixture[:, 3] - self.floor, tiny)
        p = np.sqrt(cxx)
        q = mixture[:, 5] / p
        r = np.sqrt(np.maximum(mixture[:, 4] - self.floor - q * q, tiny))
        return np.stack([mixture[:, 1], mixture[:, 2], p, q, r], axis=1)

    def clip(self, theta):
        """Keep components inside the stamp, in place and width."""
        out = theta.copy()
        reach = 0.6 * self.s.half_width
        out[:, :2] = np.clip(out[:, :2], -reach, reach)
        size = np.sum(out[:, 2:] ** 2, axis=1) / 2
        out[:, 2:] *= np.sqrt(np.minimum(1, self.largest / size))[:, None]
        return out

    def solve(self, theta):
        """Best amplitudes (J,) with their sum held, basis rows (R, J), residual (R,), cost, and Gaussians."""
        values, precision = gaussians(self.shapes(theta), self.s.x, self.s.y)
        basis = self(values)
        n = len(theta)
        lhs = np.zeros((n + 1, n + 1))
        lhs[:n, :n] = basis.T @ basis + (RIDGE / PIXEL_ERROR) ** 2 * np.eye(n) / self.s.total**2
        lhs[n, :n] = lhs[:n, n] = 1 / PIXEL_ERROR
        rhs = np.append(basis.T @ self.target, self.s.total / PIXEL_ERROR)
        amp = np.linalg.solve(lhs, rhs)[:n]
        residual = self.target - basis @ amp
        cost = residual @ residual + np.sum((RIDGE / PIXEL_ERROR * amp / self.s.total) ** 2)
        return amp, basis, residual, cost, (values, precision)

    def derivatives(self, theta, amp, values, precision):
        """Rows (R, 5 J) of the derivatives by theta."""
        fxx, fyy, fxy = precision.T[:, :, None]
        dx, dy = self.s.x - theta[:, 0, None], self.s.y - theta[:, 1, None]
        ux, uy = fxx * dx + fxy * dy, fxy * dx + fyy * dy
        flux = amp[:, None] * values
        by_xx, by_yy = 0.5 * flux * (ux * ux - fxx), 0.5 * flux * (uy * uy - fyy)
        by_xy = flux * (ux * uy - fxy)
        p, q, r = theta[:, 2:].T[:, :, None]
        parts = [flux * ux, flux * uy, 2 * p * by_xx + q * by_xy, p * by_xy + 2 * q * by_yy, 2 * r * by_yy]
        return self(np.stack(parts, axis=1).reshape(-1, len(self.s.x)))


def refine(rows: _Rows, theta, steps, tolerance=1e-4):
    """Levenberg-Marquardt from `theta` (J, 5); returns theta, amplitudes, cost."""
    theta = rows.clip(theta)
    amp, basis, residual, cost, extra = rows.solve(theta)
    damping, slow = 1e-2, 0
    for _ in range(steps):
        jacobian = rows.derivatives(theta, amp, *extra)
        constrained = basis[:, :-1] - basis[:, -1:]
        q, _ = np.linalg.qr(constrained)
        jacobian -= q @ (q.T @ jacobian)
        curvature, gradient = jacobian.T @ jacobian, jacobian.T @ residual
        scale = np.diag(curvature) + 1e-9 * np.trace(curvature) / len(gradient) + 1e-12
        improved = False
        for _ in range(8):
            step = np.linalg.solve(curvature + damping * np.diag(scale), gradient)
            trial = rows.clip(theta + step.reshape(theta.shape))
            result = rows.solve(trial)
            if result[3] < cost:
                improved = True
                break
            damping = max(damping * 5, 1e-6)
        if not improved:
            break
        slow = slow + 1 if cost - result[3] < tolerance * cost else 0
        theta, (amp, basis, residual, cost, extra) = trial, result
        damping = max(damping / 4, 1e-9)
        if slow >= 3:
            break
    return theta, amp, cost


def _widths(rows, n, tight):
    """Sigmas (n,) in even steps of log; `tight`: more than half in the core, whose differences make rings."""
    core, widest = _core(rows), min(rows.s.half_width / 3, 14 * _core(rows))
    if not tight:
        return np.geomspace(0.75 * core, widest, n)
    n_core = n // 2 + 1
    return np.append(
        np.geomspace(0.85 * core, 2.2 * core, n_core), np.geomspace(4 * core, widest, n - n_core)
    )


def _core(rows):
    return max(rows.s.fwhm / 2.355, 0.35)


def _spread(rows, sigma, jitter, rng):
    """Round Gaussians of `sigma` (n,), displaced by `jitter` of their width."""
    n = len(sigma)
    s = rows.s
    weight = s.value * s.area * (np.hypot(s.x, s.y) < 2 * s.fwhm)
    cx, cy = (weight @ s.x) / weight.sum(), (weight @ s.y) / weight.sum()
    offset = jitter * rng.standard_normal((n, 2)) * sigma[:, None]
    mixture = np.zeros((n, 6))
    mixture[:, 0] = 1
    mixture[:, 1:3] = offset + (cx, cy)
    mixture[:, 3:5] = sigma[:, None] ** 2
    return rows.theta(mixture)


def _grown(rows, theta, amp):
    """Two ways to add a component: where the smoothed residual is largest, and between widths."""
    s = rows.s
    values, _ = gaussians(rows.shapes(theta), s.x, s.y)
    left = (s.value - amp @ values) * s.area
    core = _core(rows)
    near = np.flatnonzero(np.hypot(s.x, s.y) < 8 * s.fwhm)
    probe = near[:: max(1, len(near) // 400)]
    best = []
    x, y = s.x.astype("f4"), s.y.astype("f4")
    distance = (x[probe, None] - x) ** 2 + (y[probe, None] - y) ** 2
    for width in (core, 2.5 * core):
        gain = np.exp(distance * np.float32(-0.5 / width**2)) @ left.astype("f4")
        k = probe[np.argmax(np.abs(gain))]
        best.append([0, s.x[k], s.y[k], width**2, width**2, 0])
    return [np.vstack([theta, rows.theta(np.array([shape]))]) for shape in best]


def swap(rows, best):
    """The best fit after leaving out each component in turn and adding one elsewhere."""
    theta, _, cost = best
    trials = []
    for k in range(len(theta)):
        fewer = np.delete(theta, k, axis=0)
        amplitudes, *_ = rows.solve(fewer)
        trials += [refine(rows, start, 10, 3e-2) for start in _grown(rows, fewer, amplitudes)]
    trials.sort(key=lambda result: result[2])
    found = [refine(rows, trial[0], 40) for trial in trials[:2] if trial[2] < 1.3 * cost]
    return min([best, *found], key=lambda result: result[2])


def even_out(rows, best, rounds=8):
    """Weigh the apertures by their errors until the worst is small; the result with the smallest."""
    theta, amp, _ = found = best
    worst = np.abs(rows.growth_errors(theta, amp)).max()
    for _ in range(rounds):
        if worst < GROWTH_GOAL:
            break
        errors = np.abs(rows.growth_errors(theta, amp))
        rows.importance *= 0.5 + errors / np.sqrt(np.mean(errors**2))
        rows.importance /= np.sqrt(np.mean(rows.importance**2))
        rows.aim()
        theta, amp, _ = refine(rows, theta, 12)
        now = np.abs(rows.growth_errors(theta, amp)).max()
        if now < worst:
            worst, found = now, (theta, amp, best[2])
    rows.importance[:] = 1
    rows.aim()
    return found


def starts(rows, n, previous):
    """Starting shapes for `n` components: spreads, and the previous fit with one more."""
    rng = np.random.default_rng(n)
    plans = ((False, 0.05), (False, 0.4), (True, 0.05), (True, 0.3))
    found = [_spread(rows, _widths(rows, n, tight), jitter, rng) for tight, jitter in plans]
    if previous is not None:
        found += _grown(rows, *previous)
    return found


def _as_fit(rows, theta, amp, cost, keep_order=False) -> MixtureFit:
    mixture = rows.shapes(theta)
    mixture[:, 0] = amp
    if keep_order:
        return MixtureFit(mixture, float(cost))
    order = np.argsort(mixture[:, 3] + mixture[:, 4], kind="stable")
    return MixtureFit(mixture[order], float(cost))


def fits(samples: PixelSamples, numbers):
    """Yield the best MixtureFit for each number of components in the increasing sequence `numbers`."""
    rows, previous, numbers = _Rows(samples), None, list(numbers)
    for n in numbers:
        rough = [refine(rows, theta, 12) for theta in starts(rows, n, previous)]
        rough.sort(key=lambda result: result[2])
        final = [refine(rows, theta, 60) for theta, _, _ in rough[:2]]
        best = min(final, key=lambda result: result[2])
        for _ in range((SWAPS if n == numbers[-1] else 1) if n > 1 else 0):
            better = swap(rows, best)
            if better[2] > 0.97 * best[2]:
                break
            best = better
        previous = best[:2]
        yield _as_fit(rows, *even_out(rows, best))


def refit(samples: PixelSamples, start, keep_order=False) -> MixtureFit:
    """The fit that starts from the mixture `start` (J, 6): same components, moved."""
    rows = _Rows(samples)
    return _as_fit(rows, *refine(rows, rows.theta(np.asarray(start, "f8")), 80), keep_order)
