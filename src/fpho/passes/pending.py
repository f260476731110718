"""Which patches are still to be fitted: a dry run of them, which writes nothing."""

from itertools import groupby

from ..config import Config
from ..layout import Layout
from .batches import earlier_of, make_task
from .kept import KeptPatches
from .plan import PatchPlan, Plan
from .running import identified
from .settling import settled
from .tasks import PatchLog


def pending(
    config: Config,
    layout: Layout,
    stage: str,
    made: Plan,
    patches: list[PatchPlan],
    rows,
    bands,
    past: dict[int, PatchLog] | None = None,
) -> list[PatchPlan]:
    """Patches of a plan, of those in order of their colours, that are to be fitted on scene rows (S,).

    They are of the first colour that is not done: what later ones need depends on what comes of it.
    `past`: logs, by number, of the patches of earlier rounds.
    """
    kept, past = KeptPatches.of(layout, stage), dict(past or {})
    for _, some in groupby(patches, key=lambda patch: patch.colour):
        tasks = []
        for patch in some:
            earlier = earlier_of(stage, patch, made, past, kept)
            tasks.append(make_task(config, layout, stage, patch, bands, rows, made, earlier))
        done = settled(tasks, past) if past else {}
        for task in tasks:
            if task.patch.index not in done:
                outcome = kept.outcome(identified(task))
                done |= {} if outcome is None else {task.patch.index: outcome}
        waiting = [task.patch for task in tasks if task.patch.index not in done]
        if waiting:
            return waiting
        past |= {number: outcome.log for number, outcome in done.items()}
    return []
