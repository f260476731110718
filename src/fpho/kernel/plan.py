"""The plan of a patch: its tiles in quadtree order, cut into pieces of work.

Tiles (8 x 8 pixels) are the leaves, level 0. A node of level l covers 2^l x 2^l tiles and carries a
grid of 8 x 8 points from its first to its last pixel, PITCH[l] pixels apart; wide Gaussians are
evaluated on such grids and interpolated down by polynomials of degree 7, level by level. A plan
depends on the geometry of a patch only, never on a number of threads.
"""

from dataclasses import dataclass

import numpy as np

from .arrays import TILE, PatchArrays

LEVELS = 3  # top nodes are 64 pixels wide
PITCH = tuple((TILE * 2**level - 1) / (TILE - 1) for level in range(LEVELS + 1))
PIECE, LAST = 640, 96  # tiles of a piece of work, about (or all of an exposure): most, and least at the end
TAIL = 2  # a piece has at most this part of the tiles still to come, so that threads end together
LEAVE = -2  # column `tile` of a step that leaves a node; -1 where it enters one


@dataclass(frozen=True)
class Plan:
    """`steps` (M, 6) int32: level, x, y of the first pixel, tile | -1 (enter) | LEAVE, place in the parent.

    `pieces` (I, 3) int64: exposure, first step, end. `interpolation` (LEVELS + 1, 2, 2, 64) float32, flat:
    values at a child's grid points from those of a parent of that level, child first or second;
    the matrix and its transpose.
    """

    steps: np.ndarray
    pieces: np.ndarray
    interpolation: np.ndarray


def interpolation_matrices() -> np.ndarray:
    """Lagrange polynomials of the parent's 8 points at the child's, and transposed: `Plan.interpolation`."""
    out = np.zeros((LEVELS + 1, 2, TILE, TILE))
    nodes = np.arange(TILE)
    for level in range(1, LEVELS + 1):
        for half in range(2):
            pixel = half * TILE * 2 ** (level - 1) + PITCH[level - 1] * np.arange(TILE)
            offset = pixel[:, None] / PITCH[level] - nodes
            for k in range(TILE):
                others = np.delete(nodes, k)
                out[level, half, :, k] = np.prod(offset[:, others] / (k - others), axis=1)
    return np.stack([out, out.swapaxes(2, 3)], axis=2).reshape(LEVELS + 1, 2, 2, 64).astype(np.float32)


INTERPOLATION = interpolation_matrices()


def _leaf_steps(tile_x, tile_y, tiles) -> list:
    """Steps for tiles that do not lie on a common grid: leaves without parents."""
    return [[(0, tile_x[t], tile_y[t], t, -1, 0)] for t in tiles]


def _tree_steps(tile_x, tile_y, tiles) -> list:
    """Steps of every top node of one exposure: list of lists of rows."""
    x0, y0 = tile_x[tiles].min(), tile_y[tiles].min()
    ix, iy = (tile_x[tiles] - x0) // TILE, (tile_y[tiles] - y0) // TILE
    place = {}
    for t, x, y in zip(tiles, ix.tolist(), iy.tolist(), strict=True):
        place.setdefault((y >> LEVELS, x >> LEVELS), []).append((x, y, t))

    def visit(level, x, y, members, rows):
        """Node (x, y), counted in nodes of its level, with its tiles; half is its place in the parent."""
        half = (x & 1, y & 1) if level < LEVELS else (-1, -1)
        at = (x0 + TILE * (x << level), y0 + TILE * (y << level))
        if level == 0:
            rows.extend((0, *at, t, *half) for _, _, t in members)
            return rows
        rows.append((level, *at, -1, *half))
        children = {}
        for m in members:
            children.setdefault((m[1] >> (level - 1), m[0] >> (level - 1)), []).append(m)
        for (cy, cx), inside in sorted(children.items()):
            visit(level - 1, cx, cy, inside, rows)
        rows.append((level, *at, LEAVE, *half))
        return rows

    return [visit(LEVELS, x, y, members, []) for (y, x), members in sorted(place.items())]


def make_plan(patch: PatchArrays) -> Plan:
    """The plan of a patch."""
    steps, pieces, done = [], [], 0
    tile_x, tile_y = np.asarray(patch.tile_x, np.int64), np.asarray(patch.tile_y, np.int64)
    for e in range(patch.n_exposures):
        tiles = np.arange(patch.exposure_start[e], patch.exposure_start[e + 1])
        if len(tiles) == 0:
            continue
        aligned = len(np.unique(tile_x[tiles] % TILE)) == len(np.unique(tile_y[tiles] % TILE)) == 1
        nodes = (_tree_steps if aligned else _leaf_steps)(tile_x, tile_y, tiles)
        first, count, here, left = done, 0, len(tiles), len(tile_x) - tiles[0]  # tiles still to be cut
        for node in nodes:
            steps.extend(node)
            done += len(node)
            count += sum(row[3] >= 0 for row in node)
            large = count >= min(PIECE, max(LAST, left // TAIL)) and here - count >= LAST // 2
            if large or count == here:
                pieces.append((e, first, done))
                first, count, here, left = done, 0, here - count, left - count
    return Plan(
        np.array(steps, np.int32).reshape(-1, 6),
        np.array(pieces, np.int64).reshape(-1, 3),
        INTERPOLATION.reshape(-1),
    )


def plan_of(patch: PatchArrays) -> Plan:
    """The plan of a patch, made once and kept with the (frozen) patch."""
    plan = patch.__dict__.get("_plan")
    if plan is None:
        plan = make_plan(patch)
        object.__setattr__(patch, "_plan", plan)
    return plan
