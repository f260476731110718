"""What is said of a patch as a whole, for its PSFs and for its place in the plan; how wide PSFs are."""

import numpy as np

from ..flags import Flag


def flags_of(patcher, patch) -> int:
    """Flags of all sources of a patch: a PSF that is a poor mixture, a group that was cut."""
    store = patcher.psfstore
    keys = {store.resolve(tiles.id, tiles.band, tiles.psf) for tiles in patcher.tiles}
    flags = Flag.POOR_PSF if any(store.quality(key)["poor"] for key in keys) else Flag(0)
    return int(flags | Flag.TRUNCATED_PATCH if patch.truncated else flags)


def widest_psf(patcher) -> float:
    """Half-light radius (arcsec) of the widest PSF at a patch's centre."""
    widths = [0.0]
    for tiles, (centre, scale) in zip(patcher.tiles, patcher.middles, strict=True):
        key = patcher.psfstore.resolve(tiles.id, tiles.band, tiles.psf)
        mixture = patcher.psfstore.mixture(key, *centre[0], patcher.interpolation)
        widths.append(half_light(mixture) / np.sqrt(abs(np.linalg.det(scale[0]))))
    return float(max(widths))


def widest_of(stores, psfstore, bands) -> float:
    """The same of the bands of a run, of each in the middle of the first image that a store has of it."""
    widths = [0.0]
    for store in stores:
        first = {store.band(name): name for name in reversed(store.ids)}
        for name in (first[band] for band in bands if band in first):
            shape, key = store.shape(name), psfstore.resolve(name, store.band(name), store.psf(name))
            scale = 2 * store.footprint(name).radius / np.hypot(*shape)  # of a square image in its circle
            middle = (shape[1] - 1) / 2, (shape[0] - 1) / 2
            widths.append(half_light(psfstore.mixture(key, *middle)) * scale)
    return float(max(widths))


def half_light(mixture) -> float:
    """Half-light radius, in pixels, of a PSF (n, 6) of round Gaussians of the same areas."""
    variance = np.sqrt(np.maximum(np.linalg.det(mixture[:, [[3, 5], [5, 4]]]), 0))
    radius = np.geomspace(0.1, 10, 200) * np.sqrt(np.max(variance))
    inside = (1 - np.exp(-0.5 * radius[:, None] ** 2 / variance)) @ mixture[:, 0]
    return float(radius[np.argmax(inside >= 0.5 * mixture[:, 0].sum())])
