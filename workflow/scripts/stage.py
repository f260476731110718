"""A job: the stage that the rule names, or a part of it, with the rule's options, cores and log."""

import os
import sys
from pathlib import Path


def use_checkout():
    """The code of this workflow, even if another is installed; also for processes that are started."""
    source = Path(__file__).resolve().parents[2] / "src"
    if (source / "fpho").is_dir():
        sys.path.insert(0, str(source))
        others = os.environ.get("PYTHONPATH")
        os.environ["PYTHONPATH"] = os.pathsep.join([str(source), *([others] if others else [])])


def main(job):
    use_checkout()
    from fpho.faults import end_with_program

    end_with_program("snakemake")  # killed, it can't tell its jobs; before all that takes time
    from fpho.stages.running import run_job

    which = {
        name: int(value) for name, value in job.wildcards.items() if name in ("colour", "batch", "group")
    }
    run_job(job.params.stage, job.config, job.threads, job.log[0], job.params.part, **which)


if __name__ == "__main__":  # worker processes import this file too
    main(snakemake)  # noqa: F821
