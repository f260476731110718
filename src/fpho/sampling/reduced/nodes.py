"""The likelihood of a patch from a few pixels of each source: compiled.

All images that a component of flux 1 can make within its posterior lie near a space of K dimensions, some
tens, in which each of them is known by its values at a few pixels, the nodes (empirical interpolation:
Barrault, Maday, Nguyen, Patera 2004, Comptes Rendus Mathematique 339, 667; for likelihoods Canizares, Field,
Gair, Tiglio 2013, Physical Review D 87, 124005). With m the values of the mixture of Gaussians at the nodes
of a component in a band, P (K, nodes) its matrix and F the flux,

    amplitudes a = F P m,     -chi2 / 2 = b a - a G a / 2 + constant

over all pixels of all exposures, b and G being products of basis images with the data and with each other.
The values m are those of the model itself, so that size and index may go anywhere; the space alone is fixed.
Constants of exposures (sky) are linear and have products of their own.

Gradients go the same way backward: the slopes by values at nodes stand where the kernel has its weighted
residuals, and `fpho.kernel.formulas.chain` brings the six sums of each Gaussian to the parameters.
"""

from functools import partial
from typing import NamedTuple

import numpy as np

from ...kernel import formulas
from ...kernel.arrays import N_SHAPE
from ...machinecode import compiled

made = formulas.compiled_by(partial(compiled, _nrt=False, error_model="numpy", forceinline=True))
congruence, centre, convolved, chain_rule = made.congruence, made.centre, made.convolved, made.chain
FARTHEST = 60.0  # exponent beyond which a Gaussian is nothing
LEAN = {"_nrt": False, "error_model": "numpy"}  # no arrays are made, so none are counted
FAST = {
    "fastmath": True,
    "forceinline": True,
    **LEAN,
}  # sums in any order; part of the loop that they stand in


class Nodes(NamedTuple):
    """I pieces, each a component in a band, by band; N components, B bands, E exposures, A amplitudes."""

    x: np.ndarray  # (M,) pixel
    y: np.ndarray  # (M,)
    piece: np.ndarray  # (I, 2) int64: component and band
    start: np.ndarray  # (I + 1,) int64: its nodes
    first: np.ndarray  # (I + 1,) int64: its amplitudes
    matrix: np.ndarray  # P (K, nodes) of each piece, one after the other
    position: np.ndarray  # (I, 2) geometry of the exposure that has the nodes, as in `PatchArrays`
    scale: np.ndarray  # (I, 2, 2)
    gain: np.ndarray  # (I,)
    psf: np.ndarray  # (I, J, 6)
    psf_count: np.ndarray  # (I,) int64
    data: np.ndarray  # (A,) b
    pair: np.ndarray  # (Q, 2) int64: pieces i <= j whose images overlap
    products: np.ndarray  # blocks (K_i, K_j) of G of the pairs, one after the other
    # products with 1 in an exposure of the basis images, the data and 1; E is 0 without a sky in the fit
    sky_image: np.ndarray  # (E, A)
    sky_data: np.ndarray  # (E,)
    sky_weight: np.ndarray  # (E,)


@compiled(**FAST)
def exponentials(x, y, cx, cy, fxx, fyy, fxy, out):
    """exp(-d F d / 2) at pixels as exp(t / 64)^64, by a series: to 1e-8, and in one loop without calls."""
    for i in range(len(x)):
        dx, dy = x[i] - cx, y[i] - cy
        q = 0.5 * (fxx * dx * dx + fyy * dy * dy) + fxy * dx * dy
        t = -min(q, FARTHEST) / 64.0
        value = 1.0 + t * (1.0 + t * (1 / 2 + t * (1 / 6 + t * (1 / 24))))
        for _ in range(6):
            value = value * value
        out[i] = value


@compiled(**FAST)
def dot(a, b):
    """Sum of products."""
    total = 0.0
    for i in range(len(a)):
        total += a[i] * b[i]
    return total


@compiled(**FAST)
def add_scaled(out, factor, some):
    """out += factor some."""
    for i in range(len(out)):
        out[i] += factor * some[i]


@compiled(**FAST)
def six_sums(x, y, cx, cy, slope, values):
    """Sums of slope E, and of that times dx, dy, dx^2, dy^2, dx dy."""
    m0 = mx = my = mxx = myy = mxy = 0.0
    for i in range(len(x)):
        dx, dy, r = x[i] - cx, y[i] - cy, slope[i] * values[i]
        m0 += r
        mx += r * dx
        my += r * dy
        mxx += r * dx * dx
        myy += r * dy * dy
        mxy += r * dx * dy
    return m0, mx, my, mxx, myy, mxy


@compiled(**FAST)
def gaussians(psf, cx, cy, gain, nxx, nyy, nxy, profile, count, out):
    """Centre, F and unit, rows of `out` (6, count), of a profile's Gaussians seen through one of the PSF."""
    for k in range(count):
        fxx, fyy, fxy, norm = convolved(profile[k, 1], nxx, nyy, nxy, psf[3], psf[4], psf[5])
        out[0, k], out[1, k] = cx + psf[1], cy + psf[2]
        out[2, k], out[3, k], out[4, k], out[5, k] = fxx, fyy, fxy, gain * norm * psf[0]


@compiled(**FAST)
def chained(of, sums, flux, profile, count, d, mee, mnn, men, out):
    """Adds to `out` (8,) the derivatives from Gaussians (6, count) and their six sums (6, count).

    Sums are numbers, not elements of `out`, so that compiled code takes several Gaussians at a time.
    """
    flux_, east, north, ee, nn, en, sersic, rhalf = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    dxe, dxn, dye, dyn = d[0, 0], d[0, 1], d[1, 0], d[1, 1]
    for k in range(count):
        part = chain_rule(
            of[2, k], of[3, k], of[4, k], of[5, k], flux, profile[k, 0], profile[k, 1], profile[k, 2],
            profile[k, 3], profile[k, 4], profile[k, 5], dxe, dxn, dye, dyn, mee, mnn, men,
            sums[0, k], sums[1, k], sums[2, k], sums[3, k], sums[4, k], sums[5, k],
        )  # fmt: skip
        flux_ += part[0]
        east += part[1]
        north += part[2]
        ee += part[3]
        nn += part[4]
        en += part[5]
        sersic += part[6]
        rhalf += part[7]
    out[0] += flux_
    out[1] += east
    out[2] += north
    out[3] += ee
    out[4] += nn
    out[5] += en
    out[6] += sersic
    out[7] += rhalf


@compiled(**LEAN)
def draw(nodes, i, component, n_bands, profile, count, gauss, values, image):
    """Gaussians (centre, F, unit) of a piece, their values at its nodes, and the image of flux 1 there."""
    low, high = nodes.start[i], nodes.start[i + 1]
    x, y, d, c = nodes.x[low:high], nodes.y[low:high], nodes.scale[i], n_bands
    cx, cy = centre(
        nodes.position[i, 0], nodes.position[i, 1], d[0, 0], d[0, 1], d[1, 0], d[1, 1],
        component[c], component[c + 1],
    )  # fmt: skip
    nxx, nyy, nxy = congruence(
        d[0, 0], d[0, 1], d[1, 0], d[1, 1], component[c + 2], component[c + 3], component[c + 4]
    )
    image[:] = 0.0
    for j in range(nodes.psf_count[i]):
        of = gauss[j]
        gaussians(nodes.psf[i, j], cx, cy, nodes.gain[i], nxx, nyy, nxy, profile, count, of)
        for k in range(count):
            here = values[j, k, : len(x)]
            exponentials(x, y, of[0, k], of[1, k], of[2, k], of[3, k], of[4, k], here)
            add_scaled(image, of[5, k] * profile[k, 0], here)


@compiled(**LEAN)
def collect_slopes(nodes, i, component, n_bands, profile, count, gauss, sums, values, slope, out):
    """Adds to `out` (8,) the derivatives of chi2 by flux and shape from slopes of -chi2 / 2 at the nodes."""
    low, high = nodes.start[i], nodes.start[i + 1]
    x, y, c, b = nodes.x[low:high], nodes.y[low:high], n_bands, nodes.piece[i, 1]
    for j in range(nodes.psf_count[i]):
        of = gauss[j]
        for k in range(count):
            m = six_sums(x, y, of[0, k], of[1, k], slope, values[j, k, : len(x)])
            sums[0, k], sums[1, k], sums[2, k] = m[0], m[1], m[2]
            sums[3, k], sums[4, k], sums[5, k] = m[3], m[4], m[5]
        chained(
            of, sums, component[b], profile, count, nodes.scale[i], component[c + 2], component[c + 3],
            component[c + 4], out,
        )  # fmt: skip


@compiled(**LEAN)
def sum_up(nodes, amplitude, sky, slope, by_sky):
    """-chi2 / 2 of amplitudes (A,) and constants (E,); its slopes by the former, chi2's by the latter."""
    place = 0
    for a in range(len(slope)):
        slope[a] = nodes.data[a]
    for q in range(len(nodes.pair)):
        i, j = nodes.pair[q, 0], nodes.pair[q, 1]
        low, high = nodes.first[j], nodes.first[j + 1]
        for a in range(nodes.first[i], nodes.first[i + 1]):
            row = nodes.products[place : place + high - low]
            slope[a] -= dot(row, amplitude[low:high])
            if i != j:
                add_scaled(slope[low:high], -amplitude[a], row)
            place += high - low
    total = 0.5 * (dot(nodes.data, amplitude) + dot(slope, amplitude))
    for e in range(len(sky)):
        left = nodes.sky_data[e] - dot(nodes.sky_image[e], amplitude)
        total += sky[e] * (left - 0.5 * sky[e] * nodes.sky_weight[e])
        by_sky[e] -= 2.0 * (left - sky[e] * nodes.sky_weight[e])
        if sky[e] != 0.0:
            add_scaled(slope, -sky[e], nodes.sky_image[e])
    return total


class NodeRoom(NamedTuple):
    """What one evaluation writes into."""

    values: np.ndarray  # (I, J, K, nodes)
    gauss: np.ndarray  # (I, J, 6, K)
    sums: np.ndarray  # (6, K)
    slopes: np.ndarray  # (8,) by flux and shape
    image: np.ndarray  # (nodes,)
    pull: np.ndarray  # (nodes,)
    amplitude: np.ndarray  # (A,)
    slope: np.ndarray  # (A,)


def make_room(nodes: Nodes, n_profile: int) -> NodeRoom:
    """Room for profiles of so many Gaussians."""
    longest, n_pieces = int(np.diff(nodes.start).max(initial=1)), len(nodes.piece)
    n_psf, size = nodes.psf.shape[1], len(nodes.data)
    return NodeRoom(
        np.zeros((n_pieces, n_psf, n_profile, longest)), np.zeros((n_pieces, n_psf, 6, n_profile)),
        np.zeros((6, n_profile)), np.zeros(8), np.zeros(longest), np.zeros(longest), np.zeros(size),
        np.zeros(size),
    )  # fmt: skip


@compiled(**LEAN)
def evaluate(nodes, components, profile, count, sky, by_component, by_sky, room):
    """-chi2 / 2 but for a constant; adds the derivatives of chi2 to by_component (N, B + 7), by_sky (E,)."""
    n_bands, place = components.shape[1] - N_SHAPE, 0
    image, pull, amplitude, slope = room.image, room.pull, room.amplitude, room.slope
    for i in range(len(nodes.piece)):
        n, b, m = nodes.piece[i, 0], nodes.piece[i, 1], nodes.start[i + 1] - nodes.start[i]
        draw(
            nodes, i, components[n], n_bands, profile[n], count[n], room.gauss[i], room.values[i],
            image[:m],
        )  # fmt: skip
        for a in range(nodes.first[i], nodes.first[i + 1]):
            amplitude[a] = components[n, b] * dot(nodes.matrix[place : place + m], image[:m])
            place += m
    total = sum_up(nodes, amplitude, sky, slope, by_sky)
    place = 0
    for i in range(len(nodes.piece)):
        n, m = nodes.piece[i, 0], nodes.start[i + 1] - nodes.start[i]
        pull[:m] = 0.0
        for a in range(nodes.first[i], nodes.first[i + 1]):
            add_scaled(pull[:m], slope[a], nodes.matrix[place : place + m])
            place += m
        room.slopes[:] = 0.0
        collect_slopes(
            nodes, i, components[n], n_bands, profile[n], count[n], room.gauss[i], room.sums,
            room.values[i], pull[:m], room.slopes,
        )  # fmt: skip
        by_component[n, nodes.piece[i, 1]] += room.slopes[0]
        for t in range(N_SHAPE):
            by_component[n, n_bands + t] += room.slopes[1 + t]
    return total
