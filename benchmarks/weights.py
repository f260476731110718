"""Importance sampling of a posterior: draws of a mixture about places that are given, weighed by true ln p.

What the places are like changes the weights' scatter, not what they say, so that this is a referee of the
chains that the places come from: it walks nowhere, so it cannot be caught or miss a way.
"""

import numpy as np
from scipy.special import gammaln, logsumexp

ROUNDS, WIDER = 60, 1.15  # of the fit; variances of the components beyond those fitted
BROAD = ((0.15, 1.5), (0.1, 4.0))  # shares and variances of what covers all places and what lies beyond
FREEDOM = 6.0  # of Student's t, whose tails are heavier than any posterior's here


class Mixture:
    """Of Student's t distributions in n dimensions."""

    def __init__(self, places, n_components: int, rng):
        """Fitted to places (N, n) by expectation and maximization, covariances drawn to the common one."""
        common, n = np.cov(places.T), places.shape[1]
        self.mean = places[rng.choice(len(places), n_components, replace=False)]
        self.cov, self.share = (
            np.array([0.5 * common] * n_components),
            np.full(n_components, 1 / n_components),
        )
        for _ in range(ROUNDS):
            each = self._each(places, None)
            belongs = np.exp(each - logsumexp(each, axis=0))
            many = belongs.sum(axis=1) + 1e-9
            self.mean = belongs @ places / many[:, None]
            for k, (own, mean) in enumerate(zip(belongs, self.mean, strict=True)):
                away = places - mean
                self.cov[k] = (own * away.T @ away + 0.3 * (n + 2) * common) / (many[k] + n + 2)
            self.share = many / many.sum()
        shares, factors = np.array(BROAD).T
        self.share = np.concatenate([(1 - shares.sum()) * self.share, shares])
        self.mean = np.concatenate([self.mean, [places.mean(axis=0)] * len(BROAD)])
        self.cov = np.concatenate([WIDER * self.cov, factors[:, None, None] * common])

    def _each(self, places, freedom) -> np.ndarray:
        """ln of each component's part of the density (K, N); normal ones where freedom is None."""
        out, n = [], places.shape[1]
        for share, mean, cov in zip(self.share, self.mean, self.cov, strict=True):
            factor = np.linalg.cholesky(cov)
            square = np.square(np.linalg.solve(factor, (places - mean).T)).sum(axis=0)
            whole = np.log(share) - np.log(np.diag(factor)).sum()
            if freedom is None:
                out.append(whole - 0.5 * square - 0.5 * n * np.log(2 * np.pi))
            else:
                whole += gammaln((freedom + n) / 2) - gammaln(freedom / 2) - n / 2 * np.log(freedom * np.pi)
                out.append(whole - (freedom + n) / 2 * np.log1p(square / freedom))
        return np.array(out)

    def draw(self, n_draws: int, rng) -> np.ndarray:
        """(N, n)."""
        of = rng.choice(len(self.share), n_draws, p=self.share)
        scale = np.sqrt(rng.chisquare(FREEDOM, n_draws) / FREEDOM)
        away = rng.standard_normal((n_draws, self.mean.shape[1])) / scale[:, None]
        return self.mean[of] + np.einsum("nij,nj->ni", np.linalg.cholesky(self.cov)[of], away)

    def log_density(self, places) -> np.ndarray:
        """(N,)."""
        return logsumexp(self._each(places, FREEDOM), axis=0)


def weighed(lnprob, places, n_draws: int, n_components: int, rng) -> tuple[np.ndarray, np.ndarray]:
    """Draws (N, n), and weights (N,) of sum 1 that make them draws of the density exp(lnprob(y))."""
    mixture = Mixture(places, n_components, rng)
    draws = mixture.draw(n_draws, rng)
    lnw = np.array([lnprob(y) for y in draws]) - mixture.log_density(draws)
    weights = np.exp(np.where(np.isfinite(lnw), lnw, -np.inf) - lnw[np.isfinite(lnw)].max())
    return draws, weights / weights.sum()
