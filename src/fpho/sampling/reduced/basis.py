"""The images that the sources of a patch can make, as few numbers: see `nodes`."""

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from scipy.linalg import qr

from ...kernel.arrays import PatchArrays, SourceArrays
from .nodes import Nodes

LEFT_OUT = 1e-4  # chi-square, on average over the design, of a direction that is left out of a basis
DARK, FAINT = 0.01, 1e-4  # of that, and of a source's chi-square, what may lie in tiles that are left out
APART = 1e-3  # chi-square below which two pieces have nothing in common
SPARE = 0.3  # nodes more than directions, relative, or more: they make the interpolation stable
ROW = 16  # nodes that compiled loops take at a time: there are whole rows of them


class Piece(NamedTuple):
    """A component in a band."""

    component: int
    band: int
    exposure: int  # that has the nodes
    pixel: np.ndarray  # (M,) places of the nodes among the exposure's pixels
    matrix: np.ndarray  # (K, M) from values at nodes to amplitudes
    size: float  # sd of noise: length of its image, rms over the design
    images: list  # of each exposure of the band: its number, tiles (T,) that see the component, basis images
    # (K, T * 64) there, times sqrt(weight)


def reduce(model, z, flux) -> Nodes:
    """The nodes of a `Posterior`.

    z : (D, ndim) a design: points of parameter space whose images span the space
    flux : (N, B) nJy, that errors of images are multiplied with
    """
    states = [model.state(point)[0] for point in z]
    arrays = model.arrays
    pieces = []
    for band in range(len(model.bands)):
        exposures = np.flatnonzero(arrays.band == band)
        for n in range(arrays.n_sources):
            piece = reduced_piece(model, states, n, band, exposures, float(flux[n, band]))
            if piece is not None:
                pieces.append(piece)
    return assembled(arrays, pieces, model.plan.terms.n_linear > 0)


def one_component(arrays: PatchArrays, n: int) -> PatchArrays:
    """The patch with component n alone."""
    names = ("position", "scale", "gain", "psf_index")
    return arrays.with_fields(
        **{name: np.ascontiguousarray(getattr(arrays, name)[:, n : n + 1]) for name in names}
    )


def renders(model, arrays, states, n: int, band: int, rows) -> np.ndarray:
    """(D, rows, 64) images of component n at flux 1, times sqrt(weight), in tiles `rows` of a band."""
    out = np.empty((len(states), len(arrays.data[rows]), 64), "f4")
    weight = np.sqrt(arrays.weight[rows])
    dark = np.zeros(arrays.n_exposures)
    for i, state in enumerate(states):
        one = state.sources[n : n + 1].copy()
        one[:, : len(model.bands)] = 1.0
        alone = SourceArrays(one, state.profile[n : n + 1], state.profile_count[n : n + 1], dark)
        out[i] = model.kernel.model(arrays, alone)[rows] * weight
    return out


def exposure_arrays(arrays: PatchArrays, e: int) -> PatchArrays:
    """The patch with exposure e alone."""
    a, b = arrays.exposure_start[e : e + 2]
    one, tiles = slice(e, e + 1), slice(a, b)
    return PatchArrays(
        arrays.data[tiles], arrays.weight[tiles], arrays.tile_x[tiles], arrays.tile_y[tiles],
        np.array([0, b - a]), arrays.band[one], arrays.position[one], arrays.scale[one], arrays.gain[one],
        arrays.psf_index[one], arrays.psf, arrays.psf_count,
    )  # fmt: skip


def reduced_piece(model, states, n, band, exposures, flux) -> Piece | None:
    """The basis of a component in a band; None where no pixel sees it."""
    found = []
    for e in exposures:
        arrays = one_component(exposure_arrays(model.arrays, e), n)
        if len(arrays.data):
            images = flux * renders(model, arrays, states, n, band, slice(None))
            tiles = lit(images)
            found.append((e, tiles, images[:, tiles].reshape(len(states), -1).astype("f8")))
    power = [np.square(images).sum() for _, _, images in found]
    if not np.any(power):
        return None
    best = int(np.argmax(power))
    e, tiles, images = found[best]
    directions, amplitudes = principal(images, LEFT_OUT * len(states))
    at = chosen(directions)
    pixel = 64 * tiles[at // 64] + at % 64
    matrix = np.linalg.pinv(directions[:, at].T)
    weight = np.sqrt(model.arrays.weight[slice(*model.arrays.exposure_start[e : e + 2])].ravel()[pixel])
    known = np.linalg.pinv(amplitudes)  # (K, D)
    bases = [(other, tiles, directions if other == e else known @ some) for other, tiles, some in found]
    size = float(np.sqrt(np.mean(np.square(amplitudes).sum(axis=1))))
    return Piece(n, band, e, *whole_rows(pixel, matrix * weight), size, bases)


def lit(images) -> np.ndarray:
    """The tiles without which images (D, T, 64) would lose next to nothing."""
    power = np.einsum("dtp,dtp->t", images, images, dtype="f8")
    order = np.argsort(power)
    dark = min(DARK * LEFT_OUT * len(images), FAINT * power.sum())
    return np.sort(order[np.cumsum(power[order]) > dark])


def whole_rows(pixel, matrix) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and their matrix (K, M) with further nodes that count for nothing."""
    more = -len(pixel) % ROW
    return np.append(pixel, np.repeat(pixel[:1], more)), np.pad(matrix, ((0, 0), (0, more)))


def principal(images, left_out: float) -> tuple[np.ndarray, np.ndarray]:
    """Directions (K, pixels) of unit length in which images (D, pixels) lie, and their amplitudes (D, K)."""
    values, vectors = np.linalg.eigh(images @ images.T)
    kept = values > max(left_out, 1e-12 * values[-1])
    kept[-1] = True
    vectors, length = vectors[:, kept], np.sqrt(values[kept])
    return (vectors / length).T @ images, vectors * length


def chosen(directions) -> np.ndarray:
    """Pixels from which the directions (K, pixels) can be told: by pivots, then by what is told least."""
    n = len(directions)
    pivots = qr(directions, mode="r", pivoting=True)[1][:n]
    inverse = np.linalg.pinv(directions[:, pivots].T)
    reach = np.square(inverse.T @ directions).sum(axis=0)
    reach[pivots] = -1.0
    wanted = ROW * -(-int((1 + SPARE) * n) // ROW)
    more = np.argsort(reach)[::-1][: wanted - n]
    return np.concatenate([pivots, more[reach[more] > 0]])


def overlap(tiles, image, others, other) -> np.ndarray:
    """Products (K_i, K_j) of two pieces' basis images on the tiles that both have."""
    _, here, there = np.intersect1d(tiles, others, assume_unique=True, return_indices=True)
    mine = image.reshape(len(image), -1, 64)[:, here].reshape(len(image), -1)
    return mine @ other.reshape(len(other), -1, 64)[:, there].reshape(len(other), -1).T


def assembled(arrays: PatchArrays, pieces: list[Piece], has_sky: bool) -> Nodes:
    """All pieces, with the products of their images."""
    sizes = np.array([len(piece.matrix) for piece in pieces])
    first = np.concatenate([[0], np.cumsum(sizes)])
    total, n_exposures = first[-1], arrays.n_exposures
    data, sky = np.zeros(total), np.zeros((n_exposures, total))
    sky_data, sky_weight = np.zeros(n_exposures), np.zeros(n_exposures)
    blocks: dict[tuple[int, int], np.ndarray] = {}
    for e, (a, b) in enumerate(pairwise(arrays.exposure_start)):
        root = np.sqrt(arrays.weight[a:b], dtype="f8").ravel()
        values = arrays.data[a:b].ravel() * root
        sky_data[e], sky_weight[e] = values @ root, root @ root
        here = [(k, *image) for k, piece in enumerate(pieces) for at, *image in piece.images if at == e]
        for at, (i, tiles, image) in enumerate(here):
            pixels = (64 * tiles[:, None] + np.arange(64)).ravel()
            data[first[i] : first[i + 1]] += image @ values[pixels]
            sky[e, first[i] : first[i + 1]] = image @ root[pixels]
            for j, others, other in here[at:]:
                blocks[i, j] = blocks.get((i, j), 0.0) + overlap(tiles, image, others, other)
    kept = [
        ((i, j), block)
        for (i, j), block in blocks.items()
        if i == j or np.linalg.norm(block) * pieces[i].size * pieces[j].size > APART
    ]
    exposures = n_exposures if has_sky else 0
    corner = [
        (arrays.tile_x[a:b, None] + np.arange(64) % 8, arrays.tile_y[a:b, None] + np.arange(64) // 8)
        for a, b in pairwise(arrays.exposure_start)
    ]
    at = [(p.exposure, p.component) for p in pieces]
    rows = np.array([arrays.psf_index[place] for place in at], int)
    return Nodes(
        x=np.concatenate([corner[p.exposure][0].ravel()[p.pixel] for p in pieces]).astype("f8"),
        y=np.concatenate([corner[p.exposure][1].ravel()[p.pixel] for p in pieces]).astype("f8"),
        piece=np.array([(p.component, p.band) for p in pieces], np.int64),
        start=np.concatenate([[0], np.cumsum([len(p.pixel) for p in pieces])]).astype(np.int64),
        first=first.astype(np.int64),
        matrix=np.concatenate([p.matrix.ravel() for p in pieces]),
        position=np.array([arrays.position[place] for place in at]),
        scale=np.array([arrays.scale[place] for place in at]),
        gain=np.array([arrays.gain[place] for place in at]),
        psf=np.ascontiguousarray(arrays.psf[rows]),
        psf_count=arrays.psf_count[rows].astype(np.int64),
        data=data,
        pair=np.array([pair for pair, _ in kept], np.int64).reshape(-1, 2),
        products=np.concatenate([block.ravel() for _, block in kept]),
        sky_image=sky[:exposures],
        sky_data=sky_data[:exposures],
        sky_weight=sky_weight[:exposures],
    )
