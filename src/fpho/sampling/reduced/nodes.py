"""The likelihood of a patch from a few pixels of each source: compiled.

All images that a component of flux 1 can make within its posterior lie near a space of K dimensions, some
tens, in which each of them is known by its values at a few pixels, the nodes (empirical interpolation:
Barrault, Maday, Nguyen, Patera 2004, Comptes Rendus Mathematique 339, 667; for likelihoods Canizares, Field,
Gair, Tiglio 2013, Physical Review D 87, 124005). With m the values of the mixture of Gaussians at the nodes
of a component in a band, F the flux, and v = F m less what the middle of the posterior has there,

    -chi2 / 2 = b v - v G v / 2 + constant

over all pixels of all exposures; b and G are products of images with the data and with each other, brought
to the nodes. The values m are those of the model itself, so that size and index may go anywhere; the space
alone is fixed. Constants of exposures (sky) are linear and have products of their own.

Gradients go the same way backward: the slopes by values at nodes stand where the kernel has its weighted
residuals, and `fpho.kernel.formulas.chain` brings the six sums of each Gaussian to the parameters. Values at
nodes and G are float32: v is small where the posterior is, whatever the S/N.
"""

from functools import partial
from typing import NamedTuple

import numpy as np

from ...kernel import formulas
from ...kernel.arrays import N_SHAPE
from ...machinecode import compiled
from .scattered import (
    GIVEN,
    HEIGHT,
    HXX,
    HXY,
    HYY,
    PART,
    SUMS,
    X,
    Y,
    add_up,
    scaled_less,
    sum_slopes,
    take_both,
    take_own,
)  # fmt: skip

FAST = {**PART, "fastmath": True}  # sums in any order
made = formulas.compiled_by(partial(compiled, **PART))
congruence, centre, convolved, chain_rule = made.congruence, made.centre, made.convolved, made.chain


class Nodes(NamedTuple):
    """I pieces, each a component in a band, by band; N components, B bands, E exposures, M nodes of all."""

    x: np.ndarray  # (M,) float32: pixels from where the component's reference position lies
    y: np.ndarray  # (M,)
    piece: np.ndarray  # (I, 2) int64: component and band
    start: np.ndarray  # (I + 1,) int64: its nodes, in whole rows
    scale: np.ndarray  # (I, 2, 2) geometry of the exposure that has the nodes, as in `PatchArrays`
    gain: np.ndarray  # (I,)
    psf: np.ndarray  # (I, J, 6)
    psf_count: np.ndarray  # (I,) int64
    middle: np.ndarray  # (M,) float32, nJy: what is taken off F m
    data: np.ndarray  # (M,) float32 b
    pair: np.ndarray  # (Q, 2) int64: pieces i <= j whose images overlap
    products: np.ndarray  # float32: blocks (M_i, M_j) of G of the pairs, one after the other
    # products with 1 in an exposure of the images, the data and 1; E is 0 without a sky in the fit
    sky_image: np.ndarray  # (E, M) float32
    sky_data: np.ndarray  # (E,)
    sky_weight: np.ndarray  # (E,)


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
def gaussians(psf, cx, cy, gain, nxx, nyy, nxy, profile, count, out):
    """F, unit, height and centre, rows of `out` (7, count), of a profile through a Gaussian of the PSF."""
    for k in range(count):
        fxx, fyy, fxy, norm = convolved(profile[k, 1], nxx, nyy, nxy, psf[3], psf[4], psf[5])
        unit = gain * norm * psf[0]
        out[0, k], out[1, k], out[2, k], out[3, k] = fxx, fyy, fxy, unit
        out[4, k], out[5, k], out[6, k] = unit * profile[k, 0], cx + psf[1], cy + psf[2]


@compiled(**FAST)
def give(of, count, given, first):
    """Gaussians (7, count) as `scattered` takes them, from number `first` on."""
    for k in range(count):
        g = GIVEN * (first + k)
        given[g + X], given[g + Y], given[g + HEIGHT] = of[5, k], of[6, k], of[4, k]
        given[g + HXX], given[g + HYY], given[g + HXY] = 0.5 * of[0, k], 0.5 * of[1, k], of[2, k]


@compiled(**FAST)
def in_rows(sums, first, out):
    """Sums of Gaussians from number `first` on, in rows (6, count) of float64."""
    for k in range(out.shape[1]):
        for c in range(6):
            out[c, k] = sums[SUMS * (first + k) + c]


@compiled(**FAST)
def chained(of, sums, flux, profile, count, d, mee, mnn, men, out):
    """Adds to `out` (8,) the derivatives from Gaussians (7, count) and their six sums (6, count).

    Sums are numbers, not elements of `out`, so that compiled code takes several Gaussians at a time.
    """
    flux_, east, north, ee, nn, en, sersic, rhalf = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    dxe, dxn, dye, dyn = d[0, 0], d[0, 1], d[1, 0], d[1, 1]
    for k in range(count):
        part = chain_rule(
            of[0, k], of[1, k], of[2, k], of[3, k], flux, profile[k, 0], profile[k, 1], profile[k, 2],
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


@compiled(**PART)
def draw(nodes, i, component, n_bands, profile, count, of, given, values, image):
    """Gaussians (J, 7, count) of a piece, their values at its nodes, and the image of flux 1 there."""
    first, n = nodes.start[i], nodes.start[i + 1] - nodes.start[i]
    d, c = nodes.scale[i], n_bands
    cx, cy = centre(0.0, 0.0, d[0, 0], d[0, 1], d[1, 0], d[1, 1], component[c], component[c + 1])
    nxx, nyy, nxy = congruence(
        d[0, 0], d[0, 1], d[1, 0], d[1, 1], component[c + 2], component[c + 3], component[c + 4]
    )
    for j in range(nodes.psf_count[i]):
        gaussians(nodes.psf[i, j], cx, cy, nodes.gain[i], nxx, nyy, nxy, profile, count, of[j])
        give(of[j], count, given, j * count)
    add_up(nodes.x, nodes.y, first, n, given, nodes.psf_count[i] * count, values, image)


@compiled(**PART)
def collect_slopes(nodes, i, component, n_bands, profile, count, of, given, values, room, out):
    """Adds to `out` (8,) the derivatives of chi2 by flux and shape from the slopes at the nodes."""
    first, n = nodes.start[i], nodes.start[i + 1] - nodes.start[i]
    c, b = n_bands, nodes.piece[i, 1]
    sum_slopes(nodes.x, nodes.y, first, n, given, nodes.psf_count[i] * count, values, room.slope, room.sums)
    for j in range(nodes.psf_count[i]):
        in_rows(room.sums, j * count, room.rows[:, :count])
        chained(
            of[j], room.rows, component[b], profile, count, nodes.scale[i], component[c + 2],
            component[c + 3], component[c + 4], out,
        )  # fmt: skip


@compiled(**PART)
def sum_up(nodes, value, sky, slope, by_sky):
    """-chi2 / 2 of values v (M,) and constants (E,); its slopes by the former, chi2's by the latter."""
    place = 0
    for a in range(len(slope)):
        slope[a] = nodes.data[a]
    for q in range(len(nodes.pair)):
        i, j = nodes.pair[q, 0], nodes.pair[q, 1]
        at, other = nodes.start[i], nodes.start[j]
        n, m = nodes.start[i + 1] - at, nodes.start[j + 1] - other
        if i == j:
            take_own(nodes.products, place, value, at, n, slope)
        else:
            take_both(nodes.products, place, value, at, n, other, m, slope)
        place += n * m
    total = 0.5 * (dot(nodes.data, value) + dot(slope, value))
    for e in range(len(sky)):
        left = nodes.sky_data[e] - dot(nodes.sky_image[e], value)
        total += sky[e] * (left - 0.5 * sky[e] * nodes.sky_weight[e])
        by_sky[e] -= 2.0 * (left - sky[e] * nodes.sky_weight[e])
        if sky[e] != 0.0:
            add_scaled(slope, -sky[e], nodes.sky_image[e])
    return total


class NodeRoom(NamedTuple):
    """What one evaluation writes into; G Gaussians of a profile through a PSF."""

    values: np.ndarray  # (I, G nodes) float32
    given: np.ndarray  # (I, G GIVEN) float32
    gauss: np.ndarray  # (I, J, 7, K)
    sums: np.ndarray  # (G SUMS,) float32
    rows: np.ndarray  # (6, K)
    slopes: np.ndarray  # (8,) by flux and shape
    image: np.ndarray  # (nodes,) float32
    value: np.ndarray  # (M,) float32
    slope: np.ndarray  # (M,) float32


def make_room(nodes: Nodes, n_profile: int) -> NodeRoom:
    """Room for profiles of so many Gaussians."""
    longest, n_pieces = int(np.diff(nodes.start).max(initial=1)), len(nodes.piece)
    n_psf = nodes.psf.shape[1]
    n, shape = n_psf * n_profile, len(nodes.x)
    return NodeRoom(
        np.zeros((n_pieces, n * longest), "f4"), np.zeros((n_pieces, n * GIVEN), "f4"),
        np.zeros((n_pieces, n_psf, 7, n_profile)), np.zeros(n * SUMS, "f4"), np.zeros((6, n_profile)),
        np.zeros(8), np.zeros(longest, "f4"), np.zeros(shape, "f4"), np.zeros(shape, "f4"),
    )  # fmt: skip


@compiled(**PART)
def evaluate(nodes, components, profile, count, sky, by_component, by_sky, room):
    """-chi2 / 2 but for a constant; adds the derivatives of chi2 to by_component (N, B + 7), by_sky (E,)."""
    n_bands, image = components.shape[1] - N_SHAPE, room.image
    for i in range(len(nodes.piece)):
        n, b, first = nodes.piece[i, 0], nodes.piece[i, 1], nodes.start[i]
        draw(
            nodes, i, components[n], n_bands, profile[n], count[n], room.gauss[i], room.given[i],
            room.values[i], image,
        )  # fmt: skip
        scaled_less(
            np.float32(components[n, b]), image, nodes.middle, first, nodes.start[i + 1] - first, room.value
        )
    total = sum_up(nodes, room.value, sky, room.slope, by_sky)
    for i in range(len(nodes.piece)):
        n = nodes.piece[i, 0]
        room.slopes[:] = 0.0
        collect_slopes(
            nodes, i, components[n], n_bands, profile[n], count[n], room.gauss[i], room.given[i],
            room.values[i], room, room.slopes,
        )  # fmt: skip
        by_component[n, nodes.piece[i, 1]] += room.slopes[0]
        for t in range(N_SHAPE):
            by_component[n, n_bands + t] += room.slopes[1 + t]
    return total
