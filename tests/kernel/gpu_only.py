"""What the GPU backend alone does with memory. `test_gpu` starts it, in the simulator or on a card."""

import dataclasses
import gc
import pickle

import numpy as np
import pytest

from fpho.errors import InputError
from fpho.kernel import gpu
from fpho.kernel.gpu import batch, layout, resident, transport
from tests.kernel.scenes import scene
from tests.kernel.test_batches import equal, mixed


@pytest.fixture
def fresh(monkeypatch):
    """An evaluator that holds nothing."""
    monkeypatch.setattr(batch, "_of_process", {})
    return batch.evaluator()


def little_memory(monkeypatch, limit):
    """A device that gives nothing larger than some bytes; the sizes asked for."""
    real, asked = transport.allocate, []

    def allocate(size, stream):
        asked.append(size)
        if size > limit:
            raise transport.NoMemory("kernel gpu", f"{size / 1e6:.0f} MB wanted", transport.SMALLER)
        return real(size, stream)

    monkeypatch.setattr(transport, "allocate", allocate)
    return asked


@pytest.fixture(scope="module")
def expected():
    """Results of the small patch of `mixed` with all memory there is."""
    return gpu.evaluate_many(*mixed()[1])


def launches_of(evaluator, monkeypatch):
    """Proposals of each set of launches from now on."""
    counts, real = [], evaluator._results

    def results(prepared, part):
        counts.append(prepared.layout.n_jobs)
        return real(prepared, part)

    monkeypatch.setattr(evaluator, "_results", results)
    return counts


def same(results, expected):
    for ours, result in zip(results, expected, strict=True):
        equal(ours, result)


def test_all_in_one_set_of_launches(fresh, expected, monkeypatch):
    """Patches of different shapes; from the second time on, where asked for, as a CUDA graph."""
    work, counts = mixed()[1:], launches_of(fresh, monkeypatch)
    monkeypatch.setattr(batch, "GRAPH_AFTER", 1)
    for _ in range(2):
        same(gpu.evaluate_batch(work)[0], expected)
    assert counts == [4, 4] and fresh._current.graph is not None


def test_batches_that_do_not_fit_are_split(fresh, expected, monkeypatch):
    """By the limit of one set of launches: two at a time, then one at a time."""
    patch, states = mixed()[1]
    each = layout.bytes_each(resident.resident(patch, fresh.shelf).run(1, states[0]))
    counts = launches_of(fresh, monkeypatch)
    monkeypatch.setattr(batch, "BATCH_BYTES", 2 * each)
    same(gpu.evaluate_many(patch, states), expected)
    assert counts == [2, 1]


def test_a_device_without_memory_for_all(fresh, expected, monkeypatch):
    """Where less is to be had than the limit of one set of launches."""
    patch, states = mixed()[1]
    run = resident.resident(patch, fresh.shelf).run(1, states[0])
    little_memory(monkeypatch, layout.lay_out([run]).size)
    counts = launches_of(fresh, monkeypatch)
    same(gpu.evaluate_many(patch, states[1:]), expected[1:])
    assert counts == [1, 1]


def test_a_device_without_memory_for_one(fresh, monkeypatch):
    patch, states = mixed()[1]
    asked = little_memory(monkeypatch, 0)
    with pytest.raises(InputError, match=r"MB wanted.*smaller patches or fewer processes"):
        gpu.evaluate(patch, states[0])
    assert asked


def test_states_of_other_shapes_are_refused():
    """Never a wrong number."""
    patch, (state, other, _) = mixed()[1]
    with pytest.raises(ValueError, match="shapes"):
        gpu.evaluate_many(patch, [state, dataclasses.replace(other, background=np.zeros(2))])
    with pytest.raises(ValueError, match="shapes"):
        gpu.evaluate(patch, dataclasses.replace(state, background=np.zeros(2)))


def test_places_of_patches_are_used_again(fresh):
    """The memory does not grow with the number of patches seen, and those still there keep theirs."""
    kept, state = scene(0, n_sources=1, n_bands=1, n_exposures=1, shape=(8, 8), k=2, j=1)
    before = gpu.model(kept, state)
    sizes = set()
    for seed in range(6):
        patch, _ = scene(seed, n_sources=1, n_bands=1, n_exposures=1, shape=(16, 16), k=2, j=1)
        resident.resident(pickle.loads(pickle.dumps(patch)), fresh.shelf)
        gc.collect()
        sizes.add(fresh.shelf.memory.size)
    assert len(sizes) == 1
    np.testing.assert_array_equal(gpu.model(kept, state), before)
