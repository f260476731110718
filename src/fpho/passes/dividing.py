"""When patches of a pass run: in rounds, in steps one after the other, in batches at the same time."""

import numpy as np


def divided(colours, seconds, start: float, n_batches: int) -> tuple[np.ndarray, np.ndarray]:
    """(step, batch) of each patch (P,), such that the pass ends soonest; a step begins after `start` seconds.

    A step is one colour, or several with little work, which one batch has in order. A colour is shared by at
    most `n_batches` batches, and by no more than have work for `start` seconds each.
    """
    work = np.bincount(colours, weights=seconds) if len(colours) else np.zeros(1)
    shares = _shares(work, start, n_batches)
    ends = _steps(work, shares, start)
    steps = np.searchsorted(ends, colours, side="right")
    shares = np.where(np.diff([0, *ends]) > 1, 1, shares[np.array(ends) - 1])
    return steps, _batches(steps, seconds, shares)


def _shares(work, start: float, n_batches: int) -> np.ndarray:
    """Batches (C,) of each colour, if it is a step; `work`: seconds (C,), of one core."""
    if start == 0:
        return np.full(len(work), n_batches)
    return np.clip(np.ceil(work / start), 1, n_batches).astype(int)


def _steps(work, shares, start: float) -> np.ndarray:
    """For each step the first colour after it.

    By dynamic programming: `best[c]` is the least time in which the first `c` colours are done.
    """
    n, total = len(work), np.concatenate([[0.0], np.cumsum(work)])
    best, came = np.zeros(n + 1), np.zeros(n + 1, int)
    for end in range(1, n + 1):
        times = best[:end] + start + (total[end] - total[:end])
        times[-1] = best[end - 1] + start + work[end - 1] / shares[end - 1]
        came[end] = np.argmin(times)
        best[end] = times[came[end]]
    ends = [n]
    while came[ends[-1]] > 0:
        ends.append(int(came[ends[-1]]))
    return np.array(ends[::-1])


def _batches(steps, costs, shares) -> np.ndarray:
    """Batch of each patch: runs of neighbours of about equal cost, `shares` of each step."""
    batches, costs = np.zeros(len(steps), int), np.asarray(costs, "f8")
    for step in np.unique(steps):
        some = np.flatnonzero(steps == step)
        done = np.cumsum(costs[some]) - 0.5 * costs[some]
        batches[some] = (done / costs[some].sum() * shares[step]).astype(int)
    return batches


def repeat_rounds(colours, again, rounds: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(part, colour, round) of each patch of a pass: all once, those of `again` in further rounds."""
    which, out = [np.arange(len(colours))], [colours]
    _, compact = np.unique(colours[again], return_inverse=True)
    for _ in range(rounds - 1 if len(again) else 0):
        out.append(compact + out[-1].max() + 1)
        which.append(again)
    turns = np.repeat(np.arange(len(which)), [len(some) for some in which])
    return np.concatenate(which), np.concatenate(out), turns


def latest_before(which, colours, others) -> list[dict]:
    """Of each patch the number of the same part's patch in the round before, where there is one.

    And the numbers of the latest patches of the parts in `others`, a list for each part; None: of none.
    """
    out: list[dict] = [{}] * len(which)
    latest: dict[int, int] = {}
    order = np.argsort(colours, kind="stable")
    for some in np.split(order, np.flatnonzero(np.diff(colours[order])) + 1):
        for index in some:
            part = int(which[index])
            if part in latest:
                near = [] if others is None else [latest[int(j)] for j in others[part] if int(j) in latest]
                out[index] = {"previous": latest[part], "neighbours": tuple(near)}
        latest |= {int(which[index]): int(index) for index in some}
    return out
