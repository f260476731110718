"""The kernel's arrays of a patch: its pixels, with their weights, and the sources on them."""

import numpy as np

from ..kernel.arrays import TILE, PatchArrays
from .building import PlacedSources
from .noise import noise_factors


def pixel_arrays(tiles, bands, sources: PlacedSources) -> PatchArrays:
    """The kernel's arrays of tiles (from `select_tiles`), and of the sources on them."""
    counts = [len(one.data) for one in tiles]
    pixels = TILE * TILE
    return PatchArrays(
        data=_stack([one.data for one in tiles], (0, pixels), "f4"),
        weight=_stack([one.ierr**2 for one in tiles], (0, pixels), "f4"),
        tile_x=_stack([one.tile_x for one in tiles], 0, "i4"),
        tile_y=_stack([one.tile_y for one in tiles], 0, "i4"),
        exposure_start=np.concatenate([[0], np.cumsum(counts)]).astype("i8"),
        band=np.array([list(bands).index(one.band) for one in tiles], "i4"),
        **sources.geometry,
    )


def weighted_arrays(tiles, bands, sources: PlacedSources) -> PatchArrays:
    """As `pixel_arrays`, with weights for correlated noise at the scale of the sources."""
    arrays = pixel_arrays(tiles, bands, sources)
    factors = noise_factors(arrays, tiles, sources)
    if np.all(factors == 1):
        return arrays
    return arrays.with_fields(weight=_by_exposure(arrays, factors**-2.0) * arrays.weight)


def _by_exposure(arrays: PatchArrays, values) -> np.ndarray:
    """Values (E,) of the exposures for their tiles, (T, 1) float32."""
    return np.repeat(np.asarray(values, "f4"), np.diff(arrays.exposure_start))[:, None]


def _stack(parts, empty_shape, dtype) -> np.ndarray:
    whole = np.concatenate(parts) if parts else np.zeros(empty_shape)
    return np.ascontiguousarray(whole, dtype)
