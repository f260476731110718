"""Vectors of numba and the loops made of them, on this processor and on one without its special registers."""

import os
import re
import subprocess
import sys

import llvmlite.binding as llvm
import numpy as np
import pytest
from numba import njit

from fpho.kernel import loops
from fpho.kernel.lanes import first_lane, lane_sums, lanes_within, put_lanes, transposed
from fpho.kernel.subnormals import restored, without_subnormals
from fpho.kernel.vectors import LANES, ROWS, if_positive, load, store


@njit
def arithmetic(a, b, rows):
    """One of everything: numbers beside vectors, sums over lanes, choices, bits."""
    x, y = load(a, 0), load(b, 0)
    store(rows, 0, -x * 2.0 + y / 4 - (1 - x))
    store(rows, LANES, lane_sums(x, y, x * y, x + 1, y + 1, x - 1, y - 1, x - y))
    store(rows, 2 * LANES, if_positive(y, x))
    return lanes_within(x, y), first_lane(96)


def check_vectors():
    rng = np.random.default_rng(0)
    a, b = rng.normal(0, 1, (2, LANES)).astype("f4")
    a[1], b[2] = np.nan, np.nan
    rows = np.zeros(3 * LANES, "f4")
    bits, lane = arithmetic(a, b, rows)
    np.testing.assert_allclose(rows[:LANES], -a * 2 + b / 4 - (1 - a), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(rows[2 * LANES :], np.where(b > 0, a, 0))
    assert bits == sum(1 << i for i in range(LANES) if not a[i] > b[i]) and lane == 5
    a[1], b[2] = 0, 0
    arithmetic(a, b, rows)
    expected = [v.sum() for v in (a, b, a * b, a + 1, b + 1, a - 1, b - 1, a - b)]
    np.testing.assert_allclose(rows[LANES : LANES + 8], expected, rtol=1e-5, atol=1e-5)


@njit
def moved(rows, listed):
    """Rows and columns exchanged; the lanes of 0b10100110 noted from the second place on."""
    turned = transposed(
        load(rows, 0), load(rows, 8), load(rows, 16), load(rows, 24),
        load(rows, 32), load(rows, 40), load(rows, 48), load(rows, 56),
    )  # fmt: skip
    for i in range(8):
        store(rows, 8 * i, turned[i])
    return put_lanes(listed, 1, 0b10100110, 16)


def check_moves():
    rows, listed = np.arange(64, dtype="f4"), np.zeros(1 + LANES, "i4")
    assert moved(rows, listed) == 4
    np.testing.assert_array_equal(rows.reshape(8, 8), np.arange(64).reshape(8, 8).T)
    np.testing.assert_array_equal(listed[:5], [0, 17, 18, 21, 23])


def check_loops():
    """A block of Gaussians on a tile: model by recurrences and by exponentials, and the six sums.

    5e-6 is the bound of `cpu.Shortcuts.step_limit`; a wrong step shows as 1e-2 or more.
    """
    rng = np.random.default_rng(1)
    given = np.zeros((11, LANES), "f4")
    given[:2] = rng.uniform(-6, 6, (2, LANES))
    given[2:4], given[4], given[5] = rng.uniform(0.05, 0.8, (2, LANES)), 0.04, rng.uniform(1, 2, LANES)
    live, flat, zero = np.zeros(1, "i4"), given.reshape(-1), np.float32(0)
    loops.ratios(flat, 0)
    y, x = np.mgrid[:8, :8] - 4.0
    dx, dy = (given[i, :, None, None].astype("f8") + v for i, v in enumerate((x, y)))
    fxx, fyy, fxy, amplitude = given[2:6, :, None, None].astype("f8")
    value = np.exp(-0.5 * (fxx * dx**2 + 2 * fxy * dx * dy + fyy * dy**2))
    residual = rng.normal(0, 1, (8, 8)).astype("f4")
    powers = np.stack([dx**0, dx, dy, dx**2, dy**2, dx * dy])
    for by_steps in (True, False):
        spine, expo = np.zeros(loops.SPINE, "f4"), np.zeros(loops.EXPO, "f4")
        grids, totals = np.zeros(loops.LEVEL, "f4"), np.zeros((6, LANES), "f4")
        grids[loops.RESIDUAL : loops.RESIDUAL + 64] = residual.ravel()
        loops.list_model(flat, spine, expo, live, 0, 1, by_steps, zero, zero, 0, grids)
        model = grids[loops.MODEL : loops.MODEL + 64].reshape(8, 8)
        np.testing.assert_allclose(model, (amplitude * value).sum(axis=0), atol=5e-6 * LANES)
        kept = expo.reshape(loops.STRIPS, 8, ROWS, LANES).transpose(3, 0, 2, 1)
        rows = [[loops.row_below.py_func(s), loops.row_above.py_func(s)][:ROWS] for s in range(loops.STRIPS)]
        np.testing.assert_allclose(kept, value[:, rows], atol=5e-6)
        loops.list_sums(
            flat, expo, live, 0, 1, zero, zero, 0, grids, np.zeros(loops.EXPO, "f4"), totals.reshape(-1)
        )
        expected = (powers * value * residual).sum(axis=(2, 3))
        np.testing.assert_allclose(totals, expected, atol=2e-5 * np.abs(expected).max())


@njit
def scaled(x, factor):
    """x * factor without subnormal numbers, and as usual after that."""
    mode = without_subnormals()
    inside = x[0] * factor
    restored(mode)
    return inside, x[0] * factor + x[1]


@pytest.mark.skipif(os.uname().machine not in ("x86_64", "AMD64"), reason="others are left as they are")
def test_without_subnormals():
    """They are zero inside and come back: the kernel must not change other arithmetic of its thread."""
    x, tenth = np.array([1e-37, 1e-40], "f4"), np.float32(1e-2)
    inside, after = scaled(x, tenth)
    assert inside == 0 and after > 1e-39
    assert np.float32(1e-37) * tenth > 0


def test_vectors():
    check_vectors()


def test_moves():
    check_moves()


def test_loops():
    check_loops()


@pytest.mark.skipif(os.uname().machine not in ("x86_64", "AMD64"), reason="names a processor of that family")
def test_processor_without_wide_registers():
    """The same on the oldest processor of the family: SSE2 only, no fused multiplications."""
    root = os.path.dirname(os.path.dirname(os.path.dirname(__file__)))
    env = {**os.environ, "NUMBA_CPU_NAME": "x86-64", "NUMBA_CPU_FEATURES": "+sse2"}
    code = (
        "from fpho.kernel.vectors import FEATURES; from tests.kernel.test_vectors import *; "
        "check_vectors(); check_moves(); check_loops(); print(FEATURES)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=root, env=env, capture_output=True, text=True)
    assert done.stdout.split() == ["+sse2"], done.stderr


WIDE = """
import numba.core.codegen as codegen
host = codegen.get_host_cpu_features
codegen.get_host_cpu_features = lambda: host() + ",+avx512f"
from fpho.kernel.vectors import ROWS
codegen.get_host_cpu_features = host
from tests.kernel.test_vectors import *
check_vectors(); check_moves(); check_loops(); print(ROWS)
"""


def test_strips_of_two_rows(tmp_path):
    """The loops as AVX-512 has them; a processor without it takes two instructions for one."""
    root = os.path.dirname(os.path.dirname(os.path.dirname(__file__)))
    env = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", WIDE], cwd=root, env=env, capture_output=True, text=True)
    assert done.stdout.split() == ["2"], done.stderr


def test_code_for_arm():
    """The pixel loops' LLVM code names no instruction of one family, and Arm takes it in vectors of four."""
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    grids, flat, zero = np.zeros(loops.LEVEL, "f4"), np.zeros(loops.EXPO, "f4"), np.float32(0)
    fresh = njit(loops.strip_by_exponentials.py_func, error_model="numpy", _nrt=False)
    fresh(flat, flat, np.zeros(1, "i4"), 0, 1, zero, zero, 0, 0, grids)
    code = next(iter(fresh.inspect_llvm().values()))
    assert "llvm.x86" not in code
    code = re.sub(r'target (triple|datalayout) = "[^"]*"\n', "", code)
    target = llvm.Target.from_triple("aarch64-unknown-linux-gnu")
    machine = target.create_target_machine(cpu="neoverse-n1", opt=3)
    assembly = machine.emit_assembly(llvm.parse_assembly(code))
    assert len(re.findall(r"\bfmla\s+v\d+\.4s", assembly)) > 20
