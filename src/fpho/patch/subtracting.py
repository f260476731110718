"""Light of sources taken off a patch's data: what mixtures draw of them, and what mixtures leave."""

from itertools import pairwise

import numpy as np

from .. import kernel
from ..kernel.arrays import PatchArrays
from .building import PlacedSources
from .remainder import remainder_image


def subtract_sources(arrays: PatchArrays, sources: PlacedSources, backend: str = "cpu") -> PatchArrays:
    """`arrays` with the model of other sources subtracted from a new data array."""
    if not len(sources.components.source) or not arrays.n_exposures:
        return arrays
    model = kernel.backend(backend).model(sources.on(arrays), sources.state)
    data = np.where(arrays.weight > 0, arrays.data - model, np.float32(0))
    return arrays.with_fields(data=data.astype("f4"))


def subtract_remainder(arrays, tiles, placed, psfstore, bands):
    """`arrays` with f S*R of sources, some `PlacedSources`, subtracted from a new data array."""
    placed = [sources for sources in placed if len(sources.components.source)]
    if not placed or not psfstore.has_remainders():
        return arrays
    data = arrays.data.copy()
    for e, (one, (a, b)) in enumerate(zip(tiles, pairwise(arrays.exposure_start), strict=True)):
        x, y = one.pixels
        good = arrays.weight[a:b] > 0
        if not good.any():
            continue
        corner = np.array([x.min(), y.min()])
        shape = (y.max() - corner[1] + 1, x.max() - corner[0] + 1)
        noise = 1 / np.sqrt(np.median(arrays.weight[a:b][good]))
        for sources in placed:
            image = remainder_image(one, e, sources, psfstore, bands, corner, shape, noise)
            if image is not None:
                data[a:b] -= np.where(good, image[y - corner[1], x - corner[0]], 0)
    return arrays.with_fields(data=data)
