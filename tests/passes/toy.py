"""Stand-ins for the fits of patches: what they return depends on their inputs to the last bit."""

import errno
import os
import signal
import time
from dataclasses import replace

import numpy as np

from fpho.errors import InputError
from fpho.geometry import CircularRegion
from fpho.hdf5 import content_of
from fpho.passes.plan import PatchPlan, Plan
from fpho.passes.tasks import PatchLog, PatchOutcome
from fpho.records import digest_of


def plan_of(jobs) -> Plan:
    """A plan of jobs (step, batch), each with one patch of one source."""
    region = CircularRegion(53.0, -27.0, 1.0)
    numbered = [(k, region, (k,), (), (), step, step, batch, False) for k, (step, batch) in enumerate(jobs)]
    return Plan(tuple(PatchPlan(*one, seconds=1.0) for one in numbered), seed=1)


def fit(task) -> PatchOutcome:
    """Mix each source with its neighbours and the patch's own random numbers."""
    rng = np.random.default_rng(task.seed)
    final = task.active.copy()
    light = task.active["g"].sum() + 0.1 * task.fixed["g"].sum()
    final["g"] = 0.5 * final["g"] + 1e-3 * light + rng.normal(size=len(final))
    final["ra"] = np.mod(final["ra"] + 1e-6 * rng.normal(size=len(final)), 360)
    return PatchOutcome(final, PatchLog(n_draws=8))


def drawn(task) -> PatchOutcome:
    """The same as a sampling, with draws."""
    out = fit(task)
    return with_draws(out, out.final["g"].sum())


def with_draws(out: PatchOutcome, values) -> PatchOutcome:
    """An outcome with what stands for draws."""
    content = content_of(lambda file: file.create_dataset("drawn", data=values))
    log = replace(out.log, sums={"samples": digest_of(content)})
    return replace(out, log=log, contents={"samples": content})


def drawn_at_leisure(task) -> PatchOutcome:
    """The same draws, but what is kept of them says how long they took, which is never the same."""
    out = fit(task)
    return with_draws(out, [out.final["g"].sum(), time.perf_counter()])


def drawn_but_one(task) -> PatchOutcome:
    """Patch 1 raises."""
    if task.patch.index == 1:
        raise ValueError("no such luck")
    return drawn(task)


def slow(task) -> PatchOutcome:
    """The same, with time to be killed in."""
    time.sleep(0.2)
    return fit(task)


def brisk(task) -> PatchOutcome:
    """The same, with some time to be killed in."""
    time.sleep(0.05)
    return fit(task)


def troubled(task) -> PatchOutcome:
    """Patch 1 raises."""
    if task.patch.index == 1:
        raise ValueError("no such luck")
    return fit(task)


def deadly(task) -> PatchOutcome:
    """Patch 1 takes its process down."""
    if task.patch.index == 1 and first(task):
        os.kill(os.getpid(), signal.SIGKILL)
    return fit(task)


def greedy(task) -> PatchOutcome:
    """Patch 1 finds no memory."""
    if task.patch.index == 1 and first(task):
        raise MemoryError
    return fit(task)


def crowded(task) -> PatchOutcome:
    """Patch 1 finds the disk full."""
    if task.patch.index == 1 and first(task):
        raise OSError(errno.ENOSPC, "No space left on device")
    return fit(task)


def first(task) -> bool:
    """Always, or only the first time where the run's folder has a file `passing`, which remembers it."""
    path = task.layout / "passing"
    if not path.exists():
        return True
    before = path.read_text()
    path.write_text("it was")
    return before == ""


def misled(task) -> PatchOutcome:
    """Every patch finds a fault that the user must mend."""
    raise InputError("store.h5", "is not there", "Run `fpho preprocess` first")


def forbidden(task) -> PatchOutcome:
    """For runs in which every patch is finished already."""
    raise AssertionError(f"patch {task.patch.index} was done again")


def restless(task) -> PatchOutcome:
    """Source 0 becomes very bright; the others stay."""
    final = task.active.copy()
    final["g"] = np.where(final["source_index"] == 0, 1e9, final["g"])
    return PatchOutcome(final, PatchLog())


def wants_bfgs(task) -> PatchOutcome:
    """Patch 1 raises, unless it has the safer settings of an optimization."""
    if task.patch.index == 1 and task.config.optimize.method != "bfgs":
        raise ValueError("no such luck")
    return fit(task)


FITTED: list[tuple[int, ...]] = []  # sources of the patches that `still` has seen in this process


def still_of(rows):
    """Rows as they are: who is at the optimum stays there."""
    return rows.copy()


def still(task) -> PatchOutcome:
    """A fit that changes nothing, and is remembered."""
    FITTED.append(task.patch.active)
    return PatchOutcome(still_of(task.active), PatchLog(n_draws=8))


def still_drawn(task) -> PatchOutcome:
    """The same as a sampling, with the patch's own random numbers for draws."""
    values = np.random.default_rng(task.seed).normal(size=4) + task.fixed["g"].sum()
    return with_draws(still(task), values)
