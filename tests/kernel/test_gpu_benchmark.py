"""The benchmark of the GPU runs: in the simulator on one tile, and without a card it stops at once."""

import os
import subprocess
import sys
from pathlib import Path

from tests.kernel.backends import CARD

TOP = Path(__file__).resolve().parents[2]


def benchmark(**environment):
    command = [sys.executable, "kernel.py", "--backend", "gpu", "--quick"]
    environment = {**os.environ, "PYTHONPATH": str(TOP / "src"), **environment}
    return subprocess.run(
        command, cwd=TOP / "benchmarks", env=environment, capture_output=True, text=True, timeout=900
    )


def test_it_runs():
    done = benchmark(**({} if CARD else {"NUMBA_ENABLE_CUDASIM": "1"}))
    assert done.returncode == 0, done.stderr
    for words in ("measured peak", "copies", "set_up", "results out", "CPU, 1 threads", "in one batch"):
        assert words in done.stdout


def test_without_a_gpu_it_says_so():
    done = benchmark(CUDA_VISIBLE_DEVICES="", NUMBA_ENABLE_CUDASIM="0")
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert done.stderr.startswith("kernel.py: kernel gpu: ") and "pip install" in done.stderr
