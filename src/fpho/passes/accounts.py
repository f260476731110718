"""Count in = count out: every patch of the plan comes back once, with its own sources, and none is lost."""

from collections import Counter

import numpy as np

from ..errors import InputError
from ..flags import Flag
from .outcomes import Share
from .plan import Plan


def check_share(share: Share, plan: Plan, places: np.ndarray, rows, where) -> None:
    """Stop unless a share of a pass has the patches at some places of the plan, each once, with its sources.

    Raises
    ------
    InputError
        With what is missing, double or foreign; `where` names the file.
    """
    check_numbers(share.patches, places, where)
    active, counts = plan.active(share.patches)
    if np.array_equal(counts, share.counts):
        differ = np.flatnonzero(rows["source_index"][active] != share.rows["source_index"])
        if not len(differ):
            return
        first = np.searchsorted(np.cumsum(counts), differ[0], side="right")
    else:
        first = np.flatnonzero(counts != share.counts)[0]
    found = f"patch {share.patches[first]} has other sources than the plan says"
    raise InputError(where, found, "Delete this file and run the same command again")


def check_numbers(numbers, wanted, where) -> None:
    """Stop unless the numbers of patches are those that are wanted, each once."""
    came, wanted = Counter(np.asarray(numbers).tolist()), set(np.asarray(wanted).tolist())
    lost, foreign = sorted(wanted - set(came)), sorted(set(came) - wanted)
    double = sorted(number for number, n in came.items() if n > 1)
    words = [
        f"{text} {', '.join(map(str, some[:5]))}{' ...' if len(some) > 5 else ''}"
        for text, some in (("no patch", lost), ("twice patch", double), ("of another plan: patch", foreign))
        if some
    ]
    if words:
        raise InputError(where, "; ".join(words), "Delete this file and run the same command again")


def check_sources(before: np.ndarray, after: np.ndarray, where) -> None:
    """Stop unless the sources that went in came out, in their order."""
    if not np.array_equal(before["source_index"], after["source_index"]):
        found = f"{len(before)} sources went in and {len(after)}, or others, came out"
        raise InputError(where, found, "Delete this file and run the same command again")


def check_cover(plan: Plan, rows: np.ndarray, where) -> None:
    """Stop unless every valid source is active in a patch of the plan."""
    covered = np.zeros(len(rows), bool)
    covered[plan.columns.lists["active"].values] = True
    lost = rows["source_index"][rows["is_valid"] & ~covered]
    if len(lost):
        found = f"{len(lost)} sources are in no patch, the first with index {lost[0]}"
        raise InputError(where, found, "Delete this file and run the same command again")


def without_draws(rows: np.ndarray) -> np.ndarray:
    """Rows with NO_DRAWS where a source has none: its patch failed, or it is not valid."""
    out = rows.copy()
    none = out["n_iter"] == 0
    out["flags"] = np.where(none, out["flags"] | int(Flag.NO_DRAWS), out["flags"] & ~int(Flag.NO_DRAWS))
    return out
