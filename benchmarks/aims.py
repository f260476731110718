"""Moments in the middle of a job of a pass: some of its patches are done, others are not."""

import time
from dataclasses import dataclass
from pathlib import Path

from processes import Workflow

from fpho.layout import Layout
from fpho.passes.plan import read_plan

PASSES = ("optimize", "reoptimize", "sample")


@dataclass(frozen=True)
class Aim:
    """A job with a pool, and the files that tell how far it is."""

    job: str  # the name of its log
    stage: str
    made: Path  # file that is there when it has ended
    grows: Path | None = None  # file to which each patch that is done is added

    def met(self, program: Workflow) -> bool:
        """Wait until the job is at work and has done a part; whether it comes to that."""
        before = None  # size of the file when the job was first seen
        while program.runs and not self.made.exists():
            job, pool = program.at(self.job)
            if not job:
                before = None
            elif self.grows is None:
                if pool:
                    return True
            else:
                size = self.grows.stat().st_size if self.grows.exists() else 0
                before = size if before is None else min(before, size)  # what is torn is cut off
                if size > before:
                    return True
            time.sleep(0.02)
        return False


def aims_of(out: Path, planned: Path, divided: bool) -> list[Aim]:
    """Jobs of several patches, and of the PSFs, of a run in `out` with the plans of a finished one."""
    here, there = Layout(out), Layout(planned)
    found = [Aim("psf", "psf", here.psf_store)]
    for stage in PASSES:
        plan = read_plan(there.plan(stage))
        for step, batch in plan.jobs if divided else [("all", 0)]:
            name = f"{stage}_colour{step}_batch{batch}" if divided else stage
            if len(plan.places(step, batch)) > 1:
                made, grows = here.batch(stage, step, batch), here.records(stage, batch)
                found.append(Aim(name, stage, made, grows))
    return found
