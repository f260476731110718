"""Patches and sources at the edge of what there is."""

import dataclasses

import numpy as np
import pytest

from fpho.kernel import cpu
from tests import reference
from tests.kernel.scenes import scene


def compare(patch, state, gradient=True):
    """The kernel against the reference: 1e-5 of the peak, gradient 1e-4 of its largest element."""
    expected = reference.model(patch, state)
    peak = max(np.abs(expected - expected.min()).max(), 1e-3) if expected.size else 1.0
    assert np.abs(cpu.model(patch, state) - expected).max(initial=0.0) < 1e-5 * peak
    chi2, ours, by_background = cpu.evaluate(patch, state)
    np.testing.assert_allclose(chi2, reference.chi2(patch, state), rtol=2e-6, atol=1e-12)
    if gradient:
        both = np.concatenate([ours.ravel(), by_background])
        truth = reference.gradient(patch, state)
        assert np.abs(both - truth).max() < 1e-4 * max(np.abs(truth).max(), 1e-9)


def test_bad_pixels_do_not_count():
    """Whatever stands in a pixel without weight, it changes nothing."""
    patch, state = scene(0, shape=(24, 24))
    data = patch.data.copy()
    data[patch.weight == 0] = np.resize([np.nan, np.inf, -np.inf, 1e30], (patch.weight == 0).sum())
    marred = dataclasses.replace(patch, data=data)
    for ours, expected in zip(cpu.evaluate(marred, state), cpu.evaluate(patch, state), strict=True):
        np.testing.assert_array_equal(ours, expected)
    assert np.isfinite(cpu.fisher(marred, state)).all()


def test_no_weight_at_all():
    patch, state = scene(1, shape=(24, 24))
    chi2, gradient, by_background = cpu.evaluate(
        dataclasses.replace(patch, weight=np.zeros_like(patch.weight)), state
    )
    assert not chi2.any() and not gradient.any() and not by_background.any()


def test_source_outside_all_exposures():
    patch, state = scene(2, shape=(24, 24))
    patch.position[:, 0] = 1e5, -3e4
    compare(patch, state)
    assert not cpu.evaluate(patch, state)[1][0].any()


def test_exposure_without_pixels():
    patch, state = scene(3, shape=(16, 24), n_exposures=2)
    half = patch.exposure_start[1]
    empty = dataclasses.replace(
        patch,
        data=patch.data[half:],
        weight=patch.weight[half:],
        tile_x=patch.tile_x[half:],
        tile_y=patch.tile_y[half:],
        exposure_start=np.array([0, 0, len(patch.data) - half]),
    )
    compare(empty, state)
    assert cpu.evaluate(empty, state)[0][0] == 0


def test_one_pixel():
    patch, state = scene(4, n_sources=1, n_bands=1, n_exposures=1, shape=(8, 8))
    patch.weight[:] = 0
    patch.weight[0, 27] = 4.0
    patch.position[:] = 3.2, 3.1
    compare(patch, state)


def test_no_tiles():
    patch, state = scene(4, n_sources=1, n_bands=1, n_exposures=1, shape=(8, 8))
    nothing = dataclasses.replace(
        patch,
        data=patch.data[:0],
        weight=patch.weight[:0],
        tile_x=patch.tile_x[:0],
        tile_y=patch.tile_y[:0],
        exposure_start=np.array([0, 0]),
    )
    chi2, gradient, _ = cpu.evaluate(nothing, state)
    assert chi2.tolist() == [0.0] and not gradient.any() and cpu.model(nothing, state).shape == (0, 64)


def test_no_sources():
    patch, state = scene(5, n_sources=1, shape=(16, 16))
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
    chi2, gradient, by_background = cpu.evaluate(none, empty)
    np.testing.assert_allclose(chi2, reference.chi2(none, empty), rtol=1e-6)
    assert gradient.shape == (0, state.sources.shape[1]) and by_background.shape == (2,)
    assert cpu.fisher(none, empty).shape == (2, 2)


def test_200_sources():
    """More Gaussians than the lists of the small scenes hold."""
    patch, state = scene(6, n_sources=200, n_bands=1, n_exposures=1, shape=(64, 64), k=4, j=2)
    compare(patch, state, gradient=False)
    few = reference.variations(patch, state)[::97]
    gradient = np.append(cpu.evaluate(patch, state)[1].ravel(), 0)[::97]
    expected = [reference.derivative(lambda s: reference.chi2(patch, s).sum(), *v) for v in few]
    assert np.abs(gradient[: len(expected)] - expected).max() < 1e-4 * np.abs(expected).max()


@pytest.mark.parametrize("rhalf", [1e-4, 0.003, 3.0, 30.0])
@pytest.mark.parametrize("ratio", [1.0, 0.05])
def test_extreme_sizes_and_axis_ratios(rhalf, ratio):
    patch, state = scene(7, n_sources=2, n_bands=1, n_exposures=1, shape=(72, 80), ratio=(ratio, ratio))
    profile = state.profile.copy()
    size = rhalf / np.sqrt((profile[:, :, 0] * profile[:, :, 1]).sum(axis=1))
    profile[:, :, [1, 3, 5]] *= size[:, None, None] ** 2
    compare(patch, dataclasses.replace(state, profile=profile))


def test_point_source():
    """One component of variance 0: the PSF itself; no derivative by shape."""
    patch, state = scene(8, n_sources=1, n_bands=1, n_exposures=1, shape=(32, 32))
    profile = np.zeros_like(state.profile)
    profile[0, 0, 0] = 1.0
    point = dataclasses.replace(state, profile=profile, profile_count=np.array([1], "i4"))
    compare(patch, point)
    assert not cpu.evaluate(patch, point)[1][0, 3:].any()


def test_zero_flux_has_a_flux_gradient():
    patch, state = scene(9, n_sources=1, n_bands=1, n_exposures=1, shape=(32, 32))
    state.sources[0, 0] = 0.0
    compare(patch, state)
    assert cpu.evaluate(patch, state)[1][0, 0] != 0


def test_tiles_off_a_common_grid():
    """Tiles at any places are right, only slower."""
    patch, state = scene(10, n_sources=2, n_exposures=1, shape=(40, 48))
    rng = np.random.default_rng(0)
    shift = rng.integers(0, 5, (2, len(patch.tile_x))).astype("i4")
    compare(dataclasses.replace(patch, tile_x=patch.tile_x + shift[0], tile_y=patch.tile_y + shift[1]), state)


def test_missing_tiles():
    """A round region: the tree has nodes with missing children."""
    patch, state = scene(11, n_sources=2, n_exposures=1, shape=(136, 136))
    keep = np.hypot(patch.tile_x - 66, patch.tile_y - 66) < 60
    round_patch = dataclasses.replace(
        patch,
        data=patch.data[keep],
        weight=patch.weight[keep],
        tile_x=patch.tile_x[keep] - 1000,
        tile_y=patch.tile_y[keep] + 3,
        exposure_start=np.array([0, keep.sum()]),
        position=patch.position + [-1000, 3],
    )
    compare(round_patch, state)


def test_not_a_number_is_not_hidden():
    patch, state = scene(12, n_sources=1, shape=(16, 16))
    state.sources[0, 0] = np.nan
    assert np.isnan(cpu.evaluate(patch, state)[0][0])
