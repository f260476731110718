"""The GPU backend where no GPU is: in numba's CUDA simulator, and compiled to PTX."""

import os
import subprocess
import sys
import types as python_types
from importlib.util import find_spec
from pathlib import Path
from shutil import which

import pytest

from fpho.kernel.gpu.transport import require_gpu

TOP = Path(__file__).resolve().parents[2]


def run_cases(**environment):
    """`gpu_cases` in a process of its own: the simulator is chosen when numba is imported."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(TOP / "src"), str(TOP)]), **environment}
    command = [sys.executable, "-m", "tests.kernel.gpu_cases"]
    done = subprocess.run(command, cwd=TOP, env=environment, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("agrees") == 4


def test_simulator():
    run_cases(NUMBA_ENABLE_CUDASIM="1")


@pytest.mark.skipif(which("nvidia-smi") is None, reason="no NVIDIA driver, so no card")
def test_gpu():
    """On a machine with a card; missing packages are an error there, not a reason to skip."""
    require_gpu()
    run_cases()


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
    """Function (kernel, signature, compute capability) -> PTX, without a driver."""
    if find_spec("numba_cuda") is None:
        if os.environ.get("CI"):
            pytest.fail("numba-cuda is missing: pip install 'fpho[test]'")
        pytest.skip("needs numba-cuda: pip install 'fpho[test]'")
    from numba import cuda
    from numba.cuda import dispatcher

    def compile_one(kernel, signature, cc):
        device = python_types.SimpleNamespace(compute_capability=cc)
        monkeypatch.setattr(dispatcher, "get_current_device", lambda: device)  # asked for by device functions
        return cuda.compile(kernel.py_func, signature, device=False, cc=cc, output="ptx", abi="numba")[0]

    return compile_one


def signatures():
    """Kernels with the types of their arguments."""
    from numba import types

    from fpho.kernel.gpu import images, kernels
    from fpho.kernel.gpu.device import Patch, State

    i1, i4, f4, f8 = types.int8, types.int32, types.float32, types.float64

    def array(kind, n):
        return types.Array(kind, n, "C")

    patch = [(f4, 2)] * 2 + [(i4, 1)] * 2 + [(i4, 2), (i4, 1), (i4, 1)]
    patch += [(f8, 3), (f8, 4), (f8, 2), (i4, 2), (f8, 3), (i4, 1)]
    patch = types.NamedTuple([array(*a) for a in patch], Patch)
    state = types.NamedTuple([array(*a) for a in [(f8, 3), (f8, 4), (i4, 2), (f8, 2)]], State)
    gauss, listed, kept, sums, totals = array(f4, 4), array(i4, 3), array(i1, 3), array(f4, 4), array(f8, 3)
    return {
        "set_up": (kernels.set_up, (patch, state, gauss)),
        "evaluate": (kernels.evaluate, (patch, state, gauss, listed, kept, sums, totals)),
        "draw": (kernels.draw, (patch, state, gauss, listed, kept, array(f4, 2))),
        "finish": (kernels.finish, (patch, state, kept, sums, totals, array(f8, 4))),
        "derivatives": (images.derivatives, (patch, state, gauss, types.int64, types.int64, array(f4, 2))),
    }


@pytest.mark.parametrize("cc", [(8, 0), (9, 0)])
def test_ptx(compile_ptx, cc):
    """All kernels compile; the pixel loops take the hardware's exponential and no float64."""
    for name, (kernel, signature) in signatures().items():
        ptx = compile_ptx(kernel, signature, cc)
        assert f".target sm_{cc[0]}{cc[1]}" in ptx and ".visible .entry" in ptx, name
        assert "atom.global" not in ptx, name  # sums have a fixed order
        if name in ("evaluate", "draw"):
            assert "ex2.approx" in ptx
            assert not [op for op in ("mul.f64", "mul.rn.f64", "fma.rn.f64") if op in ptx], name
