"""Snakemake, called as a user calls it, in a folder of its own."""

import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

from tests.conftest import TOP

SNAKEMAKE = [sys.executable, "-m", "snakemake"]


def arguments(*more, config: Path | str = TOP / "config" / "tiny.yaml", cores: int | None = 2) -> list[str]:
    """Of a call with this checkout's workflow and profile; `cores`: None to say none."""
    fixed = ["--snakefile", TOP / "Snakefile", "--profile", TOP / "profiles" / "default"]
    options = ["--configfile", config] if config else []
    some = ["--cores", cores] if cores else []
    return [*map(str, [*fixed, *options, *some, *more])]


def command(*more, **options) -> list[str]:
    """A call, as `arguments` has it."""
    return [*SNAKEMAKE, *arguments(*more, **options)]


def environment() -> dict:
    """The process's environment, with one thread for each numerical library."""
    threads = dict.fromkeys(["NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"], "1")
    return {name: value for name, value in os.environ.items() if name != "FPHO_CONFIG"} | threads


def without_home() -> dict:
    """The same where there is no home and no folder for temporary files is named, as in a container."""
    bare = {"HOME": os.devnull}
    gone = ("TMPDIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "MPLCONFIGDIR")
    return {name: value for name, value in environment().items() if name not in gone} | bare


def snakemake(folder: Path, *arguments, env: dict | None = None, umask: int = -1, **options):
    """Run to the end (`options`: of `command`); the answer has `returncode` and `text` (both streams)."""
    done = subprocess.run(
        command(*arguments, **options),
        cwd=folder,
        env=env or environment(),
        umask=umask,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    done.text = done.stdout
    return done


def planned(text: str) -> dict[str, int]:
    """Jobs of a dry run, from its table: rule and number."""
    table = text.partition("Job stats:")[2].partition("total")[0]
    return {rule: int(number) for rule, number in re.findall(r"^(\w+)\s+(\d+)$", table, re.MULTILINE)}


def started(text: str) -> Counter:
    """Jobs that a run began, by rule: of checkpoints some are known only then."""
    return Counter(re.findall(r"^(?:local)?(?:rule|checkpoint) (\w+):$", text, re.MULTILINE))


def fpho(folder: Path, *arguments):
    """Run the program `fpho`; the answer has `returncode` and `text`."""
    done = subprocess.run(
        [sys.executable, "-m", "fpho", *map(str, arguments)],
        cwd=folder,
        env=environment(),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    done.text = done.stdout
    return done
