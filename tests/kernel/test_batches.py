"""Batches: many proposals of many patches at once, with the bits of one at a time."""

import dataclasses
import pickle

import numpy as np

from tests.kernel.backends import sized
from tests.kernel.scenes import scene


def proposals(patch, state, n):
    """(patch, n states)."""
    factors = np.linspace(1.0, 1.3, n)
    return patch, [dataclasses.replace(state, sources=state.sources * f) for f in factors]


def mixed():
    """Patches of different numbers of sources, bands, exposures, tiles and components; one without tiles."""
    size = sized({"n_exposures": 2, "shape": (64, 72)}, {"n_exposures": 1, "shape": (8, 40)})
    larger = scene(0, n_sources=2, k=3, j=2, **size)
    small = scene(1, n_sources=1, n_bands=1, n_exposures=1, shape=(8, 8), k=2, j=1)
    bare, state = scene(2, n_sources=1, n_bands=1, n_exposures=1, shape=(8, 8), k=1, j=3)
    cut = {name: getattr(bare, name)[:0] for name in ("data", "weight", "tile_x", "tile_y")}
    nothing = dataclasses.replace(bare, exposure_start=np.zeros(2, int), **cut)
    return [proposals(*larger, 1), proposals(*small, 3), proposals(nothing, state, 1), (larger[0], [])]


def equal(ours, expected):
    for a, b in zip(ours, expected, strict=True):
        np.testing.assert_array_equal(a, b)


def test_patches_of_different_shapes(kernel):
    work = mixed()
    results = kernel.evaluate_batch(work)
    assert [len(some) for some in results] == [1, 3, 1, 0]
    for (patch, states), some in zip(work, results, strict=True):
        for state, result in zip(states, some, strict=True):
            equal(result, kernel.evaluate(patch, state))


def test_proposals_of_one_patch(kernel):
    """Also of a copy of the patch, and in another order: nothing depends on what was evaluated before."""
    patch, states = mixed()[1]
    expected = kernel.evaluate_many(patch, states)
    copy = pickle.loads(pickle.dumps(patch))
    for ours, result in zip(kernel.evaluate_many(copy, states[:0:-1]), expected[:0:-1], strict=True):
        equal(ours, result)
    assert kernel.evaluate_many(patch, []) == [] and kernel.evaluate_batch([]) == []


def in_one(states):
    """Several states as one with a first axis more."""
    names = [field.name for field in dataclasses.fields(states[0])]
    return type(states[0])(*(np.stack([getattr(state, name) for state in states]) for name in names))


def test_models_of_several_states_are_those_of_each(kernel):
    patch, states = mixed()[1]
    images = kernel.models(patch, in_one(states))
    assert np.array_equal(images, [kernel.model(patch, state) for state in states])


def test_chi_squares_are_those_of_the_evaluation(kernel):
    """Chi-square of all exposures, without slopes."""
    patch, states = mixed()[1]
    expected = [chi2.sum() for chi2, _, _ in kernel.evaluate_many(patch, states)]
    stacked = in_one(states)
    found = kernel.chi_squares(patch, stacked)
    assert np.allclose(found, expected, rtol=1e-5)
    assert np.array_equal(found[1:], kernel.chi_squares(patch, stacked[1:]))


def test_arrays_of_states_need_no_order(kernel):
    """Views with gaps, of other types, or by columns: what counts is their numbers."""
    patch, states = mixed()[1]
    expected = kernel.evaluate_many(patch, states)
    wide = np.repeat(states[1].sources, 2, axis=1)
    states[1] = dataclasses.replace(
        states[1], sources=wide[:, ::2], profile=np.asfortranarray(states[1].profile)
    )
    states[2] = dataclasses.replace(states[2], profile_count=states[2].profile_count.astype("i8"))
    for ours, result in zip(kernel.evaluate_many(patch, states), expected, strict=True):
        equal(ours, result)


def test_results_stay(kernel):
    """Results are the caller's: the next call does not write to them."""
    patch, states = mixed()[1]
    first = kernel.evaluate(patch, states[0])
    kept = [part.copy() for part in first]
    second = kernel.evaluate(patch, states[1])
    equal(first, kept)
    assert not np.array_equal(second[0], first[0])
