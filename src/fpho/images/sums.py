"""A checksum for each tile of pixels, so that a region is read safely without reading the whole store.

HDF5's own checksums leave out its indices: a bit that changes there gives other pixels without a word.
"""

import numpy as np

from ..errors import DamagedError

# Odd, so that any change of one pixel changes the sum modulo 2^64; multiples of the golden ratio times 2^64.
WEIGHTS = (2 * np.arange(64, dtype="u8") + 1) * np.uint64(0x9E3779B97F4A7C15)
BLOCK = 1 << 14  # tiles at a time


def tile_sums(tiles) -> np.ndarray:
    """(T,) uint32 of tiles (T, 64) float32: their bits as whole numbers, times WEIGHTS, summed and folded."""
    out = np.zeros(len(tiles), "u4")
    for start in range(0, len(tiles), BLOCK):
        part = np.ascontiguousarray(tiles[start : start + BLOCK], "f4").view("u4").astype("u8")
        total = (part * WEIGHTS).sum(axis=1, dtype="u8")
        out[start : start + BLOCK] = (total ^ (total >> np.uint64(32))) & np.uint64(0xFFFFFFFF)
    return out


def read_tiles(path, group, slices) -> list[np.ndarray]:
    """`data` and `ierr` (T, 64) of an exposure's group in a pixel store: the tiles of some slices.

    Raises
    ------
    DamagedError
        If they are not what was written, or their checksums are not there.
    """
    if "sums" not in group:
        name = group.name.lstrip("/")
        raise DamagedError(path, f"no checksums of the pixels of {name} (or a store of an earlier version)")
    planes = [np.concatenate([group[kind][part] for part in slices]) for kind in ("data", "ierr")]
    first, last = slices[0].start, slices[-1].stop
    span = group["sums"][first:last]
    sums = np.concatenate([span[part.start - first : part.stop - first] for part in slices])
    n_tiles = sum(part.stop - part.start for part in slices)
    for k, tiles in enumerate(planes):
        if tiles.shape != (n_tiles, 64) or not np.array_equal(tile_sums(tiles), sums[:, k]):
            raise DamagedError(path, f"pixels of {group.name.lstrip('/')} are not what was written")
    return planes
