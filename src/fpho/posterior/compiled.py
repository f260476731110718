"""Compiled transform and prior: one call from z to the kernel's components, one from gradients back to z.

Columns of a source: fluxes (B), east, north, then the parameters of its model. What a column's table gives
becomes the parameter by its kind; what a component takes of its source's columns is said by integers
(`fpho.models.Components`), so that no model has compiled code of its own.
"""

import math

import numpy as np

from ..machinecode import compiled
from ..models.components import REST, SHARED, WHOLE
from .priors import NODES, REACH

STEP = 2 * REACH / (NODES - 1)
RADIAL_STEP = REACH / (NODES - 1)
# kinds of columns after the fluxes: the table's value; its exponential; the first of two that are an
# ellipticity, in the disc or as q and pa; the second of those
TABLE, LOG, DISC, POLAR, SECOND = range(5)


@compiled(forceinline=True)
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


@compiled(forceinline=True)
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


@compiled(forceinline=True)
def disc(w1, w2, radial):
    """(e1, e2) and the symmetric Jacobian (11, 12, 22) from two normal coordinates."""
    rho = math.hypot(w1, w2)
    g, slope = lookup(radial, rho, 0.0, RADIAL_STEP)
    if rho > REACH:
        g, slope = g * REACH / rho, -g * REACH / rho**2
    bend = slope / max(rho, 1e-12)
    return g * w1, g * w2, g + bend * w1 * w1, bend * w1 * w2, g + bend * w2 * w2


@compiled(forceinline=True)
def shape(z, s, c, k, index, origin, unit, number, kind, tables, out):
    """Ellipticity e1, e2 of columns c, c + 1 into out[0:2]; d(e1, e2)/d(two coordinates) into out[2:6]."""
    i, j = index[s, c], index[s, c + 1]
    if kind[s, k] == DISC:
        e1, e2, d11, d12, d22 = disc(z[i], z[j], tables[number[s, k]])
        out[0], out[1], out[2], out[3], out[4], out[5] = e1, e2, d11, d12, d12, d22
        return
    q, dq = value(z, i, origin[s, c], unit[s, c], tables, number[s, k], False)
    pa, dpa = value(z, j, origin[s, c + 1], unit[s, c + 1], tables, number[s, k + 1], False)
    ratio = q * q
    e = (1 - ratio) / (1 + ratio)
    de = -4 * q / (1 + ratio) ** 2 * dq
    cosine, sine = math.cos(2 * pa), math.sin(2 * pa)
    out[0], out[1] = e * cosine, e * sine
    out[2], out[3] = de * cosine, -2 * e * sine * dpa  # d e1 / d (z_q, z_pa)
    out[4], out[5] = de * sine, 2 * e * cosine * dpa


@compiled(forceinline=True)
def parameters(z, n_bands, index, origin, unit, number, kind, tables, values, matrix):
    """Values (S, C, 5) of all sources' columns: x and dx/dz.

    At the places of an ellipse instead: its matrix M (S, C, 3) at the first column, and dM/dz of both in
    values[..., 2:].
    """
    out = np.empty(6)
    for s in range(index.shape[0]):
        for c in range(n_bands):
            i = index[s, c]
            values[s, c, 0] = origin[s, c] + (unit[s, c] * z[i] if i >= 0 else 0.0)
            values[s, c, 1] = unit[s, c] if i >= 0 else 0.0
        for c in range(n_bands, index.shape[1]):
            k, i = c - n_bands, index[s, c]
            kept = kind[s, k]
            if kept == TABLE or kept == LOG:
                log = kept == LOG and i >= 0
                x, slope = value(z, i, origin[s, c], unit[s, c], tables, number[s, k], log)
                values[s, c, 0], values[s, c, 1] = x, slope
            elif kept != SECOND:
                shape(z, s, c, k, index, origin, unit, number, kind, tables, out)
                ellipse(out, matrix[s, c], values[s, c, 2:], values[s, c + 1, 2:])


@compiled(forceinline=True)
def ellipse(given, matrix, first, second):
    """The unit matrix (ee, nn, en) of an ellipticity and its derivatives by two coordinates; see `shape`."""
    e1, e2 = given[0], given[1]
    norm = 1 / (1 - e1 * e1 - e2 * e2)
    ee, nn, en = (2 + 2 * e1) * norm - 1, (2 - 2 * e1) * norm - 1, 2 * e2 * norm
    matrix[0], matrix[1], matrix[2] = ee, nn, en
    for k in range(2):
        turn = first if k == 0 else second
        d1, d2 = given[2 + k], given[4 + k]  # d e1, d e2 by coordinate k
        grow = 2 * (e1 * d1 + e2 * d2) * norm
        turn[0] = 2 * d1 * norm + (ee + 1) * grow
        turn[1] = -2 * d1 * norm + (nn + 1) * grow
        turn[2] = 2 * d2 * norm + en * grow


@compiled(forceinline=True)
def share_of(kind, part):
    """Share of a source's flux that a component has, and its derivative by the parameter `part`."""
    if kind == WHOLE:
        return 1.0, 0.0
    if kind == SHARED:
        return part, 1.0
    if kind == REST:
        return 1.0 - part, -1.0
    return 0.0, 0.0


@compiled(forceinline=True)
def feed_components(n_bands, source, share, feed, held, values, matrix, components):
    """The kernel's components (N, B + 7) from values (S, C, 5) and matrices (S, C, 3) of their sources."""
    for n in range(len(source)):
        s = source[n]
        for b in range(n_bands):
            part = values[s, share[n, b, 1], 0] if share[n, b, 1] >= 0 else 0.0
            components[n, b] = share_of(share[n, b, 0], part)[0] * values[s, b, 0]
        c = n_bands
        components[n, c], components[n, c + 1] = values[s, c, 0], values[s, c + 1, 0]
        e = feed[n, 0]
        components[n, c + 2] = matrix[s, e, 0] if e >= 0 else 1.0
        components[n, c + 3] = matrix[s, e, 1] if e >= 0 else 1.0
        components[n, c + 4] = matrix[s, e, 2] if e >= 0 else 0.0
        for k in range(2):
            components[n, c + 5 + k] = values[s, feed[n, 1 + k], 0] if feed[n, 1 + k] >= 0 else held[n, k]


@compiled(forceinline=True)
def expand(
    z, n_bands, index, origin, unit, number, kind, tables, source, share, feed, held,
    components, values,
):  # fmt: skip
    """The kernel's components (N, B + 7) at z; see `parameters` for values (S, C, 5)."""
    matrix = np.empty((*index.shape, 3))
    parameters(z, n_bands, index, origin, unit, number, kind, tables, values, matrix)
    feed_components(n_bands, source, share, feed, held, values, matrix, components)


@compiled
def expand_all(
    z, n_bands, index, origin, unit, number, kind, tables, source, share, feed, held,
    components, values,
):  # fmt: skip
    """`expand` at places z (W, ndim): components (W, N, B + 7); values are those of the last."""
    for w in range(len(z)):
        expand(
            z[w], n_bands, index, origin, unit, number, kind, tables, source, share, feed, held,
            components[w], values,
        )  # fmt: skip


@compiled(forceinline=True)
def by_columns(n_bands, source, share, feed, values, by_component, by, by_matrix):
    """Adds derivatives by components (N, B + 7) up to those by columns (S, C), by matrices (S, C, 3)."""
    for n in range(len(source)):
        s = source[n]
        for b in range(n_bands):
            c = share[n, b, 1]
            part, rise = share_of(share[n, b, 0], values[s, c, 0] if c >= 0 else 0.0)
            by[s, b] += by_component[n, b] * part
            if c >= 0:
                by[s, c] += by_component[n, b] * values[s, b, 0] * rise
        c = n_bands
        by[s, c] += by_component[n, c]
        by[s, c + 1] += by_component[n, c + 1]
        if feed[n, 0] >= 0:
            for m in range(3):
                by_matrix[s, feed[n, 0], m] += by_component[n, c + 2 + m]
        for k in range(2):
            if feed[n, 1 + k] >= 0:
                by[s, feed[n, 1 + k]] += by_component[n, c + 5 + k]


@compiled(forceinline=True)
def collect(
    z, n_bands, index, kind, source, share, feed, values, flux_prior,
    sky_index, sky_unit, sky_curvature, by_component, by_sky, out,
):  # fmt: skip
    """ln prior; adds to `out` (ndim,) the gradient of ln p = -chi2 / 2 + ln prior from that of chi2."""
    by, by_matrix = np.zeros(index.shape), np.zeros((*index.shape, 3))
    by_columns(n_bands, source, share, feed, values, by_component, by, by_matrix)
    lnp = 0.0
    for s in range(index.shape[0]):
        for c in range(n_bands):
            i = index[s, c]
            if i >= 0:
                part, push = log_flux_prior(flux_prior[s, c], values[s, c, 1], z[i])
                lnp += part
                out[i] = -0.5 * by[s, c] * values[s, c, 1] + push
        for c in range(n_bands, index.shape[1]):
            i = index[s, c]
            if i < 0:
                continue
            kept = kind[s, c - n_bands]
            if kept == TABLE or kept == LOG:
                total = values[s, c, 1] * by[s, c]
            else:
                first = c - 1 if kept == SECOND else c
                total = 0.0
                for m in range(3):
                    total += values[s, c, 2 + m] * by_matrix[s, first, m]
            out[i] = -0.5 * total - z[i]
            lnp -= 0.5 * z[i] * z[i]
    for e in range(len(sky_unit)):
        i = sky_index + e
        push = sky_curvature[e] * sky_unit[e] ** 2 * z[i]
        out[i] = -0.5 * by_sky[e] * sky_unit[e] - push
        lnp -= 0.5 * push * z[i]
    return lnp


@compiled
def jacobian(n_bands, index, source, share, feed, values, sky_index, sky_unit, out):
    """d(kernel's parameters)/dz into out (N (B + 7) + E, ndim), zeros before."""
    width = n_bands + 7
    for n in range(len(source)):
        s, row = source[n], n * width
        for b in range(n_bands):
            c = share[n, b, 1]
            part, rise = share_of(share[n, b, 0], values[s, c, 0] if c >= 0 else 0.0)
            if index[s, b] >= 0:
                out[row + b, index[s, b]] = part * values[s, b, 1]
            if c >= 0 and index[s, c] >= 0:
                out[row + b, index[s, c]] = rise * values[s, b, 0] * values[s, c, 1]
        for c in (n_bands, n_bands + 1):
            if index[s, c] >= 0:
                out[row + c, index[s, c]] = values[s, c, 1]
        e = feed[n, 0]
        if e >= 0:
            for c in (e, e + 1):
                if index[s, c] >= 0:
                    for m in range(3):
                        out[row + n_bands + 2 + m, index[s, c]] = values[s, c, 2 + m]
        for k in range(2):
            c = feed[n, 1 + k]
            if c >= 0 and index[s, c] >= 0:
                out[row + n_bands + 5 + k, index[s, c]] = values[s, c, 1]
    for e in range(len(sky_unit)):
        out[len(source) * width + e, sky_index + e] = sky_unit[e]


@compiled(forceinline=True)
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


@compiled
def to_q(
    z, n_bands, index, origin, unit, number, kind, tables, middle, cosine, offset, sky_index, sky_unit, q
):
    """Vectors q (N, P) from z (N, ndim): fluxes, offsets in degrees, the models' parameters; then terms."""
    out = np.empty(6)
    n_sources, width = index.shape
    for row in range(len(z)):
        at = z[row]
        for s in range(n_sources):
            start = s * width
            for c in range(n_bands):
                i = index[s, c]
                q[row, start + c] = origin[s, c] + (unit[s, c] * at[i] if i >= 0 else 0.0)
            for c in range(n_bands, width):
                i, k = index[s, c], c - n_bands
                kept = kind[s, k]
                if kept == DISC:
                    shape(at, s, c, k, index, origin, unit, number, kind, tables, out)
                    e = math.hypot(out[0], out[1])
                    q[row, start + c] = math.sqrt((1 - e) / (1 + e))
                    pa = 0.5 * math.atan2(out[1], out[0])
                    turns = math.floor((pa - middle[s, k + 1]) / math.pi + 0.5)
                    q[row, start + c + 1] = pa - math.pi * turns
                elif kept != SECOND or kind[s, k - 1] == POLAR:
                    log = kept == LOG and i >= 0
                    x, _ = value(at, i, origin[s, c], unit[s, c], tables, number[s, k], log)
                    if k < 2:
                        x = offset[s, k] + x / 3600 / (cosine[s] if k == 0 else 1.0)
                    q[row, start + c] = x
        for e in range(len(sky_unit)):
            q[row, n_sources * width + e] = sky_unit[e] * at[sky_index + e]
