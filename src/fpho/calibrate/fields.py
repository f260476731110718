"""One simulated field against its truth: a row for each true source, with what the run says of it."""

import numpy as np

from ..products.comparison import compare, matched
from .fieldfigures import LEVELS, SHAPES


def field_table(posterior, optimum, truth, bands, density: float):
    """Astropy table, a row for each true source.

    Parameters
    ----------
    posterior : catalog of percentiles of the run. optimum : its post-optimization catalog.
    truth : as `fpho.simulate.field` writes it. density : sources per square arcmin.

    Returns
    -------
    Of each quantity (fluxes, ra, dec, shapes): `_true`, value, `_err`, `_pull` and whether the central 68 and
    95% intervals hold the truth; of each band the S/N, true and measured, and the optimum's pull; flags,
    neighbour (arcsec to the nearest true one), density, found, in_catalog.
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
    at = matched(truth, optimum)
    for band in bands:
        table[f"{band}_snr_true"] = np.asarray(truth[f"{band}_snr"], "f8")
        table[f"{band}_snr"] = table[band] / table[f"{band}_err"]
        delta = _taken(optimum, band, at) - np.asarray(truth[band], "f8")
        table[f"{band}_optimum_pull"] = delta / _taken(optimum, f"{band}_err", at)
    table["is_point"] = np.asarray(truth["is_point"], bool)
    table["flags"] = np.where(found, np.asarray(posterior["flags"])[match], 0)
    table["neighbour"] = nearest(np.asarray(truth["ra"]), np.asarray(truth["dec"]))
    table["density"] = np.full(len(truth), density)
    table.meta["SPURIOUS"] = int(len(posterior) - found.sum())
    table.meta["BANDS"] = ",".join(bands)
    return table


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
