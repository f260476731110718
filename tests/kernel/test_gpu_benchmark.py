"""The scripts for a card run: in the simulator on a few tiles, and without a card they stop at once."""

import os
import subprocess
import sys
from pathlib import Path

from tests.kernel.backends import CARD

TOP = Path(__file__).resolve().parents[2]


RUN = """
import runpy, sys
{before}
for name, *sys.argv[1:] in {scripts}:
    runpy.run_path(name, run_name="__main__")
"""
QUICK = ["kernel.py", "--backend", "gpu", "--quick"]
TURNS = "from tests.kernel.simulator import take_turns; take_turns()"


def run(*scripts, before="", **environment):
    """Scripts of `benchmarks`, one after the other, in a process of their own."""
    code = RUN.format(before=before, scripts=scripts)
    paths = os.pathsep.join([str(TOP / "src"), str(TOP), str(TOP / "benchmarks")])
    environment = {**os.environ, "PYTHONPATH": paths, **environment}
    command = [sys.executable, "-c", code]
    return subprocess.run(command, cwd=TOP / "benchmarks", env=environment, capture_output=True, text=True)


def test_they_run():
    """The benchmark, and what a memory checker runs."""
    simulated = {} if CARD else {"before": TURNS, "NUMBA_ENABLE_CUDASIM": "1"}
    done = run(QUICK, ["gpu_small.py"], **simulated)
    assert done.returncode == 0, done.stderr
    for words in (
        "measured peak",
        "copies",
        "set_up",
        "results out",
        "CPU, 1 threads",
        "in one batch",
        "all kernels",
    ):
        assert words in done.stdout


def test_without_a_gpu_it_says_so():
    done = run(QUICK, CUDA_VISIBLE_DEVICES="", NUMBA_ENABLE_CUDASIM="0")
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert done.stderr.startswith("kernel.py: kernel gpu: ") and "pip install" in done.stderr
