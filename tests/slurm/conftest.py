"""A Slurm, where there is one."""

import shutil
import subprocess
import sys

import pytest

from tests.conftest import TOP

sys.path.append(str(TOP / "benchmarks"))  # its programs know each other by their names alone


@pytest.fixture(scope="session")
def slurm():
    """A partition `debug` that takes jobs at once."""
    pytest.importorskip("snakemake_executor_plugin_slurm", reason="needs pip install 'fpho[slurm]'")
    if not shutil.which("srun"):
        pytest.skip("needs Slurm: tests/slurm/one_node start")
    try:
        subprocess.run(["srun", "-p", "debug", "-I20", "true"], check=True, capture_output=True, timeout=30)
    except subprocess.SubprocessError as error:
        pytest.skip(f"needs a Slurm whose partition `debug` takes jobs: {error}")
