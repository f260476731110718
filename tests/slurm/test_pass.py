"""A pass through a real Slurm, jobs requeued and cancelled: bit for bit the states of this machine alone.

Left out where there is no Slurm; `tests/slurm/one_node start` makes one of this machine, `tests/slurm/run`
takes whole runs through it.
"""

import shutil
import time

import pytest
import yaml
from processes import Workflow
from slurm_jobs import HOWS, SlurmWorkflow, disturb, running
from snapshots import digest

OPTIONS = {
    "outdir": "out",
    "simulate": {"scene": "tiny"},
    "psf": {"n_components": 2, "max_components": 2},
    "patches": {"maxactive_per_patch": 1, "strict": False},
    "optimize": {"rounds": 1},
}
OFTEN = ("--slurm-init-seconds-before-status-checks", 1)


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    """A folder with all that the first optimization needs."""
    folder = tmp_path_factory.mktemp("begun")
    ended(called(folder, Workflow, "scene", 1))
    return folder


def called(folder, program, target: str, batches: int, *more):
    """The workflow, up to a stage."""
    config = folder / "tiny.yaml"
    config.write_text(yaml.safe_dump(OPTIONS | {"workflow": {"batches": batches, "job_seconds": 0}}))
    return program(folder, config, *more, "--", target)


def ended(program) -> None:
    status = program.wait()
    assert status == 0, program.text


def test_jobs_that_are_requeued_and_cancelled_change_nothing(slurm, begun, tmp_path):
    there = shutil.copytree(begun, tmp_path / "there", symlinks=True)
    program, done = called(there, SlurmWorkflow, "optimize", 2, *OFTEN), []
    while program.runs and len(done) < len(HOWS):
        batches = [job for job, rule in running().items() if rule.startswith("batch") and job not in done]
        done += [job for job in batches[:1] if disturb(job, HOWS[len(done)])]
        time.sleep(0.1)
    ended(program)
    ended(called(begun, Workflow, "optimize", 1))
    assert len(done) == len(HOWS), program.text
    states = [folder / "out" / "scene" / "optimize.fits" for folder in (begun, there)]
    assert digest(states[0]) == digest(states[1])
