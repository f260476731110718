"""The transform of a sum of Gaussians on a grid of frequencies, by recurrences along its rows.

Along a row v the exponent of a Gaussian is quadratic in u, so that the ratio of neighbouring values is
multiplied by the same number from step to step: two multiplications in place of an exponential. A row is
walked from its largest value outwards: what grows there is never made from what is next to nothing.
"""

import math

import numpy as np

from ..machinecode import compiled

LEAST = 1e-30  # of the exponential: below, the rest of a row is nothing


@compiled
def gaussian_spectrum(amplitude, covariance, n_u, n_v, spacing):
    """Sum of a exp(-2 pi^2 (xx u^2 + yy v^2 + 2 xy u v)), (2 n_v + 1, n_u + 1).

    Parameters
    ----------
    amplitude, covariance : (K,), (K, 3) xx, yy, xy in pixel^2
    n_u, n_v : u = 0 ... n_u, v = -n_v ... n_v, times `spacing` (1 / pixel)
    """
    out = np.zeros((2 * n_v + 1, n_u + 1))
    scale = 2 * math.pi**2 * spacing * spacing
    for k in range(len(amplitude)):
        xx, yy, xy = scale * covariance[k, 0], scale * covariance[k, 1], scale * covariance[k, 2]
        if xx == 0 and yy == 0:
            out += amplitude[k]
            continue
        bend = math.exp(-2 * xx)
        for i in range(2 * n_v + 1):
            v = float(i - n_v)
            top = min(max(round(-xy * v / xx) if xx > 0 else 0, 0), n_u)
            first = math.exp(-(xx * top * top + yy * v * v + 2 * xy * top * v))
            if first < LEAST:
                continue
            out[i, top] += amplitude[k] * first
            upwards = math.exp(-(xx * (2 * top + 1) + 2 * xy * v))
            _walk(out[i, top + 1 :], amplitude[k], first, upwards, bend)
            downwards = math.exp(xx * (2 * top - 1) + 2 * xy * v)
            _walk(out[i, :top][::-1], amplitude[k], first, downwards, bend)
    return out


@compiled
def _walk(row, amplitude, value, ratio, bend):
    """Adds a Gaussian to neighbouring places, until nothing is left of it."""
    for j in range(len(row)):
        value *= ratio
        ratio *= bend
        if value < LEAST:
            return
        row[j] += amplitude * value
