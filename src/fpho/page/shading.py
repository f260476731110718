"""Maps as pictures: greys for data and model, blue to red for residuals, colour from three bands.

The same looks as in the plots (`products.plots`), as lookups that are fast on large images.
"""

from functools import cache

import numpy as np

from ..products.plots.colour import about_grey, colours
from ..products.plots.style import BLANK as BLANK_NAME
from ..products.plots.style import DATA_MAP, RESIDUAL_MAP, RESIDUAL_RANGE, STRETCH

BLANK = tuple(bytes.fromhex(BLANK_NAME[1:]))  # where there is no pixel
LEVELS = 40  # of a residual between -RESIDUAL_RANGE and +RESIDUAL_RANGE sigma: as many as the eye tells apart


def top_of(data) -> float:
    """The S/N that is drawn darkest: nearly the brightest pixel, so that data and model share a stretch."""
    known = data[np.isfinite(data)]
    some = known[:: max(1, known.size // 1_000_000)]
    return max(float(np.percentile(some, 99.9)), 10.0) if known.size else 10.0


def greys(data, top: float) -> np.ndarray:
    """RGB (ny, nx, 3) uint8 of S/N: asinh, linear in the sky, from -STRETCH to `top`."""
    low, high = np.arcsinh(-1.0), np.arcsinh(top / STRETCH)
    place = (np.arcsinh(data / np.float32(STRETCH)) - low) / (high - low)
    return _looked_up(place, data, DATA_MAP, 256)


def blue_to_red(residual) -> np.ndarray:
    """RGB (ny, nx, 3) uint8 of residuals in sigma."""
    return _looked_up(0.5 + residual / (2 * RESIDUAL_RANGE), residual, RESIDUAL_MAP, LEVELS + 1)


def in_colour(layers) -> np.ndarray:
    """RGB uint8 of red, green and blue in S/N, (3, ny, nx)."""
    return _marked(colours(layers), layers)


def residual_in_colour(layers) -> np.ndarray:
    """RGB uint8 of residuals in sigma, (3, ny, nx), about grey."""
    return _marked((255 * about_grey(layers)).astype("u1"), layers)


def _marked(rgb, layers) -> np.ndarray:
    rgb = np.array(rgb)
    rgb[~np.isfinite(layers).any(axis=0)] = BLANK
    return rgb


def _looked_up(place, values, name: str, levels: int) -> np.ndarray:
    step = np.nan_to_num(place * (levels - 1) + 0.5, nan=0.0).clip(0, levels - 1).astype("u1")
    step[~np.isfinite(values)] = levels - 1
    table = _table(name, levels)
    rgb = table[step]
    rgb[~np.isfinite(values)] = BLANK
    return rgb


@cache
def _table(name: str, levels: int) -> np.ndarray:
    from matplotlib import colormaps

    return (255 * colormaps[name](np.linspace(0, 1, levels))[:, :3] + 0.5).astype("u1")
