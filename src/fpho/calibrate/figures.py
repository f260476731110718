"""Figures of a calibration: coverage, pulls, uniformity of ranks, flux bias, and the limits on them.

Uncertainties of the figures are those of so many independent sources. Ranks of one source's quantities
are correlated, so a table of all quantities together has larger errors than its number suggests.
"""

import numpy as np

from .outcomes import Outcomes

LIMITS = {"cover68": (0.65, 0.71), "cover95": (0.93, 0.97), "pull_mean": (-0.1, 0.1), "pull_sd": (0.9, 1.1)}
# of one source: standard deviation of being inside, of a pull, of the sd of pulls
ERRORS = {"cover68": 0.466, "cover95": 0.218, "pull_mean": 1.0, "pull_sd": 0.707}
MIN_P = 0.01
SNR_BINS = ((10, 20, 0.03), (20, 50, 0.01), (50, 200, 0.003))  # from, to, limit of the relative bias
EMPTY_MEAN, EMPTY_SD = 0.15, (0.9, 1.1)
RANK_BINS = 20


def coverage_table(outcomes: Outcomes):
    """Astropy table: a row for each quantity and one for all; `met` says which limits hold."""
    from astropy.table import Table

    rows = [_coverage(outcomes, [c], name) for c, name in enumerate(outcomes.names)]
    rows.append(_coverage(outcomes, list(range(len(outcomes.names))), "all"))
    return Table(rows=rows)


def covered(outcomes: Outcomes, level) -> np.ndarray:
    """(S, C, ...) part of each truth's rank that lies within the central interval of a level (...).

    A rank among N draws stands for an interval 1 / (N + 1) wide, uniform ranks for uniform numbers; counted
    as points instead, those on an interval's edge would be lost: 94% for 95% and 99 draws.
    """
    width = 1 / (outcomes.draws.shape[1] + 1)
    from_middle = abs(outcomes.pit - 0.5)[(...,) + (None,) * np.ndim(level)]
    return np.clip((0.5 * np.asarray(level) - from_middle) / width + 0.5, 0, 1)


def _coverage(outcomes: Outcomes, columns, name: str) -> dict:
    pit, pulls = outcomes.pit[:, columns], outcomes.pulls[:, columns]
    n = len(pit)
    row = {
        "kind": outcomes.kind,
        "quantity": name,
        "n": n,
        "cover68": float(np.mean(covered(outcomes, 0.68)[:, columns])),
        "cover95": float(np.mean(covered(outcomes, 0.95)[:, columns])),
        "pull_mean": float(pulls.mean()),
        "pull_sd": float(pulls.std()),
        "p_chi2": uniform_chi2(pit) if len(columns) == 1 else np.nan,
        "p_ks": uniform_ks(pit) if len(columns) == 1 else np.nan,
    }
    errors = {f"{key}_err": error / np.sqrt(n) for key, error in ERRORS.items()}
    uniform = len(columns) > 1 or min(row["p_chi2"], row["p_ks"]) > MIN_P
    met = uniform and _inside(row, dict.fromkeys(LIMITS, 0.0))
    consistent = _inside(row, {key: 2 * errors[f"{key}_err"] for key in LIMITS})
    return row | errors | {"met": met, "consistent": consistent}


def _inside(row, margin) -> bool:
    """Whether all figures are within the limits, widened by a margin each."""
    return all(low - margin[k] <= row[k] <= high + margin[k] for k, (low, high) in LIMITS.items())


def uniform_chi2(pit) -> float:
    """p-value of the counts of ranks in equal bins."""
    from scipy.stats import chisquare

    bins = min(RANK_BINS, max(2, pit.size // 5))
    return float(chisquare(np.histogram(pit, bins, (0, 1))[0]).pvalue)


def uniform_ks(pit) -> float:
    """p-value of the largest distance between the ranks' distribution and the uniform one."""
    from scipy.stats import kstest

    return float(kstest(pit.ravel(), "uniform").pvalue)


def bias_table(outcomes: Outcomes):
    """Astropy table: relative flux bias by S/N, of the mean of the draws and of the optimum.

    `draws`, `optimum`: (value - truth) / truth in bins of the true S/N; sources count by its square. Such a
    bias holds the prior's pull: sources of high S/N are those drawn from one side of the priors.
    `by_data`: (value - truth) / value of the draws in bins of value / sd, which the data alone set: it is 0
    for a right posterior whatever the priors. `met`: `draws` is below the limit; `consistent`: by two errors.
    """
    from astropy.table import Table

    bands = slice(0, outcomes.n_bands)
    arrays = (outcomes.snr, outcomes.truth, outcomes.mean, outcomes.optimum, outcomes.sd)
    snr, truth, mean, optimum, sd = (values[:, bands].ravel() for values in arrays)
    rows = []
    for low, high, limit in SNR_BINS:
        use = (snr >= low) & (snr < high)
        row = {"kind": outcomes.kind, "snr_from": low, "snr_to": high, "n": int(use.sum()), "limit": limit}
        for name, values in (("draws", mean), ("optimum", optimum)):
            row[name], row[f"{name}_err"] = weighted_mean((values / truth - 1)[use], snr[use] ** 2)
        use = (mean / sd >= low) & (mean / sd < high)
        weights = (mean / sd)[use] ** 2
        row["by_data"], row["by_data_err"] = weighted_mean((1 - truth / mean)[use], weights)
        row["met"] = bool(abs(row["draws"]) <= limit)
        row["consistent"] = bool(abs(row["draws"]) <= limit + 2 * row["draws_err"])
        rows.append(row)
    return Table(rows=rows)


def weighted_mean(values, weights) -> tuple[float, float]:
    """Mean and its error from the scatter; NaN for fewer than two values."""
    if len(values) < 2:
        return np.nan, np.nan
    weights = weights / weights.sum()
    mean = float(weights @ values)
    return mean, float(np.sqrt(np.sum(weights**2 * (values - mean) ** 2)))


def empty_table(outcomes: Outcomes):
    """Astropy table: flux over its error at empty places, from draws and from the optimum."""
    from astropy.table import Table

    bands = slice(0, outcomes.n_bands)
    pulls = {
        "draws": outcomes.mean[:, bands] / outcomes.sd[:, bands],
        "optimum": outcomes.optimum[:, bands] / outcomes.optimum_flux_err,
    }
    rows = []
    for name, values in pulls.items():
        for label, some in [*zip(outcomes.names, values.T, strict=False), ("all", values.ravel())]:
            mean, sd = float(some.mean()), float(some.std())
            met = abs(mean) < EMPTY_MEAN and EMPTY_SD[0] <= sd <= EMPTY_SD[1]
            rows.append(
                {"from": name, "band": label, "n": len(some), "mean": mean, "sd": sd, "met": met}
                | {"mean_err": float(1 / np.sqrt(len(some))), "beyond_3_sigma": int(np.sum(abs(some) > 3))}
            )
    return Table(rows=rows)


def joint_pit(outcomes: Outcomes, rng) -> np.ndarray:
    """(S,) fraction of draws nearer to a random place than the truth is: uniform under calibration.

    Tests all quantities together, correlations included (Lemos et al. 2023, ICML, "TARP"). Places are drawn
    about the mean with twice the draws' spread, distances are in units of the sd.
    """
    scale = outcomes.sd[:, None]
    draws = (outcomes.draws - outcomes.mean[:, None]) / scale
    truth = (outcomes.truth - outcomes.mean) / outcomes.sd
    places = 2 * rng.standard_normal(truth.shape)
    near = np.linalg.norm(draws - places[:, None], axis=-1)
    below = np.sum(near < np.linalg.norm(truth - places, axis=-1)[:, None], axis=1)
    return (below + 0.5) / (draws.shape[1] + 1)
