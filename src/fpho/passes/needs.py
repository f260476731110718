"""What jobs need, memory and minutes: of a pass by its plan, of a group of images by the cores.

Imports nothing heavy, as rules use it.
"""

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
CURE = "Run the step `plan` of the pass again"


def job_needs(plan: Path, step: int, batch: int, cores: int, attempt: int = 1) -> dict[str, int]:
    """`mem_mb` and `runtime` (minutes) of a step and batch; more for each further attempt.

    UNPLANNED as long as there is no plan, which a workflow does not have when it begins.
    """
    if not plan.is_file():
        return {name: attempt * value for name, value in UNPLANNED.items()}
    shares = planned_shares(plan)
    return shares.get((step, batch), PlannedShare()).needs(cores, attempt)


@dataclass(frozen=True)
class PlannedShare:
    """What the patches of a job take, predicted."""

    seconds: float = 0.0  # of one core
    longest: float = 0.0  # seconds of a patch
    pixels: int = 0  # of the largest patch

    @classmethod
    def of(cls, patches) -> "PlannedShare":
        """Of some patches, each with predicted `seconds` and `pixels`."""
        seconds = [patch.seconds for patch in patches]
        return cls(
            sum(seconds), max(seconds, default=0.0), max((patch.pixels for patch in patches), default=0)
        )

    def needs(self, cores: int, attempt: int = 1) -> dict[str, int]:
        """`mem_mb` and `runtime` (minutes) of a job on some cores; more for each further attempt."""
        wall = START + MARGIN * max(self.longest, self.seconds / cores)
        memory = PROCESS + cores * (PROCESS + PIXEL * self.pixels)
        return {"mem_mb": attempt * round(memory), "runtime": attempt * max(LEAST, int(wall / 60) + 1)}


def image_needs(cores: int, attempt: int = 1) -> dict[str, int]:
    """The same of a group of images, which processes share that hold an image each."""
    return {"mem_mb": attempt * cores * IMAGE["mem_mb"], "runtime": attempt * IMAGE["runtime"]}


def planned_jobs(plan: Path) -> list[tuple[int, int]]:
    """(Step, batch) of all jobs of a pass, in order; none as long as there is no plan."""
    return list(planned_shares(plan)) if plan.is_file() else []


def planned_shares(plan: Path) -> dict[tuple[int, int], PlannedShare]:
    """What each (step, batch) of a plan takes that has patches; read once, as long as the file stays.

    Raises
    ------
    InputError
        If the file is damaged.
    """
    with open(plan, "rb") as stream:  # what another machine wrote, NFS tells who opens a file
        return _shares(str(plan), os.fstat(stream.fileno()).st_mtime_ns)


@lru_cache(maxsize=4)
def _shares(plan: str, mtime_ns: int) -> dict[tuple[int, int], PlannedShare]:
    import numpy as np

    from .. import hdf5  # only here, where there is a plan

    with hdf5.reading(plan, CURE, ours=True) as file:
        turns = file["turns"][:]
        every, all_pixels = turns["seconds"], file["places"]["pixels"][turns["place"]]
    jobs, job = np.unique(turns[["step", "batch"]], return_inverse=True)
    out = {}
    for k, numbers in enumerate(jobs.tolist()):
        seconds, pixels = every[job == k], all_pixels[job == k]
        out[numbers] = PlannedShare(float(seconds.sum()), float(seconds.max()), int(pixels.max()))
    return out
