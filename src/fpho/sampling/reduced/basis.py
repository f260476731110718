"""The images that the sources of a patch can make, as few numbers: see `nodes`."""

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from scipy.linalg import qr

from ...kernel.arrays import TILE, PatchArrays, SourceArrays
from ...kernel.plan import plan_of
from ...posterior.exposure_terms import single_exposures
from .nodes import Nodes

LEFT_OUT = 1e-4  # chi-square, on average over the design, of a direction that is left out of a basis
DARK, FAINT = 0.01, 1e-4  # of that, and of a source's chi-square, what may lie in tiles that are left out
APART = 1e-3  # chi-square below which two pieces have nothing in common
FEW = 4  # points of the design at which exposures are compared
SPARE = 0.3  # nodes more than directions, relative, or more: they make the interpolation stable
ROUNDED = 3e-7  # of the largest square in products of float32
LIKELY, EVERY = 500, 8  # pixels that tell most, all of which may be nodes, and which of the others may
ROW = 16  # nodes that compiled loops take at a time: there are whole rows of them


@dataclass(frozen=True)
class Design:
    """Points of parameter space whose images span the space, and what they are drawn on."""

    model: object  # `Posterior`
    states: SourceArrays  # at the D points: arrays with a first axis more
    flux: (
        np.ndarray
    )  # (N, B) nJy, rms of the components': what errors of images of flux 1 are multiplied with
    exposures: list[PatchArrays]  # each by itself

    @classmethod
    def of(cls, model, z) -> "Design":
        """From z (D, ndim) of a posterior."""
        states = model.states(z)
        flux = np.sqrt(np.mean(np.square(states.sources[:, :, : len(model.bands)]), axis=0))
        exposures = single_exposures(model.arrays)
        for one in exposures:
            plan_of(one)  # which all components then share
        return cls(model, states, flux, exposures)

    def __len__(self) -> int:
        return len(self.states.sources)

    def few(self, n: int) -> np.ndarray:
        """FEW points: half of them anywhere, and those at which component n is largest."""
        first = self.flux.shape[1] + 2  # of the shape matrix
        profile = self.states.profile[:, n]
        used = np.arange(profile.shape[1]) < self.states.profile_count[:, n, None]
        light = np.sum(profile[..., 0] * profile[..., 1] * used, axis=1)
        spread = self.states.sources[:, n, first : first + 2].sum(axis=1) * light
        anywhere = range(0, len(self), max(1, 2 * len(self) // FEW))
        return np.union1d(anywhere, np.argsort(spread, kind="stable")[-FEW // 2 :])

    def reach(self, n: int, e: int, tiles) -> float:
        """Arcsec from component n to the far ends of tiles of exposure e, and on by what it moves at most."""
        one, first = self.exposures[e], self.flux.shape[1]
        farthest = tile_distances(one, n)[tiles].max(initial=0.0) + TILE / np.sqrt(2)
        moved = np.linalg.norm(self.states.sources[:, n, first : first + 2], axis=1).max()
        return float(farthest / pixels_in_arcsec(one, n) + moved)

    def within(self, n: int, e: int, reach: float) -> np.ndarray:
        """Tiles of exposure e within so many arcsec of component n; all, if these are most of them."""
        one = self.exposures[e]
        near = tile_distances(one, n) <= reach * pixels_in_arcsec(one, n) + TILE
        return np.flatnonzero(near) if 2 * near.sum() < len(near) else np.arange(len(near))

    def lit_part(self, n: int, band: int, e: int, reach: float, some=None) -> tuple[np.ndarray, np.ndarray]:
        """The tiles in that circle that are lit, and the images (D, pixels) there."""
        near = self.within(n, e, reach)
        images = self.images(n, band, e, some, near)
        tiles = lit(images)
        return near[tiles], images[:, tiles].reshape(len(images), -1)

    def offsets(self, n: int, e: int, pixel) -> np.ndarray:
        """Pixels (M, 2) in x and y from the reference position of component n to pixels of exposure e."""
        one, tile, inside = self.exposures[e], pixel // 64, pixel % 64
        corner = np.stack([one.tile_x[tile], one.tile_y[tile]], axis=1)
        return corner + np.stack([inside % TILE, inside // TILE], axis=1) - one.position[0, n]

    def images(self, n: int, band: int, e: int, some=None, tiles=None) -> np.ndarray:
        """(D, T, 64) images of component n in exposure e, at its flux scale, times sqrt(weight).

        some, tiles : numbers of points of the design, and of the exposure's tiles; all when None
        """
        whole = self.exposures[e] if tiles is None else on_tiles(self.exposures[e], tiles)
        names = ("position", "scale", "gain", "psf_index")
        one = {name: np.ascontiguousarray(getattr(whole, name)[:, n : n + 1]) for name in names}
        arrays, weight = whole.with_fields(**one), np.sqrt(whole.weight) * np.float32(self.flux[n, band])
        states = self.states if some is None else self.states[some]
        source = states.sources[:, n : n + 1].copy()
        source[..., : self.flux.shape[1]] = 1.0
        profile, count = states.profile[:, n : n + 1], states.profile_count[:, n : n + 1]
        alone = SourceArrays(source, np.ascontiguousarray(profile), count.copy(), np.zeros((len(source), 1)))
        images = self.model.kernel.models(arrays, alone)
        images *= weight
        return images


def on_tiles(exposure: PatchArrays, tiles) -> PatchArrays:
    """An exposure with some of its tiles alone; itself where these are all."""
    if len(tiles) == len(exposure.data):
        return exposure
    some = {name: getattr(exposure, name)[tiles] for name in ("data", "weight", "tile_x", "tile_y")}
    return replace(exposure, **some, exposure_start=np.array([0, len(tiles)], "i8"))


def tile_distances(exposure: PatchArrays, n: int) -> np.ndarray:
    """Pixels (T,) from the reference position of component n to the middle of each tile."""
    middle = np.stack([exposure.tile_x, exposure.tile_y], axis=1) + 0.5 * (TILE - 1)
    return np.linalg.norm(middle - exposure.position[0, n], axis=1)


def pixels_in_arcsec(exposure: PatchArrays, n: int) -> float:
    """Pixels in an arcsec at component n, in the direction that has most."""
    return float(np.linalg.norm(exposure.scale[0, n], 2))


class Piece(NamedTuple):
    """A component in a band."""

    component: int
    band: int
    exposure: int  # that has the nodes
    pixel: np.ndarray  # (M,) places of the nodes among the exposure's pixels
    matrix: np.ndarray  # (K, M) from values at nodes to amplitudes
    middle: np.ndarray  # (M,) nJy, float32: mean over the design of what the nodes see
    size: float  # sd of noise: length of its image, rms over the design
    few: np.ndarray  # (d,) points of the design whose images are enough in any exposure,
    known: np.ndarray  # (K, d) from these to basis images
    reach: float  # arcsec around the component that hold its light at the few points and, nearly, at all
    tiles: np.ndarray  # (T,) of the exposure with the nodes that see the component,
    images: np.ndarray  # and basis images (K, T * 64) there, times sqrt(weight)


def reduce(model, z) -> Nodes | None:
    """The nodes of a `Posterior`, from a design z (D, ndim); None where no pixel sees a source.

    Images of the design are held of one component and exposure at a time.
    """
    design = Design.of(model, z)
    places = [(n, band) for band in range(len(model.bands)) for n in range(model.arrays.n_sources)]
    pieces = [piece for place in places if (piece := reduced_piece(design, *place)) is not None]
    return assembled(design, pieces) if pieces else None


def reduced_piece(design: Design, n: int, band: int) -> Piece | None:
    """The basis of a component in a band, from the exposure that sees most of it; None where none does."""
    exposures = [e for e, one in enumerate(design.exposures) if one.band[0] == band and len(one.data)]
    few = design.few(n)
    seen = [seen_in(design.images(n, band, e, few)) for e in exposures]
    best = int(np.argmax([power for power, _ in seen] or [0.0]))
    if not seen or not seen[best][0]:
        return None
    e, reach = exposures[best], design.reach(n, exposures[best], seen[best][1])
    tiles, images = design.lit_part(n, band, e, reach)
    directions, amplitudes = principal(images, LEFT_OUT * len(images))
    at = chosen(directions)
    pixel = 64 * tiles[at // 64] + at % 64
    root = np.sqrt(design.exposures[e].weight.ravel()[pixel], dtype="f8")
    matrix = np.linalg.pinv(directions[:, at].T.astype("f8")) * root
    middle = amplitudes.mean(axis=0) @ directions[:, at] / np.maximum(root, 1e-300)
    size = float(np.sqrt(np.mean(np.square(amplitudes).sum(axis=1))))
    enough, known = spanning(amplitudes) if len(exposures) > 1 else (np.empty(0, int), np.empty((0, 0)))
    nodes = whole_rows(pixel, matrix, middle)
    return Piece(n, band, e, *nodes, size, enough, known, reach, tiles, directions)


def spanning(amplitudes) -> tuple[np.ndarray, np.ndarray]:
    """Points (d,) of a design with amplitudes (D, K) that tell all directions; from their images (K, d).

    Other exposures draw these alone. There are some more than directions, which keeps errors small.
    """
    n = amplitudes.shape[1]
    order = qr((amplitudes / np.linalg.norm(amplitudes, axis=0)).T, mode="r", pivoting=True)[1]
    points = np.sort(order[: int((1 + SPARE) * n) + FEW])
    return points, np.linalg.pinv(amplitudes[points])


def seen_in(images) -> tuple[float, np.ndarray]:
    """Chi-square of images (D, T, 64), summed, and the tiles that are lit."""
    return float(np.square(images, dtype="f8").sum()), lit(images)


def lit(images) -> np.ndarray:
    """The tiles without which images (D, T, 64) would lose next to nothing."""
    power = np.einsum("dtp,dtp->t", images, images, dtype="f8")
    order = np.argsort(power)
    dark = min(DARK * LEFT_OUT * len(images), FAINT * power.sum())
    return np.sort(order[np.cumsum(power[order]) > dark])


def whole_rows(pixel, matrix, middle) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Nodes, their matrix (K, M) and their middle with further nodes that count for nothing."""
    more = -len(pixel) % ROW
    middle = np.append(middle, np.repeat(middle[:1], more)).astype("f4")
    return np.append(pixel, np.repeat(pixel[:1], more)), np.pad(matrix, ((0, 0), (0, more))), middle


def principal(images, left_out: float) -> tuple[np.ndarray, np.ndarray]:
    """Directions (K, pixels) of unit length in which images (D, pixels) lie, and their amplitudes (D, K).

    All is float32 but for the amplitudes: what images differ by from their mean is small, whatever the S/N.
    """
    mean = images.mean(axis=0)
    away = images - mean
    values, vectors = np.linalg.eigh((away @ away.T).astype("f8"))
    kept = values > max(left_out, ROUNDED * values[-1])
    vectors, length = vectors[:, kept], np.sqrt(values[kept])
    directions = (vectors / length).T.astype("f4") @ away
    along = directions @ mean
    rest = mean - along @ directions
    size = float(np.linalg.norm(rest))
    amplitudes = vectors * length + along
    if len(images) * size**2 > left_out or not len(directions):
        directions = np.concatenate([directions, rest[None] / size])
        amplitudes = np.column_stack([amplitudes, np.full(len(images), size)])
    return directions, amplitudes


def chosen(directions) -> np.ndarray:
    """Pixels from which the directions (K, pixels) can be told: by pivots, then by what is told least.

    Of those that matter least, some stand for all.
    """
    n, order = len(directions), np.argsort(np.square(directions).sum(axis=0))[::-1]
    likely = np.sort(np.concatenate([order[:LIKELY], order[LIKELY::EVERY]]))
    some = directions[:, likely].astype("f8")
    pivots = qr(some, mode="r", pivoting=True)[1][:n]
    inverse = np.linalg.pinv(some[:, pivots].T)
    reach = np.square(inverse.T @ some).sum(axis=0)
    reach[pivots] = -1.0
    wanted = ROW * -(-int((1 + SPARE) * n) // ROW)
    more = np.argsort(reach)[::-1][: wanted - n]
    return likely[np.concatenate([pivots, more[reach[more] > 0]])]


def overlap(tiles, image, others, other) -> np.ndarray:
    """Products (K_i, K_j) of two pieces' basis images on the tiles that both have."""
    _, here, there = np.intersect1d(tiles, others, assume_unique=True, return_indices=True)
    mine = image.reshape(len(image), -1, 64)[:, here].reshape(len(image), -1)
    product = mine @ other.reshape(len(other), -1, 64)[:, there].reshape(len(other), -1).T
    return product.astype("f8")


def basis_in(design: Design, piece: Piece, e: int) -> tuple[np.ndarray, np.ndarray]:
    """(lit tiles, basis images (K, pixels) there) of a piece in an exposure of its band."""
    if e == piece.exposure:
        return piece.tiles, piece.images
    tiles, images = design.lit_part(piece.component, piece.band, e, piece.reach, piece.few)
    return tiles, piece.known @ images


def assembled(design: Design, pieces: list[Piece]) -> Nodes:
    """All pieces, with the products of their images at the nodes."""
    arrays, has_sky = design.model.arrays, design.model.plan.terms.n_linear > 0
    start = np.concatenate([[0], np.cumsum([len(p.pixel) for p in pieces])]).astype(np.int64)
    place = [slice(*ends) for ends in pairwise(start)]
    middle, n_exposures = np.concatenate([p.middle for p in pieces]), arrays.n_exposures
    data, sky = np.zeros(start[-1]), np.zeros((n_exposures, start[-1]))
    sky_data, sky_weight = np.zeros(n_exposures), np.zeros(n_exposures)
    blocks: dict[tuple[int, int], np.ndarray] = {}
    for e, one in enumerate(design.exposures):
        root = np.sqrt(one.weight, dtype="f8").ravel()
        values = one.data.ravel() * root
        sky_data[e], sky_weight[e] = values @ root, root @ root
        seen = [
            (i, *basis_in(design, piece, e))
            for i, piece in enumerate(pieces)
            if piece.band == one.band[0] and len(one.data)
        ]
        for at, (i, tiles, image) in enumerate(seen):
            pixels = (64 * tiles[:, None] + np.arange(64)).ravel()
            data[place[i]] += pieces[i].matrix.T @ (image @ values[pixels])
            sky[e, place[i]] = pieces[i].matrix.T @ (image @ root[pixels])
            for j, others, other in seen[at:]:
                blocks[i, j] = blocks.get((i, j), 0.0) + overlap(tiles, image, others, other)
    kept = {
        (i, j): pieces[i].matrix.T @ block @ pieces[j].matrix
        for (i, j), block in blocks.items()
        if i == j or np.linalg.norm(block) * pieces[i].size * pieces[j].size > APART
    }
    for (i, j), block in kept.items():
        data[place[i]] -= block @ middle[place[j]]
        if i != j:
            data[place[j]] -= block.T @ middle[place[i]]
    exposures = n_exposures if has_sky else 0
    at = [(p.exposure, p.component) for p in pieces]
    rows = np.array([arrays.psf_index[place] for place in at], int)
    x, y = np.concatenate([design.offsets(p.component, p.exposure, p.pixel) for p in pieces]).T
    return Nodes(
        x=x.astype("f4"),
        y=y.astype("f4"),
        piece=np.array([(p.component, p.band) for p in pieces], np.int64),
        start=start,
        scale=np.array([arrays.scale[place] for place in at]),
        gain=np.array([arrays.gain[place] for place in at]),
        psf=np.ascontiguousarray(arrays.psf[rows]),
        psf_count=arrays.psf_count[rows].astype(np.int64),
        middle=middle,
        data=data.astype("f4"),
        pair=np.array(list(kept), np.int64).reshape(-1, 2),
        products=np.concatenate([block.ravel() for block in kept.values()]).astype("f4"),
        sky_image=sky[:exposures].astype("f4"),
        sky_data=(sky_data - sky @ middle)[:exposures],
        sky_weight=sky_weight[:exposures],
    )
