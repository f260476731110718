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
from contextlib import ExitStack

import llvmlite.binding as llvm
import numpy as np
import plain
import scenes
from numba import njit

from fpho.kernel import cpu, loops, vectors
from fpho.kernel.vectors import multiply_add, store

TURN = 0.03  # seconds of a turn of `scaling`, at least
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


def multiply_adds(load):
    """A function of 12 independent fused multiply-adds, n times, on vectors as `load` takes them."""

    @njit
    def twelve(values, n):
        x, y = load(values, 0), load(values, 16)
        a, b, c, d = load(values, 32), load(values, 48), load(values, 64), load(values, 80)
        e, f, g, h = load(values, 96), load(values, 112), load(values, 128), load(values, 144)
        i, j, k, m = load(values, 160), load(values, 176), load(values, 192), load(values, 208)
        for _ in range(n):
            a, b, c = multiply_add(a, x, y), multiply_add(b, x, y), multiply_add(c, x, y)
            d, e, f = multiply_add(d, x, y), multiply_add(e, x, y), multiply_add(f, x, y)
            g, h, i = multiply_add(g, x, y), multiply_add(h, x, y), multiply_add(i, x, y)
            j, k, m = multiply_add(j, x, y), multiply_add(k, x, y), multiply_add(m, x, y)
        store(values, 0, a + b + c + d + e + f + g + h + i + j + k + m)

    return twelve


def peak() -> tuple[float, int]:
    """Most float32 fused multiply-adds per second of one core, measured, and the bits of the vectors."""
    found, n = [], 100_000
    for load, lanes in ((vectors.load, vectors.LANES), (vectors.load_strip, vectors.ROWS * vectors.LANES)):
        values, run = np.linspace(0, 0.5, 224, dtype=np.float32), multiply_adds(load)
        found.append((12 * lanes * n / least(lambda run=run, values=values: run(values, n), 20), 32 * lanes))
    return max(found)


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
        (loops.strip_by_exponentials, (given, many, live, 0, 1, zero, zero, 0, 0, grids)),
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
    scaling(patch, state, name, 10 * repeat, max(2, round(TURN / seconds)))


def scaling(patch, state, name, turns, count) -> None:
    """Prints the clock's time of one evaluation on several threads, and of one each in as many processes.

    The processes share nothing but the machine: what they lose is not the kernel's. All take turns of `count`
    evaluations; least and median of the turns.
    """
    counts = sorted({1, 2, os.cpu_count()})
    walls = {threads: [] for threads in counts}
    apart = {n: [] for n in counts if n > 1}
    with ExitStack() as stack:
        others = [stack.enter_context(Other(name, count)) for _ in range(max(counts) - 1)]
        for _ in range(turns):
            for threads in counts:
                cpu.set_threads(threads)
                walls[threads].append(turn(patch, state, count))
            cpu.set_threads(1)
            for n in apart:
                begin = time.perf_counter()
                for other in others[: n - 1]:
                    other.start()
                turn(patch, state, count)
                for other in others[: n - 1]:
                    other.wait()
                apart[n].append((time.perf_counter() - begin) / count / n)
    for label, times in (("threads", walls), ("processes, each its own evaluation", apart)):
        print(f"  {label}: " + ", ".join(against(walls[1], n, t) for n, t in times.items()))


def turn(patch, state, count) -> float:
    """Seconds of one evaluation by the clock, mean of a few."""
    begin = time.perf_counter()
    for _ in range(count):
        cpu.evaluate(patch, state)
    return (time.perf_counter() - begin) / count


def against(one, n, times) -> str:
    ratios = min(one) / min(times), np.median(one) / np.median(times)
    return f"{n}: {1e3 * min(times):.2f} ms ({ratios[0]:.2f}; medians {ratios[1]:.2f})"


class Other:
    """A process that evaluates a scene on one thread, `count` times when asked."""

    def __init__(self, name, count):
        self._call = f"serve({name!r}, {count})"

    def __enter__(self):
        here = os.path.dirname(os.path.abspath(__file__))
        command = [sys.executable, "-c", f"import kernel; kernel.{self._call}"]
        self._process = subprocess.Popen(command, cwd=here, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.wait()
        return self

    def start(self):
        self._process.stdin.write(b"\n")
        self._process.stdin.flush()

    def wait(self):
        if self._process.stdout.readline() != b"done\n":
            raise RuntimeError("the second process ended")

    def __exit__(self, *_):
        self._process.stdin.close()
        self._process.wait()


def serve(name, count) -> None:
    """What an `Other` runs."""
    patch, state = scenes.make_scene(name)
    cpu.set_threads(1)
    cpu.evaluate(patch, state)
    print("done", flush=True)
    for _ in sys.stdin:
        turn(patch, state, count)
        print("done", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=10)
    parser.add_argument("--no-plain", action="store_true")
    parser.add_argument("--backend", choices=("cpu", "gpu"), default="cpu")
    parser.add_argument("--quick", action="store_true", help="gpu: one tile, to see that it runs")
    options = parser.parse_args()
    if options.backend == "gpu":
        import kernel_gpu

        return kernel_gpu.main(options.repeat, options.quick)
    fma_peak, bits = peak()
    print(f"measured peak {fma_peak / 1e9:.1f} G multiply-adds per second ({bits}-bit vectors)")
    print(f"load {os.getloadavg()[0]:.1f}")
    print(vector_code())
    print(f"second process, start to first gradient: {second_process():.2f} s")
    for name in scenes.SCENES:
        measure(name, fma_peak, options.repeat, not options.no_plain)


if __name__ == "__main__":
    main()
