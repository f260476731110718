"""Robust statistics."""

import numpy as np

SIGMA_OF_MAD = 1.4826  # standard deviation of a normal distribution in units of its median absolute deviation


def mad_std(values, about: float | None = None) -> float:
    """Robust standard deviation of some values: about their median, or about a value that is known."""
    middle = np.median(values) if about is None else about
    apart = np.subtract(values, middle)
    return float(SIGMA_OF_MAD * np.median(np.abs(apart, out=apart), overwrite_input=True))
