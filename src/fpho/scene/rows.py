"""Check-out and check-in: the scene is a value, both return new arrays."""

import numpy as np

from ..parameters import error_col, q_names


def checkout(rows, active, fixed) -> tuple[np.ndarray, np.ndarray]:
    """Copies of the rows of a patch's active and fixed sources, by index."""
    return rows[np.asarray(active, int)].copy(), rows[np.asarray(fixed, int)].copy()


def checkin(rows, final, bands, n_draws: int = 0) -> np.ndarray:
    """A new scene with the parameters, errors and flags of `final` rows, found by `source_index`."""
    out = rows.copy()
    place = {int(index): i for i, index in enumerate(out["source_index"])}
    where = np.array([place[int(index)] for index in final["source_index"]], int)
    names = [*q_names(bands), *map(error_col, bands), "flags"]
    for name in names:
        if name in final.dtype.names:
            out[name][where] = final[name]
    out["n_iter"][where] += n_draws
    out["n_patch"][where] += 1
    out["is_active"][where] = False
    return out
