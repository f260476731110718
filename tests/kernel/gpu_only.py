"""What the GPU backend alone does with memory. `test_gpu` starts it, in the simulator or on a card."""

import dataclasses
import gc
import pickle

import numpy as np
import pytest

from fpho.errors import InputError
from fpho.kernel import gpu
from fpho.kernel.gpu import batch, compiling, lane, layout, resident, transport
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


def launches_of(monkeypatch):
    """(lane, its proposals) of each set of launches from now on."""
    counts, real = [], lane.Lane.start

    def start(self, part, parameters):
        real(self, part, parameters)
        counts.append((self, sum(len(states) for _, states in part)))

    monkeypatch.setattr(lane.Lane, "start", start)
    return counts


def numbers(counts):
    return [n for _, n in counts]


def same(results, expected):
    for ours, result in zip(results, expected, strict=True):
        equal(ours, result)


def test_all_in_one_set_of_launches(fresh, expected, monkeypatch):
    """Patches of different shapes; from the second time on, where asked for, as a CUDA graph."""
    work, counts = mixed()[1:], launches_of(monkeypatch)
    monkeypatch.setattr(lane, "GRAPH_AFTER", 1)
    for _ in range(2):
        same(gpu.evaluate_batch(work)[0], expected)
    assert numbers(counts) == [4, 4] and fresh.lanes[0]._current.graph is not None


def test_batches_that_do_not_fit_are_split(fresh, expected, monkeypatch):
    """By the memory of a lane: two at a time, then one at a time."""
    patch, states = mixed()[1]
    each = layout.bytes_each(resident.resident(patch, fresh.shelf).run(1, states[0]))
    counts = launches_of(monkeypatch)
    monkeypatch.setattr(batch, "BATCH_BYTES", 2 * each * batch.LANES)
    same(gpu.evaluate_many(patch, states), expected)
    assert numbers(counts) == [2, 1]


def test_lanes_take_parts_in_turn(fresh, expected, monkeypatch):
    """Patches of different shapes, cut inside one of them, in the order asked for; again, and as graphs."""
    small, nothing = mixed()[1:3]
    work = [small, nothing, (small[0], small[1][:0]), (small[0], small[1][::-1])]
    alone = gpu.evaluate(nothing[0], nothing[1][0])
    counts = launches_of(monkeypatch)
    monkeypatch.setattr(batch, "PART", 2)
    monkeypatch.setattr(lane, "GRAPH_AFTER", 1)
    for _ in range(2):
        first, second, none, backwards = gpu.evaluate_batch(work)
        same(first + second + backwards[::-1], [*expected, alone, *expected])
        assert none == []
    one, other = fresh.lanes
    turn = [(one, 2), (other, 2), (one, 2), (other, 1)]
    assert counts == 2 * turn


@pytest.fixture
def late(monkeypatch):
    """Devices that do all they are asked for when they are waited for, at the last moment allowed."""
    queues = {}

    def later(queue, function):
        return lambda *numbers: queue.append(lambda: function(*numbers))

    def delay(kind, name, stream_of):
        real = getattr(kind, name)

        def delayed(self, *arguments):
            return later(queues.setdefault(stream_of(self), []), real(self, *arguments))

        monkeypatch.setattr(kind, name, delayed)

    real = transport.Stream.wait

    def wait(self):
        queue = queues.get(self, [])
        while queue:
            queue.pop(0)()
        real(self)

    delay(transport.Stream, "sending", lambda stream: stream)
    delay(transport.Stream, "reading", lambda stream: stream)
    delay(compiling.Launcher, "starting", lambda launcher: launcher._stream)
    monkeypatch.setattr(transport.Stream, "wait", wait)
    return queues


def test_nothing_is_touched_before_the_device_is_done(late, fresh, expected, monkeypatch):
    """Parameters are not replaced before they were read, and results not read before they are there."""
    patch, states = mixed()[1]
    monkeypatch.setattr(batch, "PART", 1)
    counts = launches_of(monkeypatch)
    same(gpu.evaluate_many(patch, states + states[::-1]), [*expected, *expected[::-1]])
    assert numbers(counts) == [1] * 6 and len(late) == batch.LANES and not any(late.values())


def test_an_error_in_the_middle(late, fresh, expected, monkeypatch):
    """Lanes at work are waited for; the next call is not disturbed by what they did."""
    patch, states = mixed()[1]
    monkeypatch.setattr(batch, "PART", 1)
    real, left = batch.gathered, iter([True, True, False])

    def gathered(part):
        if next(left, True):
            return real(part)
        assert any(late.values())
        raise KeyboardInterrupt

    monkeypatch.setattr(batch, "gathered", gathered)
    with pytest.raises(KeyboardInterrupt):
        gpu.evaluate_many(patch, states)
    assert not any(late.values())
    same(gpu.evaluate_many(patch, states), expected)


def test_a_device_without_memory_for_all(fresh, expected, monkeypatch):
    """Where less is to be had than the limit of one set of launches."""
    patch, states = mixed()[1]
    run = resident.resident(patch, fresh.shelf).run(1, states[0])
    little_memory(monkeypatch, layout.lay_out([run]).size)
    counts = launches_of(monkeypatch)
    same(gpu.evaluate_many(patch, states[1:]), expected[1:])
    assert numbers(counts) == [1, 1]


def test_a_device_without_memory_for_a_second_lane(fresh, expected, monkeypatch):
    """The first one does it all, and what was evaluated before keeps its place."""
    patch, states = mixed()[1]
    gpu.evaluate(patch, states[0])
    asked = little_memory(monkeypatch, 0)
    counts = launches_of(monkeypatch)
    monkeypatch.setattr(batch, "PART", 1)
    same(gpu.evaluate_many(patch, states), expected)
    assert counts == [(fresh.lanes[0], 1)] * 3 and len(asked) == 1


def test_a_device_where_a_lane_makes_room(fresh, expected, monkeypatch):
    """A state whose evaluation or image needs the memory that another lane holds."""
    patch, states = mixed()[1]
    monkeypatch.setattr(batch, "PART", 1)
    gpu.evaluate_many(patch, states[:2])
    image = gpu.model(patch, states[0])
    for one in fresh.lanes:
        one.free()
    real = transport.allocate

    def allocate(size, stream):
        if any(one.work is not None for one in fresh.lanes):
            raise transport.NoMemory("kernel gpu", f"{size / 1e6:.0f} MB wanted", transport.SMALLER)
        return real(size, stream)

    monkeypatch.setattr(transport, "allocate", allocate)
    same(gpu.evaluate_many(patch, states), expected)
    fresh.lanes[0].free()
    fresh.lanes[1].start([(patch, states[:1])], batch.gathered([(patch, states[:1])]))
    fresh.lanes[1].wait()
    np.testing.assert_array_equal(gpu.model(patch, states[0]), image)


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


@pytest.mark.parametrize("cut", [1, 2, 3])
def test_a_late_state_of_another_shape_is_refused(late, fresh, expected, monkeypatch, cut):
    """However a batch is cut, with no results; what was started is waited for."""
    patch, states = mixed()[1]
    monkeypatch.setattr(batch, "PART", cut)
    shorter = dataclasses.replace(states[2], profile=states[2].profile[:, :1])
    with pytest.raises(ValueError, match="shapes"):
        gpu.evaluate_many(patch, [*states[:2], shorter])
    assert not any(late.values())
    same(gpu.evaluate_many(patch, states[:1]), expected[:1])


@pytest.mark.parametrize("function", [gpu.model, gpu.fisher])
def test_images_of_a_state_of_other_shapes_are_refused(function):
    patch, states = mixed()[1]
    with pytest.raises(ValueError, match="shapes"):
        function(patch, dataclasses.replace(states[0], background=np.zeros(2)))


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
