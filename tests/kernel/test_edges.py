"""Patches and sources at the edge of what there is."""

import dataclasses

import numpy as np
import pytest

from tests import reference
from tests.kernel.backends import sized
from tests.kernel.scenes import scene

# For all scenes that say nothing else.
SMALL = sized({}, {"n_sources": 2, "n_bands": 1, "n_exposures": 1, "k": 3, "j": 2})


def compare(kernel, patch, state, gradient=True):
    """The kernel against the reference: 1e-5 of the peak, gradient 1e-4 of its largest element."""
    expected = reference.model(patch, state)
    peak = max(np.abs(expected - expected.min()).max(), 1e-3) if expected.size else 1.0
    assert np.abs(kernel.model(patch, state) - expected).max(initial=0.0) < 1e-5 * peak
    chi2, ours, by_background = kernel.evaluate(patch, state)
    np.testing.assert_allclose(chi2, reference.chi2(patch, state), rtol=2e-6, atol=1e-12)
    if gradient:
        both = np.concatenate([ours.ravel(), by_background])
        truth = reference.gradient(patch, state)
        assert np.abs(both - truth).max() < 1e-4 * max(np.abs(truth).max(), 1e-9)


def test_bad_pixels_do_not_count(kernel):
    """Whatever stands in a pixel without weight, it changes nothing."""
    patch, state = scene(0, shape=sized((24, 24), (8, 16)), **SMALL)
    data = patch.data.copy()
    data[patch.weight == 0] = np.resize([np.nan, np.inf, -np.inf, 1e30], (patch.weight == 0).sum())
    marred = dataclasses.replace(patch, data=data)
    for ours, expected in zip(kernel.evaluate(marred, state), kernel.evaluate(patch, state), strict=True):
        np.testing.assert_array_equal(ours, expected)
    assert np.isfinite(kernel.fisher(marred, state)).all()


def test_no_weight_at_all(kernel):
    patch, state = scene(1, shape=sized((24, 24), (8, 16)), **SMALL)
    chi2, gradient, by_background = kernel.evaluate(
        dataclasses.replace(patch, weight=np.zeros_like(patch.weight)), state
    )
    assert not chi2.any() and not gradient.any() and not by_background.any()


def test_source_outside_all_exposures(kernel):
    patch, state = scene(2, shape=sized((24, 24), (16, 16)), **SMALL)
    patch.position[:, 0] = 1e5, -3e4
    compare(kernel, patch, state)
    assert not kernel.evaluate(patch, state)[1][0].any()


def test_exposure_without_pixels(kernel):
    patch, state = scene(3, n_exposures=2, **sized({"shape": (16, 24)}, {"shape": (8, 16), "n_sources": 1}))
    half = patch.exposure_start[1]
    empty = dataclasses.replace(
        patch,
        data=patch.data[half:],
        weight=patch.weight[half:],
        tile_x=patch.tile_x[half:],
        tile_y=patch.tile_y[half:],
        exposure_start=np.array([0, 0, len(patch.data) - half]),
    )
    compare(kernel, empty, state)
    assert kernel.evaluate(empty, state)[0][0] == 0


def test_one_pixel(kernel):
    patch, state = scene(4, n_sources=1, n_bands=1, n_exposures=1, shape=(8, 8))
    patch.weight[:] = 0
    patch.weight[0, 27] = 4.0
    patch.position[:] = 3.2, 3.1
    compare(kernel, patch, state)


def test_no_tiles(kernel):
    patch, state = scene(4, n_sources=1, n_bands=1, n_exposures=1, shape=(8, 8))
    nothing = dataclasses.replace(
        patch,
        data=patch.data[:0],
        weight=patch.weight[:0],
        tile_x=patch.tile_x[:0],
        tile_y=patch.tile_y[:0],
        exposure_start=np.array([0, 0]),
    )
    chi2, gradient, _ = kernel.evaluate(nothing, state)
    assert chi2.tolist() == [0.0] and not gradient.any() and kernel.model(nothing, state).shape == (0, 64)


def test_no_sources(kernel):
    patch, state = scene(5, n_sources=1, shape=sized((16, 16), (8, 8)))
    none = dataclasses.replace(
        patch,
        position=patch.position[:, :0],
        scale=patch.scale[:, :0],
        gain=patch.gain[:, :0],
        psf_index=patch.psf_index[:, :0],
    )
    empty = dataclasses.replace(
        state, sources=state.sources[:0], profile=state.profile[:0], profile_count=state.profile_count[:0]
    )
    chi2, gradient, by_background = kernel.evaluate(none, empty)
    np.testing.assert_allclose(chi2, reference.chi2(none, empty), rtol=1e-6)
    assert gradient.shape == (0, state.sources.shape[1]) and by_background.shape == (2,)
    assert kernel.fisher(none, empty).shape == (2, 2)


def test_200_sources(kernel):
    """More Gaussians than the lists of the small scenes hold."""
    size = sized({"n_sources": 200, "shape": (64, 64)}, {"n_sources": 3, "shape": (16, 16)})
    patch, state = scene(6, n_bands=1, n_exposures=1, k=4, j=2, **size)
    compare(kernel, patch, state, gradient=False)
    few = reference.variations(patch, state)[::97]
    gradient = np.append(kernel.evaluate(patch, state)[1].ravel(), 0)[::97]
    expected = [reference.derivative(lambda s: reference.chi2(patch, s).sum(), *v) for v in few]
    assert np.abs(gradient[: len(expected)] - expected).max() < 1e-4 * np.abs(expected).max()


@pytest.mark.parametrize("rhalf", sized([1e-4, 0.003, 3.0, 30.0], [1e-4, 30.0]))
@pytest.mark.parametrize("ratio", [1.0, 0.05])
def test_extreme_sizes_and_axis_ratios(kernel, rhalf, ratio):
    size = sized({"n_sources": 2, "shape": (72, 80)}, {"n_sources": 1, "shape": (16, 16)})
    patch, state = scene(7, n_bands=1, n_exposures=1, ratio=(ratio, ratio), **size)
    profile = state.profile.copy()
    size = rhalf / np.sqrt((profile[:, :, 0] * profile[:, :, 1]).sum(axis=1))
    profile[:, :, [1, 3, 5]] *= size[:, None, None] ** 2
    compare(kernel, patch, dataclasses.replace(state, profile=profile))


def test_point_source(kernel):
    """One component of variance 0: the PSF itself; no derivative by shape."""
    patch, state = scene(8, n_sources=1, n_bands=1, n_exposures=1, shape=sized((32, 32), (8, 8)))
    profile = np.zeros_like(state.profile)
    profile[0, 0, 0] = 1.0
    point = dataclasses.replace(state, profile=profile, profile_count=np.array([1], "i4"))
    compare(kernel, patch, point)
    assert not kernel.evaluate(patch, point)[1][0, 3:].any()


def test_zero_flux_has_a_flux_gradient(kernel):
    patch, state = scene(9, n_sources=1, n_bands=1, n_exposures=1, shape=sized((32, 32), (8, 8)))
    state.sources[0, 0] = 0.0
    compare(kernel, patch, state)
    assert kernel.evaluate(patch, state)[1][0, 0] != 0


def test_tiles_off_a_common_grid(kernel):
    """Tiles at any places are right, only slower."""
    patch, state = scene(10, n_sources=sized(2, 1), n_exposures=1, shape=sized((40, 48), (16, 24)))
    rng = np.random.default_rng(0)
    shift = rng.integers(0, 5, (2, len(patch.tile_x))).astype("i4")
    compare(
        kernel,
        dataclasses.replace(patch, tile_x=patch.tile_x + shift[0], tile_y=patch.tile_y + shift[1]),
        state,
    )


def test_missing_tiles(kernel):
    """A round region: the tree has nodes with missing children."""
    patch, state = scene(11, n_sources=sized(2, 1), n_exposures=1, shape=sized((136, 136), (24, 24)))
    middle = sized(66, 16)
    keep = np.hypot(patch.tile_x - middle, patch.tile_y - middle) < middle - 6
    round_patch = dataclasses.replace(
        patch,
        data=patch.data[keep],
        weight=patch.weight[keep],
        tile_x=patch.tile_x[keep] - 1000,
        tile_y=patch.tile_y[keep] + 3,
        exposure_start=np.array([0, keep.sum()]),
        position=patch.position + [-1000, 3],
    )
    compare(kernel, round_patch, state)


def test_not_a_number_is_not_hidden(kernel):
    patch, state = scene(12, n_sources=1, shape=sized((16, 16), (8, 8)))
    state.sources[0, 0] = np.nan
    assert np.isnan(kernel.evaluate(patch, state)[0][0])
