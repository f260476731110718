"""Which patches are still to be fitted: a dry run of them, which writes nothing."""

from dataclasses import replace
from itertools import groupby

from ..config import Config
from ..layout import Layout
from .batches import make_task
from .identity import task_hash
from .plan import PatchPlan, Plan
from .running import finished, worker
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
    for _, some in groupby(patches, key=lambda patch: patch.colour):
        tasks = [make_task(config, layout, stage, patch, bands, rows, made) for patch in some]
        kept = settled(tasks, past) if past else {}
        waiting = [task.patch for task in tasks if task.patch.index not in kept and not _is_done(task)]
        if waiting:
            return waiting
    return []


def _is_done(task) -> bool:
    return finished(replace(task, identity=task_hash(task, worker(task.stage)))) is not None
