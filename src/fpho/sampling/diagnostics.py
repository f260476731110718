"""Rank-normalised split R-hat and effective sample sizes (Vehtari et al. 2021, Bayesian Analysis 16, 667).

Arrays are (chain, draw, parameter); all parameters are done at once.
"""

from dataclasses import replace

import numpy as np
from scipy.special import ndtri

from ..results import Summary

TAILS = (0.05, 0.95)


def split(x: np.ndarray) -> np.ndarray:
    """Each chain cut in two halves: (2 C, N // 2, P)."""
    half = x.shape[1] // 2
    return np.concatenate([x[:, :half], x[:, x.shape[1] - half :]])


def normal_scores(x: np.ndarray) -> np.ndarray:
    """Ranks over all chains, as quantiles of the normal distribution."""
    flat = x.reshape(-1, x.shape[-1])
    from scipy.stats import rankdata  # half a second to import; an optimum does without

    ranks = rankdata(flat, axis=0)
    return ndtri((ranks - 0.375) / (len(flat) + 0.25)).reshape(x.shape)


def _potential(x: np.ndarray) -> np.ndarray:
    """R-hat (P,) of chains as they are."""
    n = x.shape[1]
    within = x.var(axis=1, ddof=1).mean(axis=0)
    between = n * x.mean(axis=1).var(axis=0, ddof=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.sqrt((n - 1) / n + between / n / within)


def rhat(x: np.ndarray) -> np.ndarray:
    """Rank-normalised R-hat (P,): the larger of location and scale."""
    halves = split(x)
    folded = np.abs(halves - np.median(halves, axis=(0, 1)))
    return np.maximum(_potential(normal_scores(halves)), _potential(normal_scores(folded)))


def autocovariance(x: np.ndarray) -> np.ndarray:
    """(C, N, P) biased autocovariance along the draws, by FFT."""
    n = x.shape[1]
    centred = x - x.mean(axis=1, keepdims=True)
    size = 2 ** int(np.ceil(np.log2(2 * n)))
    power = np.abs(np.fft.rfft(centred, size, axis=1)) ** 2
    return np.fft.irfft(power, size, axis=1)[:, :n] / n


def effective_size(x: np.ndarray) -> np.ndarray:
    """Effective sample size (P,) of the mean; Geyer's initial monotone sequence of pair sums."""
    chains, n, _ = x.shape
    covariance = autocovariance(x)
    within = covariance[:, 0].mean(axis=0) * n / (n - 1)
    total = within * (n - 1) / n + x.mean(axis=1).var(axis=0, ddof=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        rho = 1 - (within - covariance.mean(axis=0) * n / (n - 1)) / total  # (N, P)
    rho[0] = 1.0
    pairs = rho[: n - n % 2].reshape(n // 2, 2, -1).sum(axis=1)
    positive = np.cumprod(pairs > 0, axis=0).astype(bool)
    monotone = np.minimum.accumulate(pairs, axis=0)
    # Geyer's sum of positive pairs, and the first odd term after them where it is positive
    tau = -1 + 2 * np.sum(np.where(positive, monotone, 0), axis=0)
    last = np.minimum(positive.sum(axis=0), n // 2 - 1)
    tau += np.maximum(rho[2 * last, np.arange(rho.shape[1])], 0) * (positive.sum(axis=0) < n // 2)
    size = chains * n
    return np.minimum(size / np.maximum(tau, 1 / np.log10(size)), size * np.log10(size))


def bulk_ess(x: np.ndarray) -> np.ndarray:
    """Bulk effective sample size (P,)."""
    return effective_size(normal_scores(split(x)))


def tail_ess(x: np.ndarray) -> np.ndarray:
    """Tail effective sample size (P,): the smaller of the 5% and 95% quantiles'."""
    halves = split(x)
    flat = halves.reshape(-1, x.shape[-1])
    sizes = [effective_size((halves <= cut).astype("f8")) for cut in np.quantile(flat, TAILS, axis=0)]
    return np.minimum(*sizes)


def bfmi(energy: np.ndarray) -> float:
    """Smallest Bayesian fraction of missing information over the chains of energy (C, N)."""
    return float((np.diff(energy, axis=1) ** 2).mean(axis=1).min() / energy.var(axis=1).max())


def summarise(z: np.ndarray, stats: dict, names, spread=None, max_treedepth: int = 10) -> Summary:
    """The summary of a patch.

    Parameters
    ----------
    z : (chain, draw, parameter) draws
    stats : arrays (chain, draw) `diverging`, `depth`, `energy`
    names : of the parameters
    spread : (P,) standard deviations that the Fisher matrix predicts
    """
    bad, bulk, tail = (np.nan_to_num(f(z), nan=worst) for f, worst in _FIGURES)
    out = Summary(
        max_rhat=float(bad.max()),
        max_rhat_name=names[int(bad.argmax())],
        min_bulk_ess=float(bulk.min()),
        min_bulk_ess_name=names[int(bulk.argmin())],
        min_tail_ess=float(tail.min()),
        min_tail_ess_name=names[int(tail.argmin())],
        divergences=int(np.sum(stats["diverging"])),
        fraction_at_max_depth=float(np.mean(stats["depth"] >= max_treedepth)),
        bfmi=bfmi(stats["energy"]),
    )
    if spread is None:
        return out
    wider = z.reshape(-1, z.shape[-1]).std(axis=0) / spread
    return replace(out, max_sd_ratio=float(wider.max()), max_sd_ratio_name=names[int(wider.argmax())])


_FIGURES = ((rhat, np.inf), (bulk_ess, 0.0), (tail_ess, 0.0))
