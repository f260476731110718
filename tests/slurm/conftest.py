"""A Slurm, where there is one."""

import os
import shutil
import subprocess
import sys

import pytest

from tests.conftest import TOP
from tests.needs import needed

sys.path.append(str(TOP / "benchmarks"))  # its programs know each other by their names alone


@pytest.fixture(scope="session")
def slurm():
    """A partition `debug` that takes jobs at once; where `SLURM_STARTED` is set it has to be there."""
    needed("snakemake_executor_plugin_slurm")
    leave = pytest.fail if os.environ.get("SLURM_STARTED") else pytest.skip
    if not shutil.which("srun"):
        leave("needs Slurm: tests/slurm/one_node start")
    try:
        subprocess.run(["srun", "-p", "debug", "-I20", "true"], check=True, capture_output=True, timeout=30)
    except subprocess.SubprocessError as error:
        leave(f"needs a Slurm whose partition `debug` takes jobs: {error}")
