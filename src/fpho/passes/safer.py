"""A second attempt at a patch whose fit failed, with settings that are slower and need less to go well."""

from dataclasses import replace

from ..config import with_values
from .tasks import PatchTask

# By stage: section, option, and its safer value. BFGS needs no Fisher matrix; `split` no learnt forces.
SAFER = {
    "optimize": ("optimize", "method", "bfgs"),
    "reoptimize": ("optimize", "method", "bfgs"),
    "sample": ("sample", "sampler", "split"),
}


def safer(task: PatchTask) -> PatchTask | None:
    """The same patch with safer settings; None if it had them. It does not go on from check-points."""
    section, name, value = SAFER[task.stage]
    if getattr(getattr(task.config, section), name) == value:
        return None
    config = with_values(task.config, section, **{name: value})
    return replace(task, config=config, checkpoint=f"{task.checkpoint}.safer" if task.checkpoint else "")


def words(task: PatchTask) -> str:
    """What was safer, for logs."""
    section, name, value = SAFER[task.stage]
    return f"{section}.{name}: {value}"
