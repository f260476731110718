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
    """exp(-d F d / 2) at pixels as (1 + t / 1024)^1024: to 1e-5, and in one loop without calls."""
    for i in range(len(x)):
        dx, dy = x[i] - cx, y[i] - cy
        q = 0.5 * (fxx * dx * dx + fyy * dy * dy) + fxy * dx * dy
        t = -min(q, FARTHEST) / 1024.0
        value = 1.0 + t * (1.0 + t * (0.5 + t / 6.0))
        for _ in range(10):
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
    g = 0
    for j in range(nodes.psf_count[i]):
        psf = nodes.psf[i, j]
        for k in range(count):
            fxx, fyy, fxy, norm = convolved(profile[k, 1], nxx, nyy, nxy, psf[3], psf[4], psf[5])
            unit = nodes.gain[i] * norm * psf[0]
            gauss[g, 0], gauss[g, 1], gauss[g, 2] = cx + psf[1], cy + psf[2], fxx
            gauss[g, 3], gauss[g, 4], gauss[g, 5] = fyy, fxy, unit
            here = values[g][: len(x)]
            exponentials(x, y, gauss[g, 0], gauss[g, 1], fxx, fyy, fxy, here)
            add_scaled(image, unit * profile[k, 0], here)
            g += 1


@compiled(**LEAN)
def collect_slopes(nodes, i, component, n_bands, profile, count, gauss, values, slope, out):
    """Adds the derivatives of chi2 by a component (B + 7,) from the slopes of -chi2 / 2 at its nodes."""
    low, high = nodes.start[i], nodes.start[i + 1]
    x, y, d, c, b = nodes.x[low:high], nodes.y[low:high], nodes.scale[i], n_bands, nodes.piece[i, 1]
    g = 0
    for _ in range(nodes.psf_count[i]):
        for k in range(count):
            of, p = gauss[g], profile[k]
            m = six_sums(x, y, of[0], of[1], slope, values[g][: len(x)])
            part = chain_rule(
                of[2], of[3], of[4], of[5], component[b], p[0], p[1], p[2], p[3], p[4], p[5],
                d[0, 0], d[0, 1], d[1, 0], d[1, 1], component[c + 2], component[c + 3], component[c + 4],
                m[0], m[1], m[2], m[3], m[4], m[5],
            )  # fmt: skip
            out[b] += part[0]
            for t in range(7):
                out[c + t] += part[1 + t]
            g += 1


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

    values: np.ndarray  # (I, Gaussians, nodes)
    gauss: np.ndarray  # (I, Gaussians, 6)
    image: np.ndarray  # (nodes,)
    pull: np.ndarray  # (nodes,)
    amplitude: np.ndarray  # (A,)
    slope: np.ndarray  # (A,)


def make_room(nodes: Nodes, n_profile: int) -> NodeRoom:
    """Room for profiles of so many Gaussians."""
    longest, n_pieces = int(np.diff(nodes.start).max(initial=1)), len(nodes.piece)
    n_gauss, size = nodes.psf.shape[1] * n_profile, len(nodes.data)
    return NodeRoom(
        np.zeros((n_pieces, n_gauss, longest)), np.zeros((n_pieces, n_gauss, 6)), np.zeros(longest),
        np.zeros(longest), np.zeros(size), np.zeros(size),
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
        collect_slopes(
            nodes, i, components[n], n_bands, profile[n], count[n], room.gauss[i],
            room.values[i], pull[:m], by_component[n],
        )  # fmt: skip
    return total
