"""How well a patch is fitted near each of its sources."""

import numpy as np

from ..geometry import tile_pixels
from ..parameters import q_names

RADII = 2.0  # half-light radii
PIXELS = 3.0  # and at least this many pixels


def source_chi2(model, q) -> tuple[np.ndarray, np.ndarray]:
    """(chi-square, number of pixels), each (S,): good pixels within RADII of a source, all exposures."""
    arrays, n_bands = model.arrays, len(model.bands)
    names, first = q_names(model.bands), model.plan.components.first
    n_sources = len(first)
    block = np.asarray(q)[: n_sources * len(names)].reshape(n_sources, len(names))
    state, _ = model.state(model.transform.inverse_transform(q))
    squares = arrays.weight * (arrays.data - model.kernel.model(arrays, state)) ** 2
    x, y = tile_pixels(arrays.tile_x, arrays.tile_y)
    chi2, n_pix = np.zeros(n_sources), np.zeros(n_sources)
    for e in range(arrays.n_exposures):
        part = slice(arrays.exposure_start[e], arrays.exposure_start[e + 1])
        good = arrays.weight[part] > 0
        for s, n in enumerate(first):
            centre = arrays.position[e, n] + arrays.scale[e, n] @ state.sources[n, n_bands : n_bands + 2]
            pixel = np.sqrt(np.abs(np.linalg.det(arrays.scale[e, n])))
            radius = max(RADII * block[s, names.index("rhalf")] * pixel, PIXELS)
            near = good & (np.hypot(x[part] - centre[0], y[part] - centre[1]) < radius)
            chi2[s] += squares[part][near].sum()
            n_pix[s] += near.sum()
    return chi2, n_pix
