"""The first sky, before any source is fitted, so that no source takes it up.

The model of the catalog's sources as they are given, however rough, tells where sky is (`fit.py`), and
nothing within a source's radius of influence counts as long as enough is left. Mean light of sources that
nobody listed belongs to the sky. It is measured again from the optimized scene, on top of this.
"""

import numpy as np

from ..geometry import pixel_scale, to_pixels
from .fit import Sky, fit_background
from .table import DTYPE

MOVED = 0.3  # of a sky's error
DIFFER = ("constant", "x_slope", "y_slope", "x_ref", "y_ref", "used")


def first_sky(exposure, model: np.ndarray, rows) -> Sky:
    """A plane of `exposure` by its uncertainty, from pixels without sources.

    Parameters
    ----------
    model : (ny, nx) rough light of the sources, nJy per pixel
    rows : scene rows (S,), of which ra, dec (degrees) and roi (arcsec) are used
    """
    return fit_background(exposure, model, "plane", covered=covered(exposure, rows))


def covered(exposure, rows) -> np.ndarray:
    """Pixels (ny, nx) bool within the radius of influence of any source."""
    ny, nx = exposure.data.shape
    out = np.zeros((ny, nx), bool)
    scale = pixel_scale(exposure.wcs, (ny, nx))
    places = to_pixels(exposure.wcs, rows["ra"], rows["dec"])
    for (x, y), radius in zip(places, rows["roi"] / scale, strict=True):
        if not np.isfinite(x + y) or not (-radius < x < nx + radius and -radius < y < ny + radius):
            continue
        x0, y0 = (max(0, int(centre - radius)) for centre in (x, y))
        part = out[y0 : int(y + radius) + 2, x0 : int(x + radius) + 2]
        j, i = np.indices(part.shape, sparse=True)
        part |= (i + x0 - x) ** 2 + (j + y0 - y) ** 2 <= radius**2
    return out


def continued(first: np.ndarray, table: np.ndarray) -> np.ndarray:
    """Backgrounds on top of a first sky, as one table: what was measured later is added to the first.

    Also where it is not significant by itself: the first sky was measured beside guesses of sources and has
    their wings in it; what is left of these counts as soon as it is a part of the sky's error (MOVED). In a
    small cut-out three errors of the sky are as many of the flux.

    first, table : structured as `DTYPE`; rows of `table` without a first one, or with one that was not used,
    stay as they are.
    """
    before = {str(row["exposure"]): row for row in first if row["used"]}
    out = table.copy()
    for row in out:
        old = before.get(str(row["exposure"]))
        if old is None:
            continue
        more = row.copy()
        for name in DTYPE.names:
            row[name] = old[name]
        if np.isfinite(more["error"]) and more["significance"] > MOVED:
            row["constant"] = more["constant"] + old["constant"] + _at(old, more["x_ref"], more["y_ref"])
            for name in ("x_slope", "y_slope"):
                row[name] = old[name] + more[name]
            for name in ("x_ref", "y_ref", "error"):
                row[name] = more[name]
    return out


def changed(first: np.ndarray, table: np.ndarray) -> bool:
    """Whether a table subtracts anything else than the first sky that optimization started with."""
    before = {str(row["exposure"]): row for row in first if row["used"]}
    used = [row for row in table if row["used"]]
    if {str(row["exposure"]) for row in used} != set(before):
        return True
    return any(row[name] != before[str(row["exposure"])][name] for row in used for name in DIFFER)


def _at(row, x, y) -> float:
    """What the slopes of a row add at a pixel."""
    return row["x_slope"] * (x - row["x_ref"]) + row["y_slope"] * (y - row["y_ref"])
