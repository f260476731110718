"""Compiled evaluation of mixture tables; written with all shapes so that a patch costs microseconds."""

import math

import numpy as np

from ..machinecode import compiled


def as_columns(n, rhalf, is_point):
    """The three (S,) inputs as contiguous float64, float64, bool."""
    return (
        np.ascontiguousarray(n, "f8"),
        np.ascontiguousarray(rhalf, "f8"),
        np.ascontiguousarray(is_point, "?"),
    )


@compiled(inline="always")
def _cubic(pieces, i, k, t):
    """Value and derivative at `t` of the cubic `pieces[i, :, k]`, lowest power first."""
    c0, c1, c2, c3 = pieces[i, 0, k], pieces[i, 1, k], pieces[i, 2, k], pieces[i, 3, k]
    return c0 + t * (c1 + t * (c2 + t * c3)), c1 + t * (2 * c2 + t * 3 * c3)


@compiled
def scale_free(n, rhalf, is_point, n_min, n_max, first, per_step, pieces, n_below):
    """Profile (S, K, 6) and count (S,) from cubic pieces (M, 4, 2 K) in u = log n.

    The first K columns of `pieces` are weights, the others log widths; `n_below` of them lie below
    u = first. Outside [n_min, n_max] the profile of the nearest n is used, with derivative 0 by n.
    """
    profile, count = np.zeros((len(n), pieces.shape[2] // 2, 6)), np.empty(len(n), np.int32)
    for s in range(len(n)):
        count[s] = fill_profile(
            n[s], rhalf[s], is_point[s], n_min, n_max, first, per_step, pieces, n_below, profile[s]
        )
    return profile, count


@compiled(forceinline=True)
def fill_profile(n, rhalf, is_point, n_min, n_max, first, per_step, pieces, n_below, profile):
    """The profile (K, 6) of one source, into zeros or an earlier one; how many Gaussians it has."""
    n_pieces, n_gauss = pieces.shape[0], pieces.shape[2] // 2
    if is_point:
        profile[0, 0] = 1.0
        return 1
    held = min(max(n, n_min), n_max)
    step = (math.log(held) - first) * per_step
    place = min(max(math.floor(step), -n_below), n_pieces - n_below - 1)
    piece, t = place + n_below, (step - place) / per_step
    slope = 1.0 / held if held == n else 0.0
    for k in range(n_gauss):
        weight, by_n = _cubic(pieces, piece, k, t)
        log_width, width_by_n = _cubic(pieces, piece, n_gauss + k, t)
        area = rhalf * math.exp(2 * log_width)
        profile[k, 0] = weight
        profile[k, 1] = rhalf * area
        profile[k, 2] = slope * by_n
        profile[k, 3] = slope * 2 * rhalf * area * width_by_n
        profile[k, 5] = 2 * area
    return n_gauss


@compiled
def _locate(value, breaks):
    """Index of the interval of `breaks` that holds `value`."""
    return min(max(np.searchsorted(breaks, value, side="right") - 1, 0), len(breaks) - 2)


@compiled
def fixed_widths(n, rhalf, is_point, n_breaks, r_breaks, pieces, variances):
    """Profile (S, K, 6) and count (S,) from bicubic pieces (N, R, 4, 4, K), widths fixed on the sky.

    `pieces[i, j, a, b]` multiplies (n - n_i)^a (rhalf - r_j)^b. Outside the grid the nearest
    edge is used, with derivative 0.
    """
    n_sources, n_gauss = len(n), len(variances)
    profile = np.zeros((n_sources, n_gauss, 6))
    count = np.full(n_sources, n_gauss, np.int32)
    for s in range(n_sources):
        if is_point[s]:
            profile[s, 0, 0] = 1.0
            count[s] = 1
            continue
        held_n = min(max(n[s], n_breaks[0]), n_breaks[-1])
        held_r = min(max(rhalf[s], r_breaks[0]), r_breaks[-1])
        i, j = _locate(held_n, n_breaks), _locate(held_r, r_breaks)
        x, y = held_n - n_breaks[i], held_r - r_breaks[j]
        free_n = 1.0 if held_n == n[s] else 0.0
        free_r = 1.0 if held_r == rhalf[s] else 0.0
        for k in range(n_gauss):
            value, by_n, by_r = 0.0, 0.0, 0.0
            for a in range(3, -1, -1):
                c = pieces[i, j, a, :, k]
                row = c[0] + y * (c[1] + y * (c[2] + y * c[3]))
                by_n = by_n * x + value
                value = value * x + row
                by_r = by_r * x + c[1] + y * (2 * c[2] + y * 3 * c[3])
            profile[s, k, 0] = value
            profile[s, k, 1] = variances[k]
            profile[s, k, 2] = free_n * by_n
            profile[s, k, 4] = free_r * by_r
    return profile, count
