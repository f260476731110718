"""The CPU kernel against the float64 reference."""

import numpy as np
import pytest

from fpho.kernel import cpu
from tests import reference
from tests.kernel.scenes import scene


@pytest.mark.parametrize("seed", range(4))
def test_model_and_chi2(seed):
    patch, state = scene(seed)
    expected = reference.model(patch, state)
    image = cpu.model(patch, state)
    assert image.dtype == np.float32
    peak = (expected - state.background.min()).max()
    assert np.abs(image - expected).max() < 1e-5 * peak
    chi2, _, _ = cpu.evaluate(patch, state)
    np.testing.assert_allclose(chi2, reference.chi2(patch, state), rtol=1e-5)


@pytest.mark.parametrize("seed", range(4))
def test_gradient(seed):
    """1e-4 of the largest element: float32 sums reach some 1e-6; a wrong term shows as 1e-2 or more."""
    patch, state = scene(seed, n_sources=2, shape=(32, 40))
    _, gradient, by_background = cpu.evaluate(patch, state)
    ours = np.concatenate([gradient.ravel(), by_background])
    expected = reference.gradient(patch, state)
    assert np.abs(ours - expected).max() < 1e-4 * np.abs(expected).max()
    by_column = np.abs(gradient - expected[: gradient.size].reshape(gradient.shape)).max(axis=0)
    assert (
        by_column < 1e-4 * np.abs(expected[: gradient.size].reshape(gradient.shape)).max(axis=0) + 1e-6
    ).all()


def test_fisher():
    patch, state = scene(5, n_sources=2, shape=(24, 32))
    expected = reference.fisher(patch, state)
    size = np.sqrt(np.diag(expected))
    assert np.abs((cpu.fisher(patch, state) - expected) / np.outer(size, size)).max() < 1e-4
