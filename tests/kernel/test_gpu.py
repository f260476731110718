"""The GPU backend where no GPU is: in numba's CUDA simulator, and compiled to PTX."""

import os
import re
import subprocess
import sys
import types as python_types
from pathlib import Path

import pytest

from fpho.kernel.gpu import compiling
from tests.kernel.backends import CARD
from tests.needs import needed

TOP = Path(__file__).resolve().parents[2]
SHARED = [f"test_{name}.py" for name in ("agreement", "edges", "gradient", "batches")]  # with the CPU


def run_tests(*files, **environment):
    """Number of tests passed, in a process of their own: the simulator is chosen when numba is imported."""
    paths = os.pathsep.join([str(TOP / "src"), str(TOP)])
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    files = [str(TOP / "tests" / "kernel" / name) for name in files]
    command = [sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", *files]
    done = subprocess.run(
        command, cwd=TOP, env={**kept, "PYTHONPATH": paths, **environment}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert not re.search("skipped|xfailed|deselected", done.stdout), done.stdout
    return int(re.search(r"(\d+) passed", done.stdout)[1])


def test_simulator():
    assert run_tests(*SHARED, "gpu_only.py", NUMBA_ENABLE_CUDASIM="1") > 30


@pytest.mark.skipif(not CARD, reason="no NVIDIA driver, so no card")
def test_card():
    """The files of SHARED take the card by themselves."""
    assert run_tests("gpu_only.py") > 5


def test_without_a_gpu_it_says_what_is_missing():
    code = (
        "from fpho.kernel import gpu\n"
        "from tests.kernel.scenes import scene\n"
        "patch, state = scene(0, shape=(8, 8))\n"
        "gpu.evaluate(patch, state)\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(TOP / "src"), str(TOP)])}
    environment |= {"CUDA_VISIBLE_DEVICES": "", "NUMBA_ENABLE_CUDASIM": "0"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=TOP, env=environment, capture_output=True, text=True
    )
    assert "InputError: kernel gpu" in done.stderr and "pip install" in done.stderr


@pytest.fixture
def compile_ptx(monkeypatch):
    """Function (name of a kernel, numbers it takes, compute capability) -> PTX, without a driver."""
    needed("numba_cuda")
    from numba.cuda import dispatcher

    from fpho.kernel.gpu import adding, images, kernels

    def compile_one(name, scalars, cc):
        device = python_types.SimpleNamespace(compute_capability=cc)
        monkeypatch.setattr(dispatcher, "get_current_device", lambda: device)  # asked for by device functions
        kernel = next(vars(room)[name] for room in (kernels, adding, images) if name in vars(room))
        return compiling.ptx_of(kernel, scalars, cc)[0]

    return compile_one


KERNELS = {
    "set_up": 0,
    "evaluate": 0,
    "draw": 0,
    "finish": 0,
    "collect": 0,
    "derivatives": 3,
}  # numbers taken


@pytest.mark.parametrize("cc", [(8, 0), (9, 0)])
def test_ptx(compile_ptx, cc):
    """All kernels compile; the pixel loops take the hardware's exponential and no float64.

    `ptx_of` looks at the arguments itself: they are what a launch passes.
    """
    for name, scalars in KERNELS.items():
        ptx = compile_ptx(name, scalars, cc)
        assert f".target sm_{cc[0]}{cc[1]}" in ptx and ".visible .entry" in ptx, name
        assert "atom.global" not in ptx, name  # sums have a fixed order
        assert ".extern" not in ptx and ".local" not in ptx, name
        if name in ("evaluate", "draw"):
            assert "ex2.approx" in ptx
            assert not [op for op in ("mul.f64", "mul.rn.f64", "fma.rn.f64") if op in ptx], name


def test_ptx_is_made_once(compile_ptx, monkeypatch, tmp_path):
    """Then read from the disk while code and packages are the same; a folder that is none does no harm."""
    from fpho.kernel.gpu.adding import collect

    made = []
    monkeypatch.setattr(compiling, "ptx_of", lambda *_: made.append(1) or (f"code {len(made)}", "name"))
    monkeypatch.setattr(compiling.config, "CACHE_DIR", str(tmp_path / "cache"))
    for _ in range(2):
        assert compiling.stored(collect, 0, (9, 0)) == ("code 1", "name")
    assert compiling.stored(collect, 0, (8, 0)) == ("code 2", "name")
    monkeypatch.setitem(compiling.BLOCKS_AT_ONCE, "evaluate", 1)
    assert compiling.stored(collect, 0, (9, 0)) == ("code 3", "name")
    (tmp_path / "file").touch()
    monkeypatch.setattr(compiling.config, "CACHE_DIR", str(tmp_path / "file"))
    assert compiling.stored(collect, 0, (9, 0)) == ("code 4", "name")


def test_words_of_an_array_are_where_numba_looks(compile_ptx):
    """The fifth word of an array is its address: the one that code turns into a pointer and loads from."""
    ptx = compile_ptx("collect", 0, (9, 0))
    names = re.search(r"\.entry \w+\(([^)]*)\)", ptx)[1].split(",")
    numbers = {text.split()[-1]: n for n, text in enumerate(names)}
    loaded = dict(re.findall(r"ld\.param\.u64\s+(%rd\d+), \[(\w+)\]", ptx))
    turned = re.findall(r"cvta\.to\.global\.u64\s+%rd\d+, (%rd\d+);", ptx)
    addresses = {numbers[loaded[register]] for register in turned if register in loaded}
    assert addresses and {n % compiling.ARRAY_WORDS for n in addresses} == {4}
