"""Dry runs of the workflow, each in a process of its own that starts with everything imported.

    python -m tests.workflow.dryruns TARGETS < configurations

reads `{name: path of a configuration}` as JSON and prints `{name: what Snakemake said}`. What the first one
imports this process imports, too, and the others begin with that: a third of the time of a command.
"""

import importlib
import json
import os
import sys
import tempfile
from contextlib import suppress

from snakemake.cli import main

from fpho.stages.registry import STAGES
from tests.workflow.running import arguments

IMPORTED = "imported: "


def dry_run(config: str, targets: list[str]) -> None:
    """As `snakemake --dry-run` with a configuration; then the names of all modules that are there."""
    sys.argv = ["snakemake", *arguments("--dry-run", *targets, config=config, cores=1)]
    with suppress(SystemExit):
        main(sys.argv[1:])
    print(f"\n{IMPORTED}{json.dumps(sorted(sys.modules))}", flush=True)


def apart(config: str, targets: list[str]) -> tuple[str, list[str]]:
    """What a dry run says, and the modules that it had, in a process that begins as this one is."""
    with tempfile.TemporaryFile("w+") as said:
        child = os.fork()
        if not child:
            for stream in (1, 2):
                os.dup2(said.fileno(), stream)
            try:
                dry_run(config, targets)
            finally:
                os._exit(0)
        os.waitpid(child, 0)
        said.seek(0)
        text, _, names = said.read().partition(IMPORTED)
    return text, json.loads(names or "[]")


if __name__ == "__main__":
    runs, answers = json.load(sys.stdin), {}
    for name, config in runs.items():
        answers[name], modules = apart(config, sys.argv[1:])
        if len(answers) == 1:
            for module in modules:
                with suppress(ImportError):  # some are made by hand, or of the first run alone
                    importlib.import_module(module)
            for stage in STAGES.values():
                stage.code()  # kept for the process
    print(json.dumps(answers))
