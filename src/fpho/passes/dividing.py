"""When patches of a pass run: in rounds, in steps one after the other, in batches at the same time."""

import numpy as np


def divided(colours, seconds, max_steps: int, n_batches: int) -> tuple[np.ndarray, np.ndarray]:
    """(step, batch) of each patch (P,), such that a pass of at most `max_steps` steps ends soonest.

    A step is one colour, whose patches are shared by all batches, or several, which one batch has in order.
    """
    work = np.bincount(colours, weights=seconds) if len(colours) else np.zeros(1)
    ends = _steps(work, max_steps, n_batches)
    steps = np.searchsorted(ends, colours, side="right")
    batches = _batches(steps, seconds, n_batches)
    several = np.diff([0, *ends]) > 1
    batches[several[steps]] = 0
    return steps, batches


def _steps(work, max_steps: int, n_batches: int) -> np.ndarray:
    """For each step the first colour after it; `work`: seconds (C,) of each colour, of one core.

    By dynamic programming: `best[s, c]` is the least time in which `s` steps do the first `c` colours.
    """
    n, total = len(work), np.concatenate([[0.0], np.cumsum(work)])
    best, came = np.full((max_steps + 1, n + 1), np.inf), np.zeros((max_steps + 1, n + 1), int)
    best[0, 0] = 0.0
    for step in range(1, max_steps + 1):
        for end in range(1, n + 1):
            times = best[step - 1, :end] + (total[end] - total[:end])
            times[-1] = best[step - 1, end - 1] + work[end - 1] / n_batches
            came[step, end] = np.argmin(times)
            best[step, end] = times[came[step, end]]
    step, ends = int(np.argmin(best[:, n])), [n]
    while came[step, ends[-1]] > 0:
        ends.append(int(came[step, ends[-1]]))
        step -= 1
    return np.array(ends[::-1])


def _batches(steps, costs, n_batches: int) -> np.ndarray:
    """Batch of each patch: runs of neighbours of about equal cost, for each step."""
    batches, costs = np.zeros(len(steps), int), np.asarray(costs, "f8")
    for step in np.unique(steps):
        some = np.flatnonzero(steps == step)
        done = np.cumsum(costs[some]) - 0.5 * costs[some]
        batches[some] = (done / costs[some].sum() * n_batches).astype(int)
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
