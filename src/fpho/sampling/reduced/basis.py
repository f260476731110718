"""The images that the sources of a patch can make, as few numbers: see `nodes`."""

from dataclasses import dataclass, replace
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
ROW = 16  # nodes that compiled loops take at a time: there are whole rows of them


@dataclass(frozen=True)
class Design:
    """Points of parameter space whose images span the space, and what they are drawn on."""

    model: object  # `Posterior`
    states: list[SourceArrays]  # at the D points
    flux: (
        np.ndarray
    )  # (N, B) nJy, rms of the components': what errors of images of flux 1 are multiplied with
    exposures: list[PatchArrays]  # each by itself

    @classmethod
    def of(cls, model, z) -> "Design":
        """From z (D, ndim) of a posterior."""
        states = [model.state(point)[0] for point in z]
        flux = np.sqrt(np.mean([state.sources[:, : len(model.bands)] ** 2 for state in states], axis=0))
        exposures = single_exposures(model.arrays)
        for one in exposures:
            plan_of(one)  # which all components then share
        return cls(model, states, flux, exposures)

    def few(self, n: int) -> np.ndarray:
        """FEW points: half of them anywhere, and those at which component n is largest."""
        first = self.flux.shape[1] + 2  # of the shape matrix
        spread = [
            state.sources[n, first : first + 2].sum()
            * np.prod(state.profile[n, : state.profile_count[n], :2], axis=1).sum()
            for state in self.states
        ]
        anywhere = range(0, len(self.states), max(1, 2 * len(self.states) // FEW))
        return np.union1d(anywhere, np.argsort(spread, kind="stable")[-FEW // 2 :])

    def reach(self, n: int, e: int, tiles) -> float:
        """Arcsec from component n to the far ends of tiles of exposure e, and on by what it moves at most."""
        one, first = self.exposures[e], self.flux.shape[1]
        farthest = tile_distances(one, n)[tiles].max(initial=0.0) + TILE / np.sqrt(2)
        moved = max(np.hypot(*state.sources[n, first : first + 2]) for state in self.states)
        return float(farthest / pixels_in_arcsec(one, n) + moved)

    def within(self, n: int, e: int, reach: float) -> np.ndarray:
        """Tiles of exposure e within so many arcsec of component n; all, if these are most of them."""
        one = self.exposures[e]
        near = tile_distances(one, n) <= reach * pixels_in_arcsec(one, n) + TILE
        return np.flatnonzero(near) if 2 * near.sum() < len(near) else np.arange(len(near))

    def lit_part(self, n: int, band: int, e: int, reach: float, some=None) -> tuple[np.ndarray, np.ndarray]:
        """The tiles in that circle that are lit, and the images (D, pixels) there in float64."""
        near = self.within(n, e, reach)
        images = self.images(n, band, e, some, near)
        tiles = lit(images)
        return near[tiles], images[:, tiles].reshape(len(images), -1).astype("f8")

    def images(self, n: int, band: int, e: int, some=None, tiles=None) -> np.ndarray:
        """(D, T, 64) images of component n in exposure e, at its flux scale, times sqrt(weight).

        some, tiles : numbers of points of the design, and of the exposure's tiles; all when None
        """
        whole = self.exposures[e] if tiles is None else on_tiles(self.exposures[e], tiles)
        names = ("position", "scale", "gain", "psf_index")
        one = {name: np.ascontiguousarray(getattr(whole, name)[:, n : n + 1]) for name in names}
        arrays, weight = whole.with_fields(**one), np.sqrt(whole.weight) * np.float32(self.flux[n, band])
        states = self.states if some is None else [self.states[i] for i in some]
        out = np.empty((len(states), *weight.shape), "f4")
        for image, state in zip(out, states, strict=True):
            source = state.sources[n : n + 1].copy()
            source[:, : self.flux.shape[1]] = 1.0
            count = state.profile_count[n : n + 1]
            alone = SourceArrays(source, state.profile[n : n + 1], count, np.zeros(1))
            np.multiply(self.model.kernel.model(arrays, alone), weight, out=image)
        return out


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
    matrix = np.linalg.pinv(directions[:, at].T) * np.sqrt(design.exposures[e].weight.ravel()[pixel])
    size = float(np.sqrt(np.mean(np.square(amplitudes).sum(axis=1))))
    enough, known = spanning(amplitudes) if len(exposures) > 1 else (np.empty(0, int), np.empty((0, 0)))
    return Piece(n, band, e, *whole_rows(pixel, matrix), size, enough, known, reach, tiles, directions)


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


def basis_in(design: Design, piece: Piece, e: int) -> tuple[np.ndarray, np.ndarray]:
    """(lit tiles, basis images (K, pixels) there) of a piece in an exposure of its band."""
    if e == piece.exposure:
        return piece.tiles, piece.images
    tiles, images = design.lit_part(piece.component, piece.band, e, piece.reach, piece.few)
    return tiles, piece.known @ images


def assembled(design: Design, pieces: list[Piece]) -> Nodes:
    """All pieces, with the products of their images."""
    arrays, has_sky = design.model.arrays, design.model.plan.terms.n_linear > 0
    sizes = np.array([len(piece.matrix) for piece in pieces])
    first = np.concatenate([[0], np.cumsum(sizes)])
    total, n_exposures = first[-1], arrays.n_exposures
    data, sky = np.zeros(total), np.zeros((n_exposures, total))
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
            data[first[i] : first[i + 1]] += image @ values[pixels]
            sky[e, first[i] : first[i + 1]] = image @ root[pixels]
            for j, others, other in seen[at:]:
                blocks[i, j] = blocks.get((i, j), 0.0) + overlap(tiles, image, others, other)
    kept = [
        ((i, j), block)
        for (i, j), block in blocks.items()
        if i == j or np.linalg.norm(block) * pieces[i].size * pieces[j].size > APART
    ]
    exposures = n_exposures if has_sky else 0
    corner = [
        (one.tile_x[:, None] + np.arange(64) % 8, one.tile_y[:, None] + np.arange(64) // 8)
        for one in design.exposures
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
