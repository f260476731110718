"""Check-out and check-in: the scene is a value, both return new arrays."""

import numpy as np

from ..parameters import error_col, q_names


def checkout(rows, active, fixed) -> tuple[np.ndarray, np.ndarray]:
    """Copies of the rows of a patch's active and fixed sources, by index."""
    return rows[np.asarray(active, int)].copy(), rows[np.asarray(fixed, int)].copy()


def checkin(rows, final, bands, n_draws=0) -> np.ndarray:
    """A new scene with the parameters, errors and flags of `final` rows, found by `source_index`.

    n_draws : sampling draws that the rows received, one number or one for each.
    """
    out = rows.copy()
    where = places(out, final["source_index"])
    names = [*q_names(bands), *map(error_col, bands), "flags"]
    for name in names:
        if name in final.dtype.names:
            out[name][where] = final[name]
    np.add.at(out["n_iter"], where, n_draws)  # a source may come more than once, in several rounds
    np.add.at(out["n_patch"], where, 1)
    out["is_active"][where] = False
    return out


def places(rows, source_index) -> np.ndarray:
    """Where sources stand in the scene, by `source_index`."""
    wanted = np.atleast_1d(np.asarray(source_index, "i8"))
    order = np.argsort(rows["source_index"], kind="stable")
    where = np.searchsorted(rows["source_index"], wanted, sorter=order)
    found = order[np.minimum(where, len(order) - 1)] if len(order) else where
    if len(wanted) and not (len(order) and np.array_equal(rows["source_index"][found], wanted)):
        raise KeyError("source_index that is not in the scene")
    return found
