"""Count in = count out: every patch of the plan comes back once, with its own sources, and none is lost."""

from collections import Counter

import numpy as np

from ..errors import InputError
from ..flags import Flag
from .outcomes import PatchOutcome
from .planning import PatchPlan, Plan


def check_outcomes(outcomes: list[PatchOutcome], patches: list[PatchPlan], rows, where) -> None:
    """Stop unless the outcomes are those of the patches, each once and with the patch's sources.

    Raises
    ------
    InputError
        With what is missing, double or foreign; `where` names the file.
    """
    check_numbers([outcome.log.patch for outcome in outcomes], patches, where)
    sources = {patch.index: rows["source_index"][list(patch.active)] for patch in patches}
    for outcome in outcomes:
        number = outcome.log.patch
        if not np.array_equal(outcome.final["source_index"], sources[number]):
            found = f"patch {number} has other sources than the plan says"
            raise InputError(where, found, "Delete this file and run the same command again")


def check_numbers(numbers: list[int], patches: list[PatchPlan], where) -> None:
    """Stop unless the numbers are those of the patches, each once."""
    came, wanted = Counter(numbers), {patch.index for patch in patches}
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
    for patch in plan.patches:
        covered[list(patch.active)] = True
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
