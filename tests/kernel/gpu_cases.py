"""Small scenes on the GPU backend against the CPU backend and the float64 reference.

`python -m tests.kernel.gpu_cases` runs them on a GPU, or with NUMBA_ENABLE_CUDASIM=1 in numba's simulator.
"""

import dataclasses
import pickle

import numpy as np

from fpho.kernel import cpu, gpu
from tests import reference
from tests.kernel.scenes import scene


def small(seed=0, **changes):
    """Two sources (the second a point), two bands, six tiles in all, masked and bad pixels, backgrounds."""
    options = {"n_sources": 2, "shape": (16, 24), "k": 3, "j": 2, "ratio": (0.2, 1.0)} | changes
    patch, state = scene(seed, **options)
    patch.data[patch.weight == 0] = np.nan
    if len(state.sources) > 1:
        state.profile[1], state.profile_count[1] = 0.0, 1
        state.profile[1, 0, 0] = 1.0
    return patch, state


def compare(ours, expected, exact):
    """Results of `evaluate`: chi2 to 1e-6 of a float64 one, gradients to 1e-4 of the largest element."""
    np.testing.assert_allclose(ours[0], exact, rtol=1e-6, atol=1e-12)
    both = [np.concatenate([np.ravel(part) for part in result[1:]]) for result in (ours, expected)]
    assert np.abs(both[0] - both[1]).max() < 1e-4 * np.abs(both[1]).max(), both[0] - both[1]
    for column in range(ours[1].shape[1]):  # none hides behind a larger one
        limit = 1e-4 * np.abs(expected[1][:, column]).max(initial=0.0) + 1e-6
        assert np.abs(ours[1][:, column] - expected[1][:, column]).max(initial=0.0) < limit, column


def everything():
    """All functions against the CPU; chi2 and gradient of it against the reference, too."""
    patch, state = small()
    ours = gpu.evaluate(patch, state)
    compare(ours, cpu.evaluate(patch, state, cpu.EXACT), reference.chi2(patch, state))
    truth = reference.gradient(patch, state)
    both = np.concatenate([ours[1].ravel(), ours[2]])
    assert np.abs(both - truth).max() < 1e-4 * np.abs(truth).max()
    assert not ours[1][1, 4:].any()  # a point source has no shape
    expected = reference.model(patch, state)
    image = gpu.model(patch, state)
    assert image.dtype == np.float32 and np.abs(image - expected).max() < 2e-6 * np.abs(expected).max()
    fisher = cpu.fisher(patch, state)
    size = np.sqrt(np.diag(fisher)) + 1e-6 * np.sqrt(np.diag(fisher)).max()
    assert np.abs((gpu.fisher(patch, state) - fisher) / np.outer(size, size)).max() < 1e-4


def batch_is_the_same_as_one_by_one():
    """To the last bit, also when memory allows only one proposal at a time; and results repeat."""
    from fpho.kernel.gpu import resident

    patch, state = small(1, n_sources=1, n_bands=1, n_exposures=1, shape=(8, 8), k=2, j=1)
    states = [dataclasses.replace(state, sources=state.sources * f) for f in (1.0, 1.2)]
    one_by_one = [gpu.evaluate(patch, s) for s in states]
    for limit in (resident.BATCH_BYTES, 1):
        resident.BATCH_BYTES = limit
        for ours, expected in zip(gpu.evaluate_many(patch, states), one_by_one, strict=True):
            for a, b in zip(ours, expected, strict=True):
                np.testing.assert_array_equal(a, b)
    for ours, expected in zip(cpu.evaluate_many(patch, states), one_by_one, strict=True):
        compare(ours, expected, expected[0])
    compare(one_by_one[1], cpu.evaluate(patch, states[1], cpu.EXACT), reference.chi2(patch, states[1]))
    assert gpu.evaluate_many(patch, []) == []
    again = gpu.evaluate(pickle.loads(pickle.dumps(patch)), states[0])
    np.testing.assert_array_equal(again[1], one_by_one[0][1])


def more_gaussians_than_threads():
    """Lists filled in several rounds; a source that nothing reaches; far from the origin."""
    patch, state = small(2, n_sources=5, n_bands=1, n_exposures=1, shape=(8, 16), k=10, j=7)
    far = dataclasses.replace(
        patch, tile_x=patch.tile_x + 9000, tile_y=patch.tile_y - 7000, position=patch.position + [9000, -7000]
    )
    far.position[:, 3] = 1e5, -3e4
    ours = gpu.evaluate(far, state)
    compare(ours, cpu.evaluate(far, state, cpu.EXACT), reference.chi2(far, state))
    assert not ours[1][3].any()


def edges():
    """An exposure without pixels, no sources, no tiles, a flux that is not a number."""
    patch, state = small(3, n_sources=1, shape=(8, 8))
    start = np.array([0, 0, 2])
    patch = dataclasses.replace(patch, exposure_start=start)
    ours = gpu.evaluate(patch, state)
    compare(ours, cpu.evaluate(patch, state, cpu.EXACT), reference.chi2(patch, state))
    none = {name: getattr(patch, name)[:, :0] for name in ("position", "scale", "gain", "psf_index")}
    names = ("sources", "profile", "profile_count")
    bare = dataclasses.replace(state, **{name: getattr(state, name)[:0] for name in names})
    empty = dataclasses.replace(patch, **none)
    compare(gpu.evaluate(empty, bare), cpu.evaluate(empty, bare), reference.chi2(empty, bare))
    np.testing.assert_allclose(gpu.fisher(empty, bare), cpu.fisher(empty, bare), rtol=1e-5)
    cut = {name: getattr(patch, name)[:0] for name in ("data", "weight", "tile_x", "tile_y")}
    nothing = dataclasses.replace(patch, exposure_start=np.zeros(3, int), **cut)
    assert not any(part.any() for part in gpu.evaluate(nothing, state))
    assert gpu.model(nothing, state).shape == (0, 64) and not gpu.fisher(nothing, state).any()
    state.sources[0] = np.nan
    assert np.isnan(gpu.evaluate(patch, state)[0][1])


CASES = (everything, batch_is_the_same_as_one_by_one, more_gaussians_than_threads, edges)

if __name__ == "__main__":
    for case in CASES:
        case()
        print(f"{case.__name__}: agrees", flush=True)
