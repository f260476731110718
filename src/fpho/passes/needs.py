"""What jobs need, memory and minutes: of a pass by its plan, of a group of images by the cores.

Imports nothing heavy, as rules use it.
"""

import json
import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

PROCESS = 350.0  # MB of a worker, and of the job itself
PIXEL = 64e-6  # MB for each pixel of a patch: data, errors, model, and what is kept beside them
START = 60.0  # seconds before the first patch begins
MARGIN = 2.0  # by which a prediction may be wrong
LEAST = 5  # minutes
IMAGE = {"mem_mb": 1500, "runtime": 120}  # of a process that holds an image; of a group of images
UNPLANNED = {"mem_mb": 4000, "runtime": 120}


def job_needs(plan: Path, step: int, batch: int, cores: int, attempt: int = 1) -> dict[str, int]:
    """`mem_mb` and `runtime` (minutes) of a step and batch; more for each further attempt.

    UNPLANNED as long as there is no plan, which a workflow does not have when it begins.
    """
    if not plan.is_file():
        return {name: attempt * value for name, value in UNPLANNED.items()}
    jobs = _jobs(str(plan), os.stat(plan).st_mtime_ns)
    return needs_of(jobs.get((step, batch), []), cores, attempt)


def needs_of(patches, cores: int, attempt: int = 1) -> dict[str, int]:
    """The same of some patches, each with predicted `seconds` and `pixels`."""
    seconds = [patch.seconds for patch in patches]
    wall = START + MARGIN * max(max(seconds, default=0.0), sum(seconds) / cores)
    memory = PROCESS + cores * (PROCESS + PIXEL * max((patch.pixels for patch in patches), default=0))
    return {"mem_mb": attempt * round(memory), "runtime": attempt * max(LEAST, int(wall / 60) + 1)}


def image_needs(cores: int, attempt: int = 1) -> dict[str, int]:
    """The same of a group of images, which processes share that hold an image each."""
    return {"mem_mb": attempt * cores * IMAGE["mem_mb"], "runtime": attempt * IMAGE["runtime"]}


@dataclass(frozen=True)
class _Cost:
    seconds: float
    pixels: int


@lru_cache(maxsize=4)
def _jobs(plan: str, mtime_ns: int) -> dict[tuple[int, int], list[_Cost]]:
    """What the patches of each (step, batch) cost."""
    tree = json.loads(Path(plan).read_text(encoding="utf-8"))
    places = [dict(zip(tree["shared"], values, strict=True)) for values in tree["places"]]
    costs = [_Cost(place["seconds"], place["pixels"]) for place in places]
    out: dict[tuple[int, int], list[_Cost]] = {}
    for place, *values in tree["patches"]:
        own = dict(zip(tree["own"], values, strict=True))
        out.setdefault((own["step"], own["batch"]), []).append(costs[place])
    return out
