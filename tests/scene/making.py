"""Scenes for the tests of this room: sources at random places."""

import numpy as np

from fpho.parameters import scene_dtype

BANDS = ("g", "r")


def random_rows(count: int, seed: int, side: float = 60.0, dec: float = 2.0) -> np.ndarray:
    """Scene rows of `count` galaxies in a square of `side` arcsec around ra 0."""
    rng = np.random.default_rng(seed)
    rows = np.zeros(count, scene_dtype(BANDS))
    rows["source_index"] = np.arange(count)
    rows["id"] = [f"s{i}" for i in range(count)]
    rows["is_valid"] = True
    rows["ra"] = np.mod(rng.uniform(-0.5, 0.5, count) * side / 3600 / np.cos(np.radians(dec)), 360)
    rows["dec"] = dec + rng.uniform(-0.5, 0.5, count) * side / 3600
    rows["roi"] = rng.lognormal(-0.2, 0.4, count)
    for name, low, high in (("q", 0.5, 1), ("pa", -1.5, 1.5), ("sersic", 0.8, 4), ("rhalf", 0.05, 0.5)):
        rows[name] = rng.uniform(low, high, count)
    for band in BANDS:
        rows[band] = rng.lognormal(4, 1, count)
        rows[f"{band}_err"] = rng.uniform(0.5, 2, count)
    return rows
