"""Each shortcut against its stated bound, and all of them together on large smooth scenes."""

import dataclasses

import numpy as np
import pytest

from fpho.kernel import cpu
from fpho.kernel.cpu import EXACT, Shortcuts
from fpho.kernel.exponential import exponential
from fpho.kernel.plan import INTERPOLATION, PITCH
from tests import reference
from tests.kernel.scenes import scene


def wide_scene(seed):
    """Sizes from a pixel to the patch's width, so that all levels of the tree are in use; no background."""
    patch, state = scene(
        seed, n_sources=4, n_bands=2, n_exposures=2, shape=(160, 144), k=8, j=4, ratio=(0.3, 1)
    )
    profile = state.profile.copy()
    profile[:, :, [1, 3, 5]] *= np.array([0.3, 1, 3, 6])[:, None, None] ** 2
    return patch, dataclasses.replace(state, profile=profile, background=np.zeros(2))


def errors(patch, state, options):
    """Largest model error over the peak, and flux error over the total, of each exposure's sum."""
    expected, ours = reference.model(patch, state), cpu.model(patch, state, options).astype("f8")
    return np.abs(ours - expected).max() / expected.max(), abs((ours - expected).sum()) / expected.sum()


@pytest.mark.parametrize(
    "options",
    [
        Shortcuts(),
        EXACT,
        dataclasses.replace(EXACT, lost=Shortcuts().lost),
        dataclasses.replace(EXACT, step_limit=Shortcuts().step_limit),
        dataclasses.replace(EXACT, wide=Shortcuts().wide, crowd=0),
    ],
    ids=["all", "none", "cut", "steps", "grids"],
)
def test_model_error(options):
    """1e-5 of the peak and 1e-6 of the flux, each shortcut alone and all together."""
    for seed in range(3):
        peak, flux = errors(*wide_scene(seed), options)
        assert peak < 1e-5
        assert flux < 1e-6


def test_gradient_with_all_shortcuts():
    patch, state = wide_scene(5)
    image = reference.model(patch, state)
    patch.data[:] = image + np.random.default_rng(1).normal(0, 0.2, image.shape)
    ours, exact = cpu.evaluate(patch, state)[1], cpu.evaluate(patch, state, EXACT)[1]
    assert np.abs(ours - exact).max() < 1e-4 * np.abs(exact).max()
    assert (np.abs(ours - exact).max(axis=0) < 1e-3 * np.abs(exact).max(axis=0)).all()


def test_grids_are_in_use():
    """The scenes above would tell nothing if no Gaussian stood on a coarser grid."""
    patch, state = wide_scene(0)
    assert (
        cpu.model(patch, state) != cpu.model(patch, state, dataclasses.replace(Shortcuts(), wide=1e3))
    ).any()


def test_exponential():
    """Relative error below 2e-7 (1 + |x|), the bound that the module states."""
    x = np.linspace(-86.9, 80, 20001, dtype="f4")
    ours = np.array([exponential(v) for v in x], "f8")
    assert (np.abs(ours / np.exp(x.astype("f8")) - 1) < 2e-7 * (1 + np.abs(x))).all()


def test_interpolation_error():
    """A Gaussian of sigma c pitches: error below 1.63 c^-8 of its peak along an axis."""
    for level in range(1, len(PITCH)):
        nodes = PITCH[level] * np.arange(8)
        for c in (3.0, 5.5):
            for centre in np.linspace(-40, 100, 15):
                f = lambda t, m=centre, s=c * PITCH[level]: np.exp(-0.5 * ((t - m) / s) ** 2)  # noqa: E731
                for half in range(2):
                    child = half * 8 * 2 ** (level - 1) + PITCH[level - 1] * np.arange(8)
                    matrix = INTERPOLATION[level, half, 0].reshape(8, 8).astype("f8")
                    assert np.abs(matrix @ f(nodes) - f(child)).max() < 1.63 * c**-8 + 1e-6
