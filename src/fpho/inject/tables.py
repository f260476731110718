"""What became of injected sources: one row each, and completeness, bias and pulls by magnitude and size."""

from itertools import pairwise

import numpy as np

from ..parameters import error_col
from ..products.comparison import matched

AB_NJY = 31.4  # AB magnitude of 1 nJy


def source_table(truth, snr, found_rows, bands, options):
    """Astropy table, a row for each injected source.

    Parameters
    ----------
    truth : scene rows (S,) as injected. snr : (S, B), 0 where no image holds the source.
    found_rows : scene rows of the run's last catalog. options : `fpho.config.Inject`.
    """
    from astropy.table import Table

    match = matched(truth, found_rows, options.match_radius)
    got = found_rows[np.maximum(match, 0)] if len(found_rows) else np.zeros(len(truth), truth.dtype)
    errors = np.stack([got[error_col(band)] for band in bands], axis=-1)
    fluxes = np.stack([got[band] for band in bands], axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        strong = np.nanmax(np.where(errors > 0, fluxes / errors, 0.0), axis=1) >= options.min_snr
    table = Table({"id": truth["id"], "ra": truth["ra"], "dec": truth["dec"]})
    table["in_images"] = np.any(snr > 0, axis=1)
    table["found"] = (match >= 0) & strong
    table["rhalf_true"], table["sersic_true"] = truth["rhalf"], truth["sersic"]
    table["rhalf"] = np.where(match >= 0, got["rhalf"], np.nan)
    table["sersic"] = np.where(match >= 0, got["sersic"], np.nan)
    table["flags"] = np.where(match >= 0, got["flags"], 0)
    for b, band in enumerate(bands):
        true, value = truth[band], np.where(match >= 0, fluxes[:, b], np.nan)
        with np.errstate(divide="ignore", invalid="ignore"):
            table[f"{band}_mag"] = np.where(true > 0, AB_NJY - 2.5 * np.log10(true), np.nan)
            table[f"{band}_snr"] = snr[:, b]
            table[f"{band}_true"], table[band], table[f"{band}_err"] = true, value, errors[:, b]
            table[f"{band}_bias"] = value / true - 1
            table[f"{band}_pull"] = (value - true) / errors[:, b]
    return table


def binned(table, bands, options):
    """Astropy table: completeness, median flux bias, pulls and size ratio, by magnitude and by size."""
    from astropy.table import Table

    rows = []
    for band in bands:
        keys = {"mag": (f"{band}_mag", options.magnitude_bins), "rhalf": ("rhalf_true", options.size_bins)}
        for key, (column, edges) in keys.items():
            for low, high in pairwise(edges):
                values = np.asarray(table[column], "f8")
                use = np.asarray(table["in_images"]) & (values >= low) & (values < high)
                if use.any():
                    rows.append({"band": band, "by": key, "from": low, "to": high, **_bin(table[use], band)})
    names = ("band", "by", "from", "to", "n", "found", "completeness", "bias", "pull_mean", "pull_sd", "size")
    return Table(rows=rows, names=names) if rows else Table(names=names)


def _bin(table, band: str) -> dict:
    found = table[np.asarray(table["found"])]
    pulls = np.asarray(found[f"{band}_pull"], "f8")
    pulls = pulls[np.isfinite(pulls)]
    with np.errstate(divide="ignore", invalid="ignore"):
        size = np.asarray(found["rhalf"] / found["rhalf_true"], "f8")
    return {
        "n": len(table),
        "found": len(found),
        "completeness": len(found) / len(table),
        "bias": _median(found[f"{band}_bias"]),
        "pull_mean": float(pulls.mean()) if len(pulls) else np.nan,
        "pull_sd": float(pulls.std(ddof=1)) if len(pulls) > 1 else np.nan,
        "size": _median(size),
    }


def _median(values) -> float:
    values = np.asarray(values, "f8")
    values = values[np.isfinite(values)]
    return float(np.median(values)) if len(values) else np.nan
