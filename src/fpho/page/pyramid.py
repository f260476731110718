"""Pyramids of tiles: every level has half the pixels of the one above, which is the image itself."""

import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

TILE = 512  # pixels
SMALLEST = 256  # a level is no smaller than this, if the image isn't
FORMATS = {
    "webp": {"format": "WEBP", "quality": 82, "method": 1},
    "png": {"format": "PNG", "compress_level": 4},  # exact, for few colours
}


def levels_of(shape) -> tuple[int, int]:
    """(lowest, highest) level; the highest is the image, level 0 would be a single pixel."""
    highest = int(np.ceil(np.log2(max(*shape, 1))))
    below = max(0, int(np.floor(np.log2(max(max(shape) / SMALLEST, 1)))))
    return highest - below, highest


def write_pyramid(folder, maps, shade, form: str, cores: int = 1) -> None:
    """Tiles of one layer, `<level>/<column>_<row>.<form>`, from the top left.

    maps : (ny, nx) or (planes, ny, nx) float32, row 0 at the bottom.
    shade : gives RGB (ny, nx, 3) uint8 of such maps.
    """
    lowest, level = levels_of(maps.shape[-2:])
    with ThreadPoolExecutor(cores) as pool:
        while level >= lowest:
            below = Path(folder) / str(level)
            below.mkdir(parents=True, exist_ok=True)
            ny, nx = maps.shape[-2:]
            places = [(c, r) for r in range(-(-ny // TILE)) for c in range(-(-nx // TILE))]
            list(pool.map(lambda place: _write_tile(below, maps, shade, form, *place), places))  # noqa: B023
            maps, level = halved(maps), level - 1


def _write_tile(folder, maps, shade, form: str, column: int, row: int) -> None:
    from PIL import Image

    ny = maps.shape[-2]
    x = slice(column * TILE, (column + 1) * TILE)
    y = slice(max(ny - (row + 1) * TILE, 0), ny - row * TILE)
    picture = Image.fromarray(np.ascontiguousarray(shade(maps[..., y, x])[::-1]))
    if form == "png":
        picture = picture.quantize(256, dither=Image.Dither.NONE)
    picture.save(folder / f"{column}_{row}.{form}", **FORMATS[form])


def halved(maps) -> np.ndarray:
    """Means of 2 x 2 pixels that are known; an odd image is as large as if its top and right edge had a twin.

    As row 0 is at the bottom and tiles start at the top, it is the bottom that is filled up.
    """
    ny, nx = maps.shape[-2:]
    edges = [(0, 0)] * (maps.ndim - 2) + [(ny % 2, 0), (0, nx % 2)]
    even = np.pad(maps, edges, mode="edge")
    parts = even.reshape(*maps.shape[:-2], even.shape[-2] // 2, 2, even.shape[-1] // 2, 2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of means of nothing
        known = np.isfinite(parts)
        if known.all():
            return parts.mean(axis=(-3, -1), dtype="f4")
        total = np.where(known, parts, 0).sum(axis=(-3, -1), dtype="f4")
        return total / known.sum(axis=(-3, -1), dtype="f4")
