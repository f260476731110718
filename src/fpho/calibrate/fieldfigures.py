"""Figures of simulated fields: coverage, pulls and bias by S/N, size, neighbour and flag; completeness.

In bins of the *measured* S/N a right posterior has no bias; in bins of the true one it has, since faint
sources are drawn toward the more numerous fainter ones. Both are shown; only the first has limits.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from ..flags import REMARKS, Flag
from ..products.photometry import colour_name
from .figures import ERRORS

LEVELS = {68: ("p16", "p84"), 95: ("p2_5", "p97_5")}
SHAPES = ("axis_ratio", "rhalf", "sersic")
BRIGHT = (20.0, 500.0)  # S/N of galaxies whose structure shows
GROUPS = {"flux": None, "position": ("ra", "dec"), "size": ("rhalf",), "index": ("sersic",)}
SNR_EDGES = (3, 5, 10, 30, 100, np.inf)
RATIO_LIMITS = (0.05, 0.04, 0.02, 0.01, 0.005)  # of the median flux ratio, in these bins
SIZE_EDGES = (0, 0.05, 0.1, 0.2, 0.4, np.inf)  # arcsec
NEIGHBOUR_EDGES = (0, 0.3, 0.6, 1.0, 2.0, np.inf)  # arcsec
LIMITS = {"cover68": (0.65, 0.71), "cover95": (0.93, 0.97), "pull_mean": (-0.1, 0.1), "pull_sd": (0.9, 1.1)}
BEYOND = 5.0  # sigma, and the largest share of such pulls
BEYOND_SHARE = 0.003
WRONG = 3.0  # sigma of the worst flux or position: what a flag should warn of
FLAGGED_SHARE = 0.1  # of sources with S/N above 10
OUTLIER = 0.5  # relative error


@dataclass(frozen=True)
class Measured:
    """Values (N,) of one kind of quantity of chosen sources."""

    pull: np.ndarray
    inside: dict[int, np.ndarray]
    ratio: np.ndarray  # value / truth; NaN for positions
    snr: np.ndarray  # measured
    snr_true: np.ndarray
    row: np.ndarray  # row of the source


def measured(table, group: str) -> Measured:
    """All values of a group of quantities; sources that were not found, and NaN, are left out."""
    bands = bands_of(table)
    whole = {kind: np.sqrt(np.sum([_column(table, f"{b}_{kind}") ** 2 for b in bands], axis=0)) for kind in
             ("snr", "snr_true")}  # fmt: skip
    parts = []
    colours = [colour_name(*pair) for pair in pairwise(bands)]
    for name in colours if group == "colour" else GROUPS[group] or bands:
        pull = _column(table, f"{name}_pull")
        snr = _column(table, f"{name}_snr") if group == "flux" else whole["snr"]
        true = _column(table, f"{name}_snr_true") if group == "flux" else whole["snr_true"]
        ratio = np.full(len(table), np.nan)
        if group not in ("position", "colour"):
            with np.errstate(divide="ignore", invalid="ignore"):
                ratio = _column(table, name) / _column(table, f"{name}_true")
        inside = [np.asarray(table[f"{name}_in{level}"], bool) for level in LEVELS]
        parts.append((pull, *inside, ratio, snr, true, np.arange(len(table))))
    pull, in68, in95, ratio, snr, true, row = (np.concatenate(some) for some in zip(*parts, strict=True))
    good = np.isfinite(pull)
    return Measured(
        pull[good], {68: in68[good], 95: in95[good]}, ratio[good], snr[good], true[good], row[good]
    )


def bands_of(table) -> list[str]:
    """Bands of a table of `fields.field_table`."""
    return table.meta["BANDS"].split(",")


def _column(table, name: str) -> np.ndarray:
    return np.asarray(table[name], "f8")


def summary(values: Measured, use) -> dict:
    """Figures of some of the values; their errors are those of so many independent ones."""
    n = int(np.sum(use))
    if not n:
        return {"n": 0} | dict.fromkeys(
            ("cover68", "cover95", "pull_mean", "pull_sd", "ratio", "beyond"), np.nan
        )
    pull, ratio = values.pull[use], values.ratio[use]
    ratio = ratio[np.isfinite(ratio)]
    return {
        "n": n,
        "cover68": float(values.inside[68][use].mean()),
        "cover95": float(values.inside[95][use].mean()),
        "pull_mean": float(pull.mean()),
        "pull_sd": float(pull.std()),
        "ratio": float(np.median(ratio)) if len(ratio) else np.nan,
        "beyond": float(np.mean(np.abs(pull) > BEYOND)),
    }


def by_snr(table, true: bool = False, flagged: bool = False):
    """Rows by S/N, measured or true, of sources without flags (or of the flagged ones)."""
    rows = []
    chosen = is_flagged(table) == flagged
    for group in GROUPS:
        values = measured(table, group)
        snr = values.snr_true if true else values.snr
        for (low, high), limit in zip(_bins(SNR_EDGES), RATIO_LIMITS, strict=True):
            use = chosen[values.row] & (snr >= low) & (snr < high)
            row = {"quantity": group, "from": low, "to": high} | summary(values, use)
            met = None if true else _met(row, limit if group == "flux" else None)
            rows.append(row | {"met": met, "excess": excess(row)})
    return _table(rows)


def bright_galaxies(table):
    """Rows of galaxies within BRIGHT, flagged or not: what structure does that no model has."""
    rows = []
    for group in (*GROUPS, *(["colour"] if len(bands_of(table)) > 1 else [])):
        values = measured(table, group)
        whole = np.sqrt(np.sum([_column(table, f"{b}_snr") ** 2 for b in bands_of(table)], axis=0))[
            values.row
        ]
        galaxy = ~np.asarray(table["is_point"], bool)[values.row]
        use = galaxy & (whole >= BRIGHT[0]) & (whole < BRIGHT[1])
        rows.append({"quantity": group} | summary(values, use))
    return _table(rows)


def _met(row: dict, ratio_limit) -> bool | None:
    if not row["n"]:
        return None
    inside = all(low <= row[key] <= high for key, (low, high) in LIMITS.items())
    ratio = ratio_limit is None or abs(row["ratio"] - 1) <= ratio_limit
    return bool(inside and ratio and row["beyond"] <= BEYOND_SHARE)


def excess(row: dict) -> float:
    """How far the worst of coverage and pulls lies beyond its limits, in standard errors of n sources."""
    if not row["n"]:
        return np.nan
    beyond = {key: max(low - row[key], row[key] - high, 0.0) for key, (low, high) in LIMITS.items()}
    return float(max(beyond[key] / ERRORS[key] for key in LIMITS) * np.sqrt(row["n"]))


def by_property(table, name: str, edges):
    """Rows of fluxes and positions, flags or not, by a column of the table: a true size, a distance."""
    rows = []
    for group in ("flux", "position", "size"):
        values = measured(table, group)
        at = _column(table, name)[values.row]
        for low, high in _bins(edges):
            rows.append(
                {"quantity": group, "from": low, "to": high} | summary(values, (at >= low) & (at < high))
            )
    return _table(rows)


def is_flagged(table) -> np.ndarray:
    """Sources (S,) with a flag that speaks of trouble, of those that this program sets."""
    return (np.asarray(table["flags"]) & int(TROUBLE)) != 0


TROUBLE = ~REMARKS


def worst_pull(table) -> np.ndarray:
    """(S,) largest |pull| of fluxes and positions; NaN where not found."""
    names = [*bands_of(table), "ra", "dec"]
    pulls = np.abs([_column(table, f"{name}_pull") for name in names])
    with np.errstate(invalid="ignore"):
        return np.where(np.isnan(pulls).all(axis=0), np.nan, np.nanmax(np.nan_to_num(pulls, nan=-1), axis=0))


def by_flag(table):
    """Share of each flag, and how often sources with it are wrong by more than WRONG sigma: its precision."""
    bands = bands_of(table)
    snr = np.max([_column(table, f"{band}_snr_true") for band in bands], axis=0)
    worst, rows = worst_pull(table), []
    known = np.isfinite(worst)
    flags = np.asarray(table["flags"])
    cases = {flag.name: (flags & flag) != 0 for flag in Flag} | {"any": is_flagged(table)}
    cases["none"] = ~cases["any"]
    for name, has in cases.items():
        use, bright = has & known, known & (snr > 10)
        wrong = worst[use] > WRONG
        rows.append(
            {
                "flag": name,
                "n": int(use.sum()),
                "share": float(use.sum() / max(known.sum(), 1)),
                "share_bright": float((has & bright).sum() / max(bright.sum(), 1)),
                "wrong": float(wrong.mean()) if use.any() else np.nan,
                "found_wrong": float(np.sum(worst[use] > WRONG) / max(np.sum(worst[known] > WRONG), 1)),
            }
        )
    return _table(rows)


def completeness(table):
    """Share of true sources that stand in the catalog, by true S/N of the best band."""
    bands = bands_of(table)
    snr = np.max([_column(table, f"{band}_snr_true") for band in bands], axis=0)
    found = np.asarray(table["found"], bool)
    rows = []
    for low, high in _bins(SNR_EDGES):
        use = (snr >= low) & (snr < high)
        share = float(found[use].mean()) if use.any() else np.nan
        rows.append({"from": low, "to": high, "n": int(use.sum()), "completeness": share})
    return _table(rows)


def purity(table) -> float:
    """Share of the catalog's sources that are true ones."""
    found = int(np.sum(table["found"]))
    return found / max(found + table.meta["SPURIOUS"], 1)


def morphology(table):
    """Bias, dispersion and outliers of relative errors, as challenges of photometry and shapes state them.

    Bias: median; dispersion: half of the width from 16 to 84%; outliers: beyond OUTLIER. Euclid Morphology
    Challenge: Bretonniere et al. 2023, A&A 671, A102; Merlin et al. 2023, A&A 671, A101.
    """
    bands = bands_of(table)
    snr = np.max([_column(table, f"{band}_snr_true") for band in bands], axis=0)
    rows = []
    for name in (*bands, *SHAPES):
        error = _column(table, name) / _column(table, f"{name}_true") - 1
        for low, high in _bins(SNR_EDGES):
            use = np.isfinite(error) & (snr >= low) & (snr < high)
            low16, middle, high84 = np.percentile(error[use], [16, 50, 84]) if use.any() else (np.nan,) * 3
            rows.append(
                {
                    "quantity": name,
                    "from": low,
                    "to": high,
                    "n": int(use.sum()),
                    "bias": float(middle),
                    "dispersion": float(0.5 * (high84 - low16)),
                    "outliers": float(np.mean(np.abs(error[use]) > OUTLIER)) if use.any() else np.nan,
                }
            )
    return _table(rows)


def optimum_pulls(table):
    """Rows of the optimum's flux pulls by its own S/N, and of all above the first edge; without flags."""
    values = [
        np.concatenate([_column(table, f"{band}_optimum_{kind}") for band in bands_of(table)])
        for kind in ("pull", "snr")
    ]
    pulls, snr = (some[np.tile(~is_flagged(table), len(bands_of(table)))] for some in values)
    rows = []
    for low, high in [*_bins(SNR_EDGES), (SNR_EDGES[0], SNR_EDGES[-1]), (-np.inf, SNR_EDGES[0])]:
        some = pulls[(snr >= low) & (snr < high)]
        mean, sd = (some.mean(), some.std()) if len(some) else (np.nan, np.nan)
        rows.append({"from": low, "to": high, "n": len(some), "pull_mean": mean, "pull_sd": sd})
    return _table(rows)


def _bins(edges):
    return list(pairwise(edges))


def _table(rows):
    from astropy.table import Table

    return Table(rows=rows)
