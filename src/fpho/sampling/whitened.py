"""Coordinates u in which a reference Gaussian is the unit one, and trajectories in them."""

from typing import NamedTuple

import numpy as np


def unknown(known) -> bool:
    """Whether (ln p, gradient) are still to be evaluated: there is nothing, or no gradient."""
    return known is None or known[1] is None


class WhitenedPoint(NamedTuple):
    """A place, and what was found there."""

    u: np.ndarray  # (ndim,)
    z: np.ndarray  # (ndim,)
    lnp: float
    gradient: np.ndarray  # (ndim,) of ln p by z
    force: np.ndarray  # (ndim,) of ln p + u u / 2 by u

    def energy(self, p) -> float:
        """With momentum p (ndim,)."""
        return 0.5 * float(p @ p) - self.lnp if np.isfinite(self.lnp) else np.inf


class Whitened:
    """z = mean + L u for a reference N(mean, L L^t), and ln p there."""

    def __init__(self, function, mean, cov):
        """function: z -> (ln p, gradient); mean (ndim,), cov (ndim, ndim) or its diagonal (ndim,)."""
        self.function, self.mean = function, np.array(mean, "f8")
        self.factor = np.diag(np.sqrt(cov)) if cov.ndim == 1 else np.linalg.cholesky(cov)
        self.inverse = np.linalg.inv(self.factor)
        self.factor_t = np.ascontiguousarray(self.factor.T)

    def at(self, u) -> WhitenedPoint:
        """One evaluation."""
        return self._point(u, self.mean + self.factor @ u)

    def at_z(self, z, known=None) -> WhitenedPoint:
        """One evaluation, or none where (ln p, gradient) are known."""
        return self._point(self.inverse @ (z - self.mean), z, known)

    def _point(self, u, z, known=None) -> WhitenedPoint:
        lnp, gradient = self.function(z) if unknown(known) else known
        return WhitenedPoint(u, z, lnp, gradient, self.factor_t @ gradient + u)

    def follow(
        self, start: WhitenedPoint, p, step: float, n_steps: int
    ) -> tuple[list[WhitenedPoint], np.ndarray]:
        """The points of a trajectory along true forces, and the momentum at the last.

        Half a kick before and after each of `n_steps` turns by `step` rad. It ends early where ln p is not
        finite.
        """
        here, kick, points = start, 0.5 * step, []
        for _ in range(n_steps):
            here, p = self._turned(here, p + kick * here.force, step)
            points.append(here)
            if not np.isfinite(here.lnp):
                break
            p = p + kick * here.force
        return points, p

    def _turned(self, start: WhitenedPoint, p, angle: float) -> tuple[WhitenedPoint, np.ndarray]:
        cosine, sine = np.cos(angle), np.sin(angle)
        return self.at(cosine * start.u + sine * p), cosine * p - sine * start.u
