"""Which sources get plots of their own, and how well an image is fitted."""

import numpy as np

from .collecting import Results
from .picture import Picture


def chosen_sources(results: Results, most: int) -> list:
    """At most `most` sources with draws: flagged ones first, then by S/N of their best band; by index."""

    def rank(source):
        row = source.median
        snr = max(abs(row[b]) / max(row[f"{b}_err"], 1e-30) for b in results.bands)
        return (not source.row["flags"], -snr)

    chosen = sorted((source for source in results.sources if source.n_draws), key=rank)[:most]
    return sorted(chosen, key=lambda source: source.row["source_index"])


def image_chi2(picture: Picture) -> float:
    """Mean squared residual in sigma^2 over the good pixels of an image."""
    return float(np.nanmean(picture.pull**2)) if picture.good.any() else np.nan
