"""Every backend against the float64 reference."""

import numpy as np
import pytest

from tests import reference
from tests.kernel.backends import CHI2, MODEL, name_of, sized
from tests.kernel.scenes import scene

SEEDS = range(sized(4, 1))


@pytest.mark.parametrize("seed", SEEDS)
def test_model_and_chi2(kernel, seed):
    patch, state = scene(seed, **sized({}, {"shape": (16, 16), "n_sources": 2, "k": 3, "j": 2}))
    expected = reference.model(patch, state)
    image = kernel.model(patch, state)
    assert image.dtype == np.float32
    peak = (expected - state.background.min()).max()
    assert np.abs(image - expected).max() < MODEL[name_of(kernel)] * peak
    chi2, _, _ = kernel.evaluate(patch, state)
    np.testing.assert_allclose(chi2, reference.chi2(patch, state), rtol=CHI2[name_of(kernel)])


@pytest.mark.parametrize("seed", SEEDS)
def test_gradient(kernel, seed):
    """1e-4 of the largest element: float32 sums reach some 1e-6; a wrong term shows as 1e-2 or more.

    The same for each column, so that none hides behind a larger one.
    """
    size = sized({"shape": (32, 40)}, {"shape": (16, 24), "k": 3, "j": 2})
    patch, state = scene(seed, n_sources=2, **size)
    _, gradient, by_background = kernel.evaluate(patch, state)
    ours = np.concatenate([gradient.ravel(), by_background])
    expected = reference.gradient(patch, state)
    assert np.abs(ours - expected).max() < 1e-4 * np.abs(expected).max()
    by_column = np.abs(gradient - expected[: gradient.size].reshape(gradient.shape)).max(axis=0)
    assert (
        by_column < 1e-4 * np.abs(expected[: gradient.size].reshape(gradient.shape)).max(axis=0) + 1e-6
    ).all()


def test_fisher(kernel):
    patch, state = scene(5, n_sources=2, **sized({"shape": (24, 32)}, {"shape": (16, 16), "k": 3, "j": 2}))
    expected = reference.fisher(patch, state)
    size = np.sqrt(np.diag(expected))
    assert np.abs((kernel.fisher(patch, state) - expected) / np.outer(size, size)).max() < 1e-4


def test_fitted_parameters(kernel):
    """A wrong gradient moves the optimum: by less than 0.02 sigma in fluxes, positions and shape matrices."""
    size = sized({"shape": (40, 48)}, {"shape": (16, 16), "n_exposures": 1, "k": 2, "j": 2})
    patch, state = scene(6, n_sources=1, n_bands=1, ratio=(0.4, 0.6), **size)
    free = 1 + 5
    covariance = np.linalg.inv(reference.fisher(patch, state)[:free, :free])
    error = (kernel.evaluate(patch, state)[1].ravel() - reference.gradient(patch, state)[:-1][:8])[:free]
    moved = covariance @ error / 2
    assert np.abs(moved / np.sqrt(np.diag(covariance))).max() < 0.02


def test_more_gaussians_than_a_list_holds(kernel):
    """Lists filled in several rounds; a source that nothing reaches; far from the origin."""
    patch, state = scene(2, n_sources=4, n_bands=1, n_exposures=1, shape=(8, 16), k=10, j=7)
    patch.tile_x[:], patch.tile_y[:] = patch.tile_x + 9000, patch.tile_y - 7000
    patch.position[:] += [9000, -7000]
    patch.position[:, 3] = 1e5, -3e4
    chi2, gradient, _ = kernel.evaluate(patch, state)
    np.testing.assert_allclose(chi2, reference.chi2(patch, state), rtol=CHI2[name_of(kernel)])
    expected = reference.gradient(patch, state)[: gradient.size]
    assert np.abs(gradient.ravel() - expected).max() < 1e-4 * np.abs(expected).max()
    assert not gradient[3].any()


def test_one_source_of_many_gaussians(kernel):
    """More than a thread block of the GPU has threads, over more groups of tiles than it reads at once."""
    patch, state = scene(12, n_sources=1, n_bands=1, n_exposures=1, k=20, j=15, shape=(8, 136))
    chi2, gradient, _ = kernel.evaluate(patch, state)
    np.testing.assert_allclose(chi2, reference.chi2(patch, state), rtol=CHI2[name_of(kernel)])
    expected = reference.gradient(patch, state)[: gradient.size]
    assert np.abs(gradient.ravel() - expected).max() < 1e-4 * np.abs(expected).max()


def test_nothing_is_cut_that_counts(kernel):
    """A tile 4.6 sigma away over its corner: the Gaussian is 2.5e-5 of its peak there, which counts."""
    patch, state = scene(7, n_sources=1, n_bands=1, n_exposures=1, shape=(24, 24), k=1, j=1)
    patch.position[:] = 4.0, 4.0
    patch.psf[0, 0] = 1.0, 0.0, 0.0, 3.69**2, 3.69**2, 0.0
    state.profile[0, 0], state.sources[0, 1:3] = [1.0, 0, 0, 0, 0, 0], 0.0
    expected = reference.model(patch, state) - state.background[0]
    image = kernel.model(patch, state) - np.float32(state.background[0])
    assert 1e-5 < expected[-1].max() / expected.max() < 1e-4
    assert np.abs(image - expected).max() < MODEL[name_of(kernel)] * expected.max()
