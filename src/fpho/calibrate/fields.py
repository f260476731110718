"""One simulated field against its truth: a row for each true source, with what the run says of it."""

from itertools import pairwise

import numpy as np
from scipy.special import ndtri

from ..parameters import axis_ratio
from ..products.comparison import compare, deviation, matched
from ..products.photometry import colour_name
from .fieldfigures import LEVELS, SHAPES


def field_table(posterior, optimum, truth, bands, density: float, means=None):
    """Astropy table, a row for each true source.

    A pull is (mean - truth) / sd of the draws: that is 0 in the mean, with sd 1, in bins of the data for any
    right posterior. With the median in place of the mean it is not, where a posterior is skewed, as those of
    sizes and indices are (a log-normal one of scatter 0.5: -0.2).

    Parameters
    ----------
    posterior : catalog of percentiles of the run. optimum : its post-optimization catalog.
    means : means of draws, columns by name, rows as in `posterior`; None: its values, which are medians
    truth : as `fpho.simulate.field` writes it. density : sources per square arcmin.

    Returns
    -------
    Of each quantity (fluxes, ra, dec, shapes, colours of bands that follow each other): `_true`, value,
    `_err`, `_pull` and whether the central 68 and 95% intervals hold the truth; of each band the S/N, true
    and measured, and the optimum's pull and S/N; flags, neighbour (arcsec to the nearest true one), density,
    found, in_catalog.
    """
    table = compare(posterior, truth, bands).table
    match = matched(truth, posterior)
    found = match >= 0
    for name in (*bands, "ra", "dec", *SHAPES):
        true = np.asarray(truth[name], "f8")
        for level, (low, high) in LEVELS.items():
            inside = np.zeros(len(truth), bool)
            low_value, high_value = (np.asarray(posterior[f"{name}_{p}"], "f8") for p in (low, high))
            inside[found] = (low_value[match[found]] <= true[found]) & (
                true[found] <= high_value[match[found]]
            )
            table[f"{name}_in{level}"] = inside
        if means is not None:
            mean = np.where(found, np.asarray(means[name], "f8")[match], np.nan)
            delta = deviation(name, mean, np.asarray(table[f"{name}_true"]), np.asarray(truth["dec"]))
            table[f"{name}_mean"], table[f"{name}_pull"] = mean, delta / table[f"{name}_err"]
    at = matched(truth, optimum)
    for band in bands:
        table[f"{band}_snr_true"] = np.asarray(truth[f"{band}_snr"], "f8")
        table[f"{band}_snr"] = table[band] / table[f"{band}_err"]
        flux, error = (_taken(optimum, name, at) for name in (band, f"{band}_err"))
        table[f"{band}_optimum_pull"] = (flux - np.asarray(truth[band], "f8")) / error
        table[f"{band}_optimum_snr"] = flux / error
    for blue, red in pairwise(bands):
        name = colour_name(blue, red)
        true = -2.5 * np.log10(np.asarray(truth[blue], "f8") / np.asarray(truth[red], "f8"))
        value, error = (_taken(posterior, column, match) for column in (name, f"{name}_err"))
        table[f"{name}_true"], table[name], table[f"{name}_err"] = true, value, error
        pull = (value - true) / error
        table[f"{name}_pull"] = pull
        for level in LEVELS:
            table[f"{name}_in{level}"] = np.abs(pull) < ndtri(0.5 + level / 200)
    table["is_point"] = np.asarray(truth["is_point"], bool)
    table["flags"] = np.where(found, np.asarray(posterior["flags"])[match], 0)
    table["neighbour"] = nearest(np.asarray(truth["ra"]), np.asarray(truth["dec"]))
    table["density"] = np.full(len(truth), density)
    table.meta["SPURIOUS"] = int(len(posterior) - found.sum())
    table.meta["BANDS"] = ",".join(bands)
    return table


def draw_means(results, posterior, bands) -> dict[str, np.ndarray]:
    """Means of draws (S,) by name, in the order of the posterior's catalog; NaN where there are no draws.

    results : `fpho.products.collecting.Results`
    """
    names = (*bands, "ra", "dec", *SHAPES)
    by_index = {int(source.row["source_index"]): source for source in results.sources}
    out = {name: np.full(len(posterior), np.nan) for name in names}
    for row, index in enumerate(posterior["source_index"]):
        source = by_index[int(index)]
        if not source.n_draws:
            continue
        draws = source.draws
        for name in names:
            values = axis_ratio(draws["q"]) if name == "axis_ratio" else draws[name]
            out[name][row] = np.mean(values)
    return out


def _taken(catalog, name: str, match) -> np.ndarray:
    return np.where(match >= 0, np.asarray(catalog[name], "f8")[match], np.nan)


def nearest(ra, dec) -> np.ndarray:
    """Distance (S,) in arcsec to the nearest other source, positions in degrees within a small field."""
    from scipy.spatial import cKDTree

    x = (ra - ra.mean()) * np.cos(np.radians(dec.mean()))
    places = np.stack([x, dec - dec.mean()], axis=1) * 3600
    if len(places) < 2:
        return np.full(len(places), np.inf)
    return cKDTree(places).query(places, k=2)[0][:, 1]
