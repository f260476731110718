"""The GPU kernel's figures: python benchmarks/kernel.py --backend gpu [--repeat N] [--quick]

Peak and bandwidth of the card are measured first, in the same run. Evaluations are timed by the clock (all of
a call, host work included), their parts by events on the device. The CPU's kernel is timed beside it. Numbers
are also compared, so that no figure stands for a wrong result: the run stops where they disagree.

`--quick` is a scene of one tile, to see that this file runs; with NUMBA_ENABLE_CUDASIM=1 without a card.
"""

import dataclasses
import os
import time

import numpy as np
import scenes
from numba import cuda

from fpho.errors import InputError
from fpho.kernel import cpu, gpu
from fpho.kernel.gpu import batch, lane, transport
from fpho.kernel.gpu.compiling import Launcher
from fpho.kernel.gpu.layout import THREADS
from fpho.kernel.gpu.resident import resident

NOMINAL = (
    20  # fused multiply-adds per pair, as in kernel.py: 3 quadratic form, 9 exponential, 1 model, 7 sums
)
CHAINS, DEPTH = 8, 16  # independent chains of multiply-adds in a thread, and how many of each in a round
FACTOR, TERM = np.float32(1.0000001), np.float32(1e-9)
ONE = np.float32(1.0)
BATCHES = (16, 64, 256)
ROUNDS = 8  # evaluations that each lane has in its queue
TARGETS = {
    "15 sources": 0.5e-3,
    "5 sources": 0.1e-3,
    "1 source": 60e-6,
}  # seconds alone, on an H200-class card


@cuda.jit
def multiply_add(patches, work, rounds):
    """CHAINS x DEPTH fused multiply-adds in each round and thread."""
    a = np.float32(cuda.threadIdx.x)
    b, c, d, e, f, g, h = a + ONE, a + TERM, a * TERM, ONE - a, a * a, a * a + ONE, a * a - TERM  # all differ
    i, end = np.uint64(0), np.uint64(rounds)
    while i < end:
        for _ in range(DEPTH):
            a, b, c, d = a * FACTOR + TERM, b * FACTOR + TERM, c * FACTOR + TERM, d * FACTOR + TERM
            e, f, g, h = e * FACTOR + TERM, f * FACTOR + TERM, g * FACTOR + TERM, h * FACTOR + TERM
        i += np.uint64(1)
    work.f4[cuda.grid(1)] = a + b + c + d + e + f + g + h


def on_device(stream, function, repeat) -> float:
    """Seconds on the device of the quickest of some calls, after one that does not count (alone, it does)."""
    times = []
    for _ in range(repeat + 1):
        before = stream.mark()
        function()
        after = stream.mark()
        stream.wait()
        times.append(stream.seconds(before, after))
    return min(times[1:] or times)


def by_clock(function, repeat) -> tuple[float, float]:
    """Least and median seconds of some calls, after one that does not count (alone, it does)."""
    times = []
    for _ in range(repeat + 1):
        begin = time.perf_counter()
        function()
        times.append(time.perf_counter() - begin)
    times = times[1:] or times
    return min(times), float(np.median(times))


def peak(stream, blocks, rounds) -> float:
    """Measured float32 fused multiply-adds per second of the card."""
    memory = transport.Memory(4 * blocks * THREADS, stream)
    launch = Launcher(stream)
    launch.use(memory, memory)
    seconds = on_device(stream, lambda: launch(multiply_add, blocks, THREADS, rounds), 5)
    return blocks * THREADS * rounds * CHAINS * DEPTH / seconds


def bandwidth(stream, size) -> float:
    """Bytes read and written per second by a copy on the device."""
    source, target = transport.Memory(size, stream), transport.Memory(size, stream)
    return 2 * size / on_device(stream, lambda: stream.move(source, target, size), 5)


def proposals(state, n) -> list:
    """States within a percent of one."""
    rng = np.random.default_rng(n)
    factors = rng.uniform(0.99, 1.01, (n, *state.sources.shape))
    return [dataclasses.replace(state, sources=state.sources * f) for f in factors]


def check(patch, state, states) -> None:
    """Alone as in a batch, twice the same, and the CPU's without shortcuts."""
    alone, again = gpu.evaluate(patch, state), gpu.evaluate(patch, state)
    together = gpu.evaluate_many(patch, [state, *states])[0]
    exact = cpu.evaluate(patch, state, cpu.EXACT)
    for a, b, c in zip(alone, again, together, strict=True):
        np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(a, c)
    np.testing.assert_allclose(alone[0], exact[0], rtol=1e-6)
    assert np.abs(alone[1] - exact[1]).max() < 1e-4 * np.abs(exact[1]).max()


def pairs_of(patch, state) -> int:
    """(Pixel, Gaussian) pairs of one evaluation: Gaussians times the pixels of the tiles that they reach."""
    evaluator = batch.evaluator()
    evaluator.evaluate([(patch, [state])])
    first = evaluator.lanes[0]
    table = first.table_of([(patch, [state])])
    run = resident(patch, evaluator.shelf).run(1, state)
    size, n_groups = run.lengths()[5:]
    slot, listed = np.zeros((n_groups, size), np.int32), np.zeros((n_groups, size), np.int32)
    for name, target in (("slot", slot), ("listed", listed)):
        first.stream.read(first.work, table.places[name], target)
    first.stream.wait()
    used = np.arange(size) < (slot > 0).sum(axis=1)[:, None]
    return 64 * int(np.bitwise_count(listed[used] & 15).sum())


def split(patch, part, repeat) -> dict:
    """Seconds on the device of each step of one part of a batch with nothing beside it, least of some."""
    evaluator = batch.evaluator()
    evaluator.evaluate([(patch, part)])
    first = evaluator.lanes[0]
    return {name: on_device(first.stream, step, repeat) for name, step in first.steps_again([(patch, part)])}


def all_lanes(patch, part, repeat) -> float:
    """Seconds by the clock for each proposal of a part: all lanes at work without pause, the host without."""
    evaluator = batch.evaluator()
    lanes = evaluator.lanes
    evaluator.evaluate([(patch, part * len(lanes))])
    steps = [step for one in lanes for _, step in one.steps_again([(patch, part)])]

    def rounds():
        for step in ROUNDS * steps:
            step()
        for one in lanes:
            one.stream.wait()

    return by_clock(rounds, repeat)[0] / (ROUNDS * len(lanes) * len(part))


def without_graph(function, repeat) -> float:
    """Least seconds of some calls whose steps are started one by one."""
    usual, lane.GRAPH_AFTER = lane.GRAPH_AFTER, float("inf")
    try:
        return by_clock(function, repeat)[0]
    finally:
        lane.GRAPH_AFTER = usual


def report_alone(name, patch, state, pairs, measured, repeat) -> None:
    """Prints one evaluation: by the clock, in parts, against the CPU."""
    least, median = by_clock(lambda: gpu.evaluate(patch, state), repeat)
    wanted = f"; wanted {1e6 * TARGETS[name]:.0f}" if name in TARGETS else ""
    print(f"  alone: {1e6 * least:.1f} us (median {1e6 * median:.1f}{wanted}), {1 / least:.0f} per second")
    parts = split(patch, [state], repeat)
    print("    " + ", ".join(f"{part} {1e6 * seconds:.1f} us" for part, seconds in parts.items()))
    print(f"    host and gaps between launches {1e6 * (least - sum(parts.values())):.1f} us")
    print(f"    {share_of_peaks(patch, pairs, sum(parts.values()), measured)}")
    other = without_graph(lambda: gpu.evaluate(patch, state), repeat)
    print(f"    without the CUDA graph: {1e6 * other:.1f} us")
    for threads in sorted({1, os.cpu_count()}):
        cpu.set_threads(threads)
        seconds, _ = by_clock(lambda: cpu.evaluate(patch, state), repeat)
        print(f"    CPU, {threads} threads: {1e6 * seconds:.1f} us, {seconds / least:.1f} times as long")


def share_of_peaks(patch, pairs, seconds, measured) -> str:
    """Arithmetic and pixels of one evaluation in some seconds against the card's measured rates."""
    arithmetic = NOMINAL * pairs / seconds / measured[0]
    pixels = (patch.data.nbytes + patch.weight.nbytes) / seconds / measured[1]
    return f"{arithmetic:.3f} of the float32 peak, pixels at {pixels:.3f} of the bandwidth"


def report_batch(patch, state, n, pairs, measured, repeat) -> None:
    """Prints a batch of proposals of one patch: all of it, and one of its parts on the device."""
    states = proposals(state, n)
    least, _ = by_clock(lambda: gpu.evaluate_many(patch, states), repeat)
    part = batch.evaluator().part_of(patch, states)
    m = len(part)
    each = {name: seconds / m for name, seconds in split(patch, part, repeat).items()}
    print(f"  {n} proposals, in parts of {m}: {1e6 * least / n:.2f} us each, {n / least:.0f} per second")
    print("    " + ", ".join(f"{name} {1e6 * seconds:.2f}" for name, seconds in each.items()))
    print(f"    by the clock {share_of_peaks(patch, pairs, least / n, measured)}")
    alone = share_of_peaks(patch, pairs, sum(each.values()), measured)
    print(f"    on the device {alone}: sum of the steps of one part of {m}")
    if m < n:
        together = share_of_peaks(patch, pairs, all_lanes(patch, part, repeat), measured)
        print(f"    on the device {together}: parts of {m} in all lanes at once")


def report_patches(name, n, repeat) -> None:
    """Prints a batch of different patches against the same one by one."""
    made = [scenes.make_scene(name, seed) for seed in range(n)]
    work = [(patch, [state]) for patch, state in made]
    together, _ = by_clock(lambda: gpu.evaluate_batch(work), repeat)
    apart, _ = by_clock(lambda: [gpu.evaluate(patch, state) for patch, state in made], repeat)
    print(f"\n{n} patches of the scene {name!r} in one batch: {1e6 * together / n:.2f} us each")
    print(f"  one by one {1e6 * apart / n:.2f} us each")


def measure(name, batches, measured, repeat) -> None:
    """Prints the figures of one scene."""
    patch, state = scenes.make_scene(name)
    check(patch, state, proposals(state, 1))
    pairs = pairs_of(patch, state)
    print(f"\n{name}: {patch.n_exposures} exposures, {patch.data.size} pixels, {pairs:.3g} pairs")
    report_alone(name, patch, state, pairs, measured, repeat)
    for n in batches:
        report_batch(patch, state, n, pairs, measured, repeat)


def main(repeat=50, quick=False) -> None:
    try:
        transport.require_gpu()
    except InputError as error:
        raise SystemExit(f"kernel.py: {error}") from None
    if quick:
        scenes.SCENES["one tile"] = (1, 1, 1, 8)
        batch.PART = 1  # several parts of few proposals
    stream = transport.Stream()
    measured = (
        peak(stream, *((1, 1) if quick else (132 * 64, 1000))),
        bandwidth(stream, 1 << 10 if quick else 1 << 29),
    )
    print(
        f"{transport.name_of_device()}: measured peak {measured[0] / 1e9:.4g} G multiply-adds per second, "
        f"copies {measured[1] / 1e9:.4g} GB/s; load of the host {os.getloadavg()[0]:.1f}"
    )
    for name in ["one tile"] if quick else ["1 source", "5 sources", "15 sources"]:
        measure(name, (2,) if quick else BATCHES, measured, 0 if quick else repeat)
    report_patches("one tile" if quick else "1 source", 2 if quick else 64, 0 if quick else repeat)
