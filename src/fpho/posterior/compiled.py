"""Compiled transform and prior: one call from z to the kernel's sources, one from gradients back to z.

Columns of one source here: fluxes (B), east, north, two of shape, sersic, rhalf: B + 6.
"""

import math

import numba as nb
import numpy as np

from .priors import NODES, REACH

STEP = 2 * REACH / (NODES - 1)
RADIAL_STEP = REACH / (NODES - 1)
DISC, POLAR = 0, 1


@nb.njit(cache=True)
def lookup(table, z, first, step):
    """Value and derivative of cubic pieces (N, 4) at z; constant beyond the ends."""
    t = (z - first) / step
    n = table.shape[0]
    if not t > 0:
        return table[0, 0], 0.0
    i = min(int(t), n - 1)
    t = (t - i) * step
    if t > step:
        return table[i, 0] + step * (table[i, 1] + step * (table[i, 2] + step * table[i, 3])), 0.0
    c0, c1, c2, c3 = table[i, 0], table[i, 1], table[i, 2], table[i, 3]
    return c0 + t * (c1 + t * (c2 + t * c3)), c1 + t * (2 * c2 + t * 3 * c3)


@nb.njit(cache=True)
def value(z, i, origin, unit, table, number, log):
    """Parameter and its derivative by z: origin + unit T(z), or exp of it; held when i < 0."""
    if i < 0:
        return origin, 0.0
    x, slope = lookup(table[number], z[i], -REACH, STEP)
    x, slope = origin + unit * x, unit * slope
    if log:
        x = math.exp(x)
        slope *= x
    return x, slope


@nb.njit(cache=True)
def disc(w1, w2, radial):
    """(e1, e2) and the symmetric Jacobian (11, 12, 22) from two normal coordinates."""
    rho = math.hypot(w1, w2)
    g, slope = lookup(radial, rho, 0.0, RADIAL_STEP)
    if rho > REACH:
        g, slope = g * REACH / rho, -g * REACH / rho**2
    bend = slope / max(rho, 1e-12)
    return g * w1, g * w2, g + bend * w1 * w1, bend * w1 * w2, g + bend * w2 * w2


@nb.njit(cache=True)
def shape(z, s, c, index, origin, unit, number, mode, tables, out):
    """Ellipticity e1, e2 of source s into out[0:2] and d(e1, e2)/d(two coordinates) into out[2:6]."""
    i, j = index[s, c], index[s, c + 1]
    if mode[s] == DISC:
        e1, e2, d11, d12, d22 = disc(z[i], z[j], tables[number[s, 2]])
        out[0], out[1], out[2], out[3], out[4], out[5] = e1, e2, d11, d12, d12, d22
        return
    q, dq = value(z, i, origin[s, c], unit[s, c], tables, number[s, 2], False)
    pa, dpa = value(z, j, origin[s, c + 1], unit[s, c + 1], tables, number[s, 3], False)
    ratio = q * q
    e = (1 - ratio) / (1 + ratio)
    de = -4 * q / (1 + ratio) ** 2 * dq
    cosine, sine = math.cos(2 * pa), math.sin(2 * pa)
    out[0], out[1] = e * cosine, e * sine
    out[2], out[3] = de * cosine, -2 * e * sine * dpa  # d e1 / d (z_q, z_pa)
    out[4], out[5] = de * sine, 2 * e * cosine * dpa


@nb.njit(cache=True)
def expand(z, n_bands, index, origin, unit, number, mode, tables, sources, slope, turn):
    """The kernel's sources (S, B + 7), slopes (S, B + 6) dx/dz, and turn (S, 2, 3) dM/dz of the shape."""
    out = np.empty(6)
    for s in range(index.shape[0]):
        for c in range(n_bands):
            i = index[s, c]
            sources[s, c] = origin[s, c] + (unit[s, c] * z[i] if i >= 0 else 0.0)
            slope[s, c] = unit[s, c] if i >= 0 else 0.0
        for k in range(2):
            c = n_bands + k
            sources[s, c], slope[s, c] = value(
                z, index[s, c], origin[s, c], unit[s, c], tables, number[s, k], False
            )
        for k in range(4, 6):
            c = n_bands + k
            i = index[s, c]
            sources[s, c + 1], slope[s, c] = value(
                z, i, origin[s, c], unit[s, c], tables, number[s, k], i >= 0
            )
        shape(z, s, n_bands + 2, index, origin, unit, number, mode, tables, out)
        e1, e2 = out[0], out[1]
        norm = 1 / (1 - e1 * e1 - e2 * e2)
        ee, nn, en = (2 + 2 * e1) * norm - 1, (2 - 2 * e1) * norm - 1, 2 * e2 * norm
        c = n_bands + 2
        sources[s, c], sources[s, c + 1], sources[s, c + 2] = ee, nn, en
        for k in range(2):
            d1, d2 = out[2 + k], out[4 + k]  # d e1, d e2 by coordinate k
            grow = 2 * (e1 * d1 + e2 * d2) * norm
            turn[s, k, 0] = 2 * d1 * norm + (ee + 1) * grow
            turn[s, k, 1] = -2 * d1 * norm + (nn + 1) * grow
            turn[s, k, 2] = 2 * d2 * norm + en * grow
            slope[s, c + k] = 1.0 if index[s, c + k] >= 0 else 0.0


@nb.njit(cache=True)
def collect(
    z, n_bands, index, slope, turn, flux_prior, sky_index, sky_unit, sky_curvature, by_source, by_sky, out
):
    """ln prior; adds to `out` (ndim,) the gradient of ln p = -chi2 / 2 + ln prior from that of chi2."""
    lnp = 0.0
    for s in range(index.shape[0]):
        for c in range(n_bands):
            i = index[s, c]
            if i >= 0:
                part, push = log_flux_prior(flux_prior[s, c], slope[s, c], z[i])
                lnp += part
                out[i] = -0.5 * by_source[s, c] * slope[s, c] + push
        for k in range(6):
            c = n_bands + k
            i = index[s, c]
            if i < 0:
                continue
            if k == 2 or k == 3:
                total = 0.0
                for m in range(3):
                    total += turn[s, k - 2, m] * by_source[s, n_bands + 2 + m]
            else:
                total = slope[s, c] * by_source[s, c + (1 if k > 3 else 0)]
            out[i] = -0.5 * total - z[i]
            lnp -= 0.5 * z[i] * z[i]
    for e in range(len(sky_unit)):
        i = sky_index + e
        push = sky_curvature[e] * sky_unit[e] ** 2 * z[i]
        out[i] = -0.5 * by_sky[e] * sky_unit[e] - push
        lnp -= 0.5 * push * z[i]
    return lnp


@nb.njit(cache=True)
def log_flux_prior(prior, unit, z):
    """ln prior of a flux and its derivative by z; see `priors.flux_prior`. Column 5 is the origin."""
    kind, centre, half, extra, origin = prior[0], prior[1], prior[2], prior[3], prior[5]
    d = origin + unit * z - centre
    if kind == 0.0:
        over = abs(d) - half
        if not over > 0:
            return 0.0, 0.0
        push = over / extra**2
        return -0.5 * over * push, -math.copysign(push, d) * unit
    if kind == 1.0:
        return -0.5 * (d / half) ** 2, -d / half**2 * unit
    power = 0.5 * (extra + 1)
    t = d * d / (extra * half * half)
    return -power * math.log1p(t), -power * 2 * d / (extra * half * half) / (1 + t) * unit


@nb.njit(cache=True)
def to_q(
    z, n_bands, index, origin, unit, number, mode, tables, middle, cosine, offset, sky_index, sky_unit, q
):
    """Vectors q (N, P) from z (N, ndim): fluxes, offsets in degrees, q, pa, sersic, rhalf; then sky."""
    out = np.empty(6)
    n_sources, width = index.shape
    for row in range(len(z)):
        at = z[row]
        for s in range(n_sources):
            start = s * width
            for c in range(n_bands):
                i = index[s, c]
                q[row, start + c] = origin[s, c] + (unit[s, c] * at[i] if i >= 0 else 0.0)
            for k in range(2):
                c = n_bands + k
                x, _ = value(at, index[s, c], origin[s, c], unit[s, c], tables, number[s, k], False)
                q[row, start + c] = offset[s, k] + x / 3600 / (cosine[s] if k == 0 else 1.0)
            for k in range(4, 6):
                c = n_bands + k
                i = index[s, c]
                x, _ = value(at, i, origin[s, c], unit[s, c], tables, number[s, k], i >= 0)
                q[row, start + c] = x
            c = n_bands + 2
            if mode[s] == DISC:
                shape(at, s, c, index, origin, unit, number, mode, tables, out)
                e = math.hypot(out[0], out[1])
                q[row, start + c] = math.sqrt((1 - e) / (1 + e))
                pa = 0.5 * math.atan2(out[1], out[0])
                turns = math.floor((pa - middle[s]) / math.pi + 0.5)
                q[row, start + c + 1] = pa - math.pi * turns
            else:
                x, _ = value(at, index[s, c], origin[s, c], unit[s, c], tables, number[s, 2], False)
                q[row, start + c] = x
                x, _ = value(
                    at, index[s, c + 1], origin[s, c + 1], unit[s, c + 1], tables, number[s, 3], False
                )
                q[row, start + c + 1] = x
        for e in range(len(sky_unit)):
            q[row, n_sources * width + e] = sky_unit[e] * at[sky_index + e]
