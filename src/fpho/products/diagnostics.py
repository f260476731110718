"""R-hat and effective sample size of draws (Vehtari et al. 2021, Bayesian Analysis 16, 667), by ArviZ."""

import warnings

import numpy as np


def convergence(parameters) -> tuple[float, float]:
    """(largest R-hat, smallest bulk or tail effective sample size) over parameters.

    parameters : arrays (chains, draws); NaN for both without any, or with fewer than 4 draws a chain.
    """
    if not len(parameters) or parameters[0].shape[1] < 4:
        return np.nan, np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # ArviZ announces its next version on import
        from arviz import ess, rhat
    several = parameters[0].shape[0] > 1
    worst = max(float(rhat(p)) for p in parameters) if several else np.nan
    return worst, min(float(ess(p, method=method)) for p in parameters for method in ("bulk", "tail"))
