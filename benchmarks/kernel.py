"""The kernel's figures: python benchmarks/kernel.py [--repeat N] [--no-plain]

One thread is timed by its own processor time (other work on the machine then counts only through
caches), several threads by the wall clock; least of N runs, kernel and plain loop in turns.
"""

import argparse
import os
import re
import subprocess
import sys
import time

import llvmlite.binding as llvm
import numpy as np
import plain
import scenes
from numba import njit

from fpho.kernel import cpu, loops

NOMINAL = 20  # fused multiply-adds per surviving pair: 3 quadratic form, 9 exponential, 1 model, 7 sums


def least(function, repeat, clock=time.thread_time) -> float:
    """Seconds of the quickest of some runs, after one that does not count."""
    function()
    times = []
    for _ in range(repeat):
        begin = clock()
        function()
        times.append(clock() - begin)
    return min(times)


@njit(fastmath=True)
def multiply_add(values, n):
    for _ in range(n):
        for i in range(96):
            values[i] = values[i] * np.float32(1.0000001) + np.float32(1e-9)


def peak() -> float:
    """Measured float32 fused multiply-adds per second of one core."""
    values, n = np.ones(96, np.float32), 100_000
    return 96 * n / least(lambda: multiply_add(values, n), 20)


def code_of(function, *values) -> str:
    """Machine code of one function of the kernel, compiled alone."""
    fresh = njit(function.py_func, error_model="numpy", nogil=True, _nrt=False)
    fresh(*values)
    return next(iter(fresh.inspect_asm().values()))


def vector_code() -> str:
    """Registers that the machine code of the exponentials uses, against the host's."""
    given, many = np.zeros(loops.GIVEN, np.float32), np.zeros(loops.EXPO, np.float32)
    grids, zero, live = np.zeros(loops.LEVEL, np.float32), np.float32(0), np.zeros(1, np.int32)
    calls = (
        (loops.start, (given, many, live, 0, 1, zero, zero)),
        (loops.row_by_exponentials, (given, many, live, 0, 1, zero, zero, 0, 0, grids)),
    )
    found = []
    for function, values in calls:
        lines = code_of(function, *values).splitlines()
        shifts = [line for line in lines if re.search(r"\bv?pslld\b|\bshl\b.*\.4s", line)]
        widths = [512 if "zmm" in s else 256 if "ymm" in s else 128 for s in shifts]  # 2^i made of its bits
        found.append(
            f"{function.__name__}: {len(shifts)} exponent shifts, widest {max(widths, default=0)} bit"
        )
    features = llvm.get_host_cpu_features()
    host = 512 if features.get("avx512f") else 256 if features.get("avx2") else 128
    return "; ".join(found) + f"; processor ({llvm.get_host_cpu_name()}): {host} bit"


def second_process() -> float:
    """Seconds from the start of a new Python to its first gradient, compiled code taken from disk."""
    code = (
        "import scenes; p, s = scenes.make_scene('1 source'); from fpho.kernel import cpu; cpu.evaluate(p, s)"
    )
    here = os.path.dirname(os.path.abspath(__file__))
    return least(
        lambda: subprocess.run([sys.executable, "-c", code], cwd=here, check=True), 2, time.perf_counter
    )


def measure(name, fma_peak, repeat, with_plain):
    """Prints the figures of one scene."""
    patch, state = scenes.make_scene(name)
    cpu.set_threads(1)
    gaussians = int((state.profile_count * patch.psf_count[0]).sum())
    pairs = patch.data.size * gaussians
    seconds, slow, survive = np.inf, np.inf, np.nan
    for _ in range(3):
        seconds = min(seconds, least(lambda: cpu.evaluate(patch, state), repeat))
        if with_plain:
            plain.evaluate(patch, state, [0])
            begin = time.thread_time()
            _, survive = plain.evaluate(patch, state, range(patch.n_exposures))
            slow = min(slow, time.thread_time() - begin)
    print(f"\n{name}: {patch.n_exposures} exposures, {patch.data.size} pixels, {pairs:.3g} pairs")
    print(f"  {gaussians} Gaussians per exposure, {1e9 * seconds / pairs:.4f} ns per pair")
    print(f"  one evaluation {1e3 * seconds:.3f} ms, {1 / seconds:.1f} per second")
    if with_plain:
        print(f"  surviving pairs (6 sigma) {survive / pairs:.3f}; {1e9 * seconds / survive:.3f} ns for each")
        share = NOMINAL * survive / seconds / fma_peak
        print(f"  {NOMINAL} multiply-adds for each would be {share:.2f} of the measured peak")
        print(f"  plain scalar loop {1e3 * slow:.1f} ms, {1e9 * slow / survive:.1f} ns per surviving pair")
        print(f"  RATIO {slow / seconds:.1f}")
    print(f"  Fisher matrix {least(lambda: cpu.fisher(patch, state), 2) / seconds:.1f} evaluations")
    walls = {}
    for threads in sorted({1, 2, os.cpu_count()}):
        cpu.set_threads(threads)
        walls[threads] = least(lambda: cpu.evaluate(patch, state), 2 * repeat, time.perf_counter)
    cpu.set_threads(1)
    print("  threads: " + ", ".join(f"{n}: {1e3 * w:.2f} ms ({walls[1] / w:.2f})" for n, w in walls.items()))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=10)
    parser.add_argument("--no-plain", action="store_true")
    options = parser.parse_args()
    fma_peak = peak()
    print(f"measured peak {fma_peak / 1e9:.1f} G multiply-adds per second; load {os.getloadavg()[0]:.1f}")
    print(vector_code())
    print(f"second process, start to first gradient: {second_process():.2f} s")
    for name in scenes.SCENES:
        measure(name, fma_peak, options.repeat, not options.no_plain)


if __name__ == "__main__":
    main()
