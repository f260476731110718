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
class TilePlan:
    """`steps` (M, 6) int32: level, x, y of the first pixel, tile | -1 (enter) | LEAVE, place in the parent.

    `pieces` (I, 3) int64: exposure, first step, end. `interpolation` (LEVELS + 1, 2, 2, 64) float32, flat:
    values at a child's grid points from those of a parent of that level, child first or second;
    the matrix and its transpose.
    """

    steps: np.ndarray
    pieces: np.ndarray
    interpolation: np.ndarray


def interpolation_matrices() -> np.ndarray:
    """Lagrange polynomials of the parent's 8 points at the child's, and transposed: see `TilePlan`."""
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


def _leaf_steps(tile_x, tile_y, tiles) -> tuple[np.ndarray, np.ndarray]:
    """(steps (M, 6), first one of each node) for tiles that lie on no common grid: leaves without parents."""
    n = len(tiles)
    columns = [np.zeros(n, int), tile_x[tiles], tile_y[tiles], tiles, np.full(n, -1), np.zeros(n, int)]
    return np.stack(columns, axis=1), np.arange(n)


def _tree_steps(tile_x, tile_y, tiles) -> tuple[np.ndarray, np.ndarray]:
    """(steps (M, 6), first one of each top node) of one exposure.

    Before a tile, the nodes that it does not share with the tile before it are left, from below, and its own
    are entered, from above.
    """
    x0, y0 = tile_x[tiles].min(), tile_y[tiles].min()
    ix, iy = (tile_x[tiles] - x0) // TILE, (tile_y[tiles] - y0) // TILE
    keys = [part >> level for level in range(LEVELS) for part in (ix, iy)]
    order = np.lexsort([*(key & 1 for key in keys), ix >> LEVELS, iy >> LEVELS])
    ix, iy, tiles = ix[order], iy[order], tiles[order]
    place = np.arange(len(tiles))
    parts = [(place, np.full(len(tiles), 1 + LEVELS), _rows(0, ix, iy, x0, y0, tiles))]
    for level in range(1, LEVELS + 1):
        x, y = ix >> level, iy >> level
        new = np.r_[True, (np.diff(x) != 0) | (np.diff(y) != 0)]
        first, last = place[new], np.r_[place[new][1:], len(tiles)]
        rows = _rows(level, x[new], y[new], x0, y0, -1)
        parts.append((first, np.full(len(first), 1 + LEVELS - level), rows))
        rows = rows.copy()
        rows[:, 3] = LEAVE
        parts.append((last, np.full(len(last), level - LEVELS), rows))
    before, rank, steps = (np.concatenate(some) for some in zip(*parts, strict=True))
    steps = steps[np.lexsort([rank, before])]
    return steps, np.flatnonzero((steps[:, 0] == LEVELS) & (steps[:, 3] == -1))


def _rows(level: int, x, y, x0: int, y0: int, tile) -> np.ndarray:
    """Steps (N, 6) at nodes (x, y), counted in nodes of their level."""
    half = (x & 1, y & 1) if level < LEVELS else (np.full(len(x), -1),) * 2
    at = x0 + TILE * (x << level), y0 + TILE * (y << level)
    return np.stack(np.broadcast_arrays(level, *at, tile, *half), axis=1)


def make_plan(patch: PatchArrays) -> TilePlan:
    """The plan of a patch."""
    steps, pieces, done = [np.empty((0, 6), np.int64)], [], 0
    tile_x, tile_y = np.asarray(patch.tile_x, np.int64), np.asarray(patch.tile_y, np.int64)
    for e in range(patch.n_exposures):
        tiles = np.arange(patch.exposure_start[e], patch.exposure_start[e + 1])
        if len(tiles) == 0:
            continue
        aligned = len(np.unique(tile_x[tiles] % TILE)) == len(np.unique(tile_y[tiles] % TILE)) == 1
        rows, nodes = (_tree_steps if aligned else _leaf_steps)(tile_x, tile_y, tiles)
        held = np.add.reduceat(rows[:, 3] >= 0, nodes)
        first, count, here, left = done, 0, len(tiles), len(tile_x) - tiles[0]  # tiles still to be cut
        for end, n in zip(np.r_[nodes[1:], len(rows)].tolist(), held.tolist(), strict=True):
            count += n
            large = count >= min(PIECE, max(LAST, left // TAIL)) and here - count >= LAST // 2
            if large or count == here:
                pieces.append((e, first, done + end))
                first, count, here, left = done + end, 0, here - count, left - count
        steps.append(rows)
        done += len(rows)
    return TilePlan(
        np.concatenate(steps).astype(np.int32),
        np.array(pieces, np.int64).reshape(-1, 3),
        INTERPOLATION.reshape(-1),
    )


def plan_of(patch: PatchArrays) -> TilePlan:
    """The plan of a patch, made once and kept with the (frozen) patch."""
    plan = patch.__dict__.get("_plan")
    if plan is None:
        plan = make_plan(patch)
        object.__setattr__(patch, "_plan", plan)
    return plan
