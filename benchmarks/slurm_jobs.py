"""The workflow through `profiles/slurm` (a partition `debug`), and what can be done to its jobs."""

import subprocess
import time

from processes import TOP, Workflow

CALL = (
    "--profile", TOP / "profiles" / "slurm", "--jobs", 4, "--slurm-init-seconds-before-status-checks", 5,
    "--default-resources", "slurm_partition=debug", "mem_mb=1000", "runtime=60",
    "--set-threads", "batch=1", "check_images=1", "preprocess_images=1", "scene_images=1",
    "background_images=1",
)  # fmt: skip
HOWS = ("cancelled", "requeued")


class SlurmWorkflow(Workflow):
    """As users of a cluster call it."""

    def __init__(self, folder, config, *more):
        super().__init__(folder, config, *CALL, *asked_for(), *more)


def asked_for() -> tuple[str, ...]:
    """A graphics card for each batch, where nodes offer some; without `kernel: gpu` it is not used."""
    words = ["sinfo", "-h", "-o", "%G"]
    offered = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    return ("--set-resources", "batch:gpu=1") if "gpu" in offered else ()


def running() -> dict[str, str]:
    """Jobs that run, and their rules: `batch_wildcards_sample_0_3`, or the bare name."""
    words = ["squeue", "-h", "-t", "R", "-o", "%i %k"]
    lines = subprocess.run(words, capture_output=True, text=True, check=True).stdout.splitlines()
    pairs = (line.partition(" ")[::2] for line in lines)
    return {job: rule.removeprefix("rule_") for job, rule in pairs}


def disturb(job: str, how: str) -> bool:
    """Cancel or requeue a job; whether it still ran."""
    if how == "cancelled":
        return _done("scancel", "--state=RUNNING", job)
    if not _done("scontrol", "requeue", job):
        return False
    end = time.monotonic() + 30
    while _state(job) != "PD" and time.monotonic() < end:
        time.sleep(0.2)
    _done("scontrol", "update", f"JobId={job}", "StartTime=now")  # Slurm would let it wait for two minutes
    return True


def _state(job: str) -> str:
    words = ["squeue", "-h", "-j", job, "-o", "%t"]
    return subprocess.run(words, capture_output=True, text=True, check=False).stdout.strip()


def _done(*words: str) -> bool:
    return subprocess.run(words, capture_output=True, check=False).returncode == 0
