"""What is said of a patch as a whole, for its PSFs and for its place in the plan."""

import numpy as np

from ..flags import Flag


def flags_of(patcher, patch) -> int:
    """Flags of all sources of a patch: a PSF that is a poor mixture, a group that was cut."""
    store = patcher.psfstore
    keys = {store.resolve(tiles.id, tiles.band, tiles.psf) for tiles in patcher.tiles}
    flags = Flag.POOR_PSF if any(store.quality(key)["poor"] for key in keys) else Flag(0)
    return int(flags | Flag.TRUNCATED_PATCH if patch.truncated else flags)


def widest_psf(patcher) -> float:
    """Half-light radius (arcsec) of the widest PSF at a patch's centre, round Gaussians of equal areas."""
    widths = [0.0]
    for tiles, (centre, scale) in zip(patcher.tiles, patcher.middles, strict=True):
        key = patcher.psfstore.resolve(tiles.id, tiles.band, tiles.psf)
        mixture = patcher.psfstore.mixture(key, *centre[0], patcher.interpolation)
        variance = np.sqrt(np.maximum(np.linalg.det(mixture[:, [[3, 5], [5, 4]]]), 0))
        radius = np.geomspace(0.1, 10, 200) * np.sqrt(np.max(variance))
        inside = (1 - np.exp(-0.5 * radius[:, None] ** 2 / variance)) @ mixture[:, 0]
        half = radius[np.argmax(inside >= 0.5 * mixture[:, 0].sum())]
        widths.append(half / np.sqrt(abs(np.linalg.det(scale[0]))))
    return float(max(widths))
