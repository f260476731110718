"""What the draws of one source say: the medians of its parameters, and how well its chains mixed."""

import numpy as np

from ..parameters import ellipticity, from_ellipticity, q_names, scene_dtype, wrap_degrees
from ..sampling.diagnostics import bulk_ess, rhat, tail_ess


def median_row(row, draws, bands) -> np.void:
    """A scene row at the medians of draws (N,) (shapes: of the ellipticity's components)."""
    out = np.zeros((), scene_dtype(bands))
    for name in set(out.dtype.names) & set(row.dtype.names):
        out[name] = row[name]
    for name in q_names(bands):
        out[name] = np.median(draws[name])
    first = draws["ra"][0]
    out["ra"] = np.mod(first + np.median(wrap_degrees(draws["ra"] - first)), 360.0)
    for band in bands:
        out[f"{band}_err"] = np.std(draws[band])
    e1, e2 = ellipticity(draws["q"], draws["pa"])
    out["q"], out["pa"] = from_ellipticity(np.median(e1), np.median(e2))
    return out[()]


def convergence(draws, bands, n_chains: int) -> tuple[float, float]:
    """(largest R-hat, smallest bulk or tail effective sample size) of one source's parameters.

    draws : structured (N,), chain after chain. Shapes count by the components of the ellipticity, which
    do not wrap; parameters that are held fixed do not count.
    """
    e1, e2 = ellipticity(draws["q"], draws["pa"])
    values = [e1, e2, *(draws[name] for name in q_names(bands) if name not in ("q", "pa"))]
    free = [value.reshape(n_chains, -1) for value in values if np.ptp(value) > 0]
    if not free or free[0].shape[1] < 4:
        return np.nan, np.nan
    chains = np.stack(free, axis=-1)
    sizes = np.minimum(bulk_ess(chains), tail_ess(chains))
    return float(np.max(rhat(chains))), float(np.min(sizes))
