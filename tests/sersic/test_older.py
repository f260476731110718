"""The older table: normalised with a warning, cubic splines, widths fixed on the sky."""

import h5py
import numpy as np
import pytest
from scipy.interpolate import RectBivariateSpline

from fpho.errors import InputError
from fpho.sersic import check_bounds, load_table


def write_older(path, total):
    n, r = np.linspace(0.8, 5.0, 7), np.linspace(0, 1, 9)
    grid = np.array([[np.array([1, a, a * b + 0.3, b + 0.1]) for b in r] for a in n])
    grid *= (total(n[:, None], r[None]) / grid.sum(axis=2))[..., None]
    with h5py.File(path, "w") as file:
        file["nsersic"], file["rh"] = np.repeat(n, len(r)), np.tile(r, len(n))
        file["amplitudes"], file["radii"] = grid.reshape(-1, 4), [0.0, 0.1, 0.4, 1.2]
    return n, r, grid / grid.sum(axis=2, keepdims=True)


def test_normalised_with_the_worst_flux_error_said(tmp_path):
    n, r, grid = write_older(tmp_path / "t.h5", lambda n, r: 1 - 0.06 * (n / 5) * r)
    with pytest.warns(UserWarning, match=r"-6\.0%"):
        table = load_table(tmp_path / "t.h5")
    at_n, at_r = np.array([1.3, 2.77, 4.9]), np.array([0.03, 0.55, 0.97])
    profile, count = table.evaluate(at_n, at_r, np.zeros(3, bool))
    assert count.tolist() == [4, 4, 4]
    assert profile[:, :, 0].sum(axis=1) == pytest.approx(1, abs=1e-12)
    assert profile[0, :, 1] == pytest.approx([0, 0.01, 0.16, 1.44])
    for k in range(4):  # scipy's bicubic spline through the same points
        spline = RectBivariateSpline(n, r, grid[:, :, k], s=0)
        assert profile[:, k, 0] == pytest.approx(spline.ev(at_n, at_r), abs=1e-10)
        assert profile[:, k, 2] == pytest.approx(spline.ev(at_n, at_r, dx=1), abs=1e-8)
        assert profile[:, k, 4] == pytest.approx(spline.ev(at_n, at_r, dy=1), abs=1e-8)


def test_bounds_must_stay_in_the_grid(tmp_path):
    write_older(tmp_path / "t.h5", lambda n, r: 1 + 0 * n * r)
    with pytest.warns(UserWarning):
        table = load_table(tmp_path / "t.h5")
    with pytest.raises(InputError, match="rhalf_range"):
        check_bounds(table, (0.8, 5.0), (0.01, 5.0))


def test_incomplete_grid_is_refused(tmp_path):
    with h5py.File(tmp_path / "t.h5", "w") as file:
        file["nsersic"], file["rh"] = [1.0, 1, 2], [0.1, 0.2, 0.1]
        file["amplitudes"], file["radii"] = np.ones((3, 2)), [0.1, 0.2]
    with pytest.raises(InputError, match="full grid"):
        load_table(tmp_path / "t.h5")


def test_the_example_file(shared_data):
    with pytest.warns(UserWarning, match="normalised"):
        table = load_table(shared_data / "existing_layouts" / "sersic_splinedata_large.h5")
    profile, count = table.evaluate([1.0, 4.0], [0.1, 0.3], [False, False])
    assert count.tolist() == [9, 9]
    assert profile[:, :, 0].sum(axis=1) == pytest.approx(1)
    # half the light lies within rhalf, as well as this table has it: its radii are off by up to 4.5%
    inside = np.sum(profile[0, 1:, 0] * -np.expm1(-(0.1**2) / (2 * profile[0, 1:, 1]))) + profile[0, 0, 0]
    assert inside == pytest.approx(0.5, abs=0.02)
