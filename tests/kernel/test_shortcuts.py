"""Each shortcut against its stated bound, and all of them together on large smooth scenes."""

import dataclasses

import numpy as np
import pytest

from fpho.kernel import cpu, mixture
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
        dataclasses.replace(EXACT, merge_error=Shortcuts().merge_error),
    ],
    ids=["all", "none", "cut", "steps", "grids", "merged"],
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


def narrow_profile(rng):
    """Eight Gaussians of sigma 0.02 to 2.5 with random derivatives, as a profile (8, 6)."""
    v = np.sort(np.geomspace(0.02, 2.5, 8) * rng.uniform(0.8, 1.2, 8)) ** 2
    return np.concatenate([[rng.dirichlet(np.ones(8)), v], rng.normal(0, 0.1, (4, 8)) * v]).T


@pytest.mark.parametrize("seed", range(5))
def test_error_of_merging(seed):
    """Groups of a profile against their two Gaussians, on lines from the centre: the bound of `mixture`."""
    rng = np.random.default_rng(seed)
    profile, q = narrow_profile(rng), rng.uniform(0.2, 1)
    shape, psf = np.array([1 / q, q, 0.0]), np.array([1.0, 0, 0, *rng.uniform(0.3, 3, 2), 0.1])
    limit, line = 10.0 ** rng.uniform(-7, -3), np.linspace(0, 6, 61)
    end = mixture.group(0, *shape, psf, profile, 8, limit)
    assert end == 1 or end > 2

    def light(a, v, angle):
        s = np.diag(v * shape[:2]) + [[psf[3], psf[5]], [psf[5], psf[4]]]
        d = np.array([np.cos(angle), np.sin(angle)])
        height = a / (2 * np.pi * np.sqrt(np.linalg.det(s)))
        return height * np.exp(-0.5 * line**2 * (d @ np.linalg.solve(s, d)))

    gauss = np.zeros((2, mixture.COLUMNS))
    nodes = gauss[: mixture.put_nodes(0, 0, end, profile, gauss)][:, [mixture.WEIGHT, mixture.V]]
    for angle in (0.0, 0.7, 1.6):
        error = sum(light(*p, angle) for p in profile[:end, :2]) - sum(light(*p, angle) for p in nodes)
        assert np.abs(error).max() < limit + 1e-14


@pytest.mark.parametrize("end", [3, 5, 8])
def test_derivatives_of_merged(end):
    """The two Gaussians of a group move with the profile as their derivatives say."""
    rng = np.random.default_rng(end)
    profile, gauss = narrow_profile(rng), np.zeros((3, 2, mixture.COLUMNS))
    for columns, by in (((2, 3), (mixture.A_N, mixture.V_N)), ((4, 5), (mixture.A_R, mixture.V_R))):
        for i, h in enumerate((0.0, 1e-6, -1e-6)):
            moved = profile.copy()
            moved[:, :2] += h * profile[:, columns]
            assert mixture.put_nodes(0, 0, end, moved, gauss[i]) == 2
        expected = (gauss[1] - gauss[2])[:, [mixture.WEIGHT, mixture.V]] / 2e-6
        np.testing.assert_allclose(gauss[0][:, by], expected, rtol=1e-6, atol=1e-9)


def test_merging_is_in_use():
    """A tenth of the Gaussians of a galaxy and more, with the default limit."""
    patch, state = wide_scene(0)
    counts = []
    for options in (Shortcuts(), EXACT):
        size = 4 * 8 * 4
        arrays = np.zeros((size, mixture.COLUMNS)), np.zeros((4, size), "f4"), np.zeros((size + 1, 4), "i4")
        geometry = patch.position, patch.scale, patch.gain, patch.psf_index, patch.psf, patch.psf_count
        now = options.vector(), *geometry, state.sources, state.profile, state.profile_count
        counts.append(mixture.set_up(0, 0, *now, *arrays))
    assert counts[1] == size and counts[0] < 0.95 * size, counts


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
