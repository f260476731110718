"""Threads and processes: the same bits, whatever their number; compiled code is found on disk."""

import multiprocessing
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numba.core.codegen import JITCPUCodegen

from fpho.kernel import cpu
from fpho.kernel.plan import make_plan
from fpho.kernel.walk import run
from fpho.machinecode import on_disk
from tests.kernel.scenes import scene


def large():
    return scene(3, n_sources=4, n_bands=2, n_exposures=5, shape=(200, 208))


def flat(result):
    return np.concatenate([np.ravel(part) for part in result])


@pytest.fixture
def one_thread_after():
    before = cpu._threads
    yield
    cpu.set_threads(before)


def test_bit_identical_with_any_number_of_threads(one_thread_after):
    patch, state = large()
    assert len(make_plan(patch).pieces) > 4
    results = []
    for threads in (1, 2, 3, 7):
        cpu.set_threads(threads)
        results += [flat(cpu.evaluate(patch, state)) for _ in range(2)]
    for result in results[1:]:
        np.testing.assert_array_equal(result, results[0])


def test_batches_with_any_number_of_threads(one_thread_after):
    """Small patches go one to a thread, large ones to all; the same bits either way."""
    small = [scene(seed, n_sources=seed + 1, shape=(16, 24)) for seed in range(5)]
    for work in (
        [(patch, [state, state]) for patch, state in small],
        [(p, [s]) for p, s in (large(), *small)],
    ):
        results = []
        for threads in (1, 3):
            cpu.set_threads(threads)
            results.append([flat(one) for some in cpu.evaluate_batch(work) for one in some])
        for one, other in zip(*results, strict=True):
            np.testing.assert_array_equal(one, other)


def test_called_from_several_threads(one_thread_after):
    """Work arrays belong to threads: concurrent calls do not disturb each other."""
    cpu.set_threads(2)
    patch, state = large()
    expected = flat(cpu.evaluate(patch, state))
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda _: flat(cpu.evaluate(patch, state)), range(8)))
    for result in results:
        np.testing.assert_array_equal(result, expected)


def in_child(threads):
    cpu.set_threads(threads)
    return flat(cpu.evaluate(*large()))


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_called_from_several_processes(method, one_thread_after):
    """A forked child does not inherit the parent's threads, and does not wait for them."""
    cpu.set_threads(2)
    expected = flat(cpu.evaluate(*large()))
    with multiprocessing.get_context(method).Pool(2) as pool:
        results = pool.map_async(in_child, [1, 2, 1]).get(timeout=120)
    for result in results:
        np.testing.assert_array_equal(result, expected)


PRINT = """
import hashlib
from tests.kernel.test_threads import flat, large
from fpho.kernel import cpu
print(hashlib.sha256(flat(cpu.evaluate(*large())).tobytes()).hexdigest())
"""


def test_bits_do_not_depend_on_who_compiled(tmp_path):
    """The first process with an empty cache gives what all later ones give."""
    root = os.path.dirname(os.path.dirname(os.path.dirname(__file__)))
    env = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    command = [sys.executable, "-c", PRINT]
    prints = [
        subprocess.run(command, cwd=root, env=env, capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    ]
    assert prints[0] == prints[1] != ""


COUNT = """
import sys
from fpho.kernel import cpu
from fpho.kernel.walk import run, add_up
from fpho.kernel.fisher import fisher_matrix
from tests.kernel.scenes import scene
for sources, bands in ((1, 1), (3, 2), (4, 5)):
    patch, state = scene(1, n_sources=sources, n_bands=bands, n_exposures=2, shape=(16, 16))
    cpu.evaluate(patch, state), cpu.model(patch, state), cpu.fisher(patch, state)
for f in (run, add_up, fisher_matrix):
    print(len(f.signatures), sum(f.stats.cache_hits.values()), sum(f.stats.cache_misses.values()))
"""


def test_a_second_process_does_not_compile():
    """With the cache filled, another process only loads, for all numbers of sources and bands."""
    patch, state = scene(1, shape=(16, 16))
    cpu.evaluate(patch, state), cpu.fisher(patch, state)
    root = os.path.dirname(os.path.dirname(os.path.dirname(__file__)))
    done = subprocess.run([sys.executable, "-c", COUNT], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1", "1", "0"] * 3


def test_code_of_another_processor_is_not_on_disk(monkeypatch):
    """A cluster's machines share a cache; each compiles what is missing for itself."""
    patch, state = scene(1, shape=(16, 16))
    cpu.evaluate(patch, state)
    assert on_disk(run)
    monkeypatch.setattr(JITCPUCodegen, "magic_tuple", lambda self: ("another", "processor", ""))
    assert not on_disk(run)
