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


def read_tiles(path, file, rows: slice, columns: slice) -> list[np.ndarray]:
    """Data and inverse errors, each (T, 64), of a box of tiles of an exposure's open file, row by row.

    Raises
    ------
    DamagedError
        If they are not what was written, or their checksums are not there.
    """
    if "sums" not in file:
        raise DamagedError(path, "no checksums of the pixels (or a store of an earlier version)")
    pixels, sums = file["pixels"][rows, columns], file["sums"][rows, columns]
    box = (rows.stop - rows.start, columns.stop - columns.start, 2)
    if pixels.shape != (*box, 64) or pixels.dtype != np.float32 or sums.shape != box:
        raise DamagedError(path, "its pixels are not as many as were written")
    planes = [np.ascontiguousarray(pixels[:, :, k]).reshape(-1, 64) for k in (0, 1)]
    for k, tiles in enumerate(planes):
        if not np.array_equal(tile_sums(tiles), sums[:, :, k].ravel()):
            raise DamagedError(path, "its pixels are not what was written")
    return planes
