"""The shipped table: one Gaussian at n = 0.5, smooth, exact derivatives, right against GalSim."""

from dataclasses import replace

import numpy as np
import pytest

from fpho.errors import InputError
from fpho.sersic import accuracy, check_bounds, load_table, write_table
from fpho.sersic.compact import fit_compact
from fpho.sersic.fit import fit_table, worst_errors
from fpho.sersic.profile import GAUSSIAN_SIGMA, convolved_brightness, curve_of_growth, surface_brightness
from fpho.sersic.table import b_spline_pieces


@pytest.fixture(scope="module")
def table():
    return load_table("default")


def evaluate(table, n, rhalf):
    profile, count = table.evaluate(np.atleast_1d(n), np.atleast_1d(rhalf), np.zeros(np.size(n), bool))
    assert np.all(count == profile.shape[1])
    return profile


def test_exact_profile_is_galsims():
    import galsim

    for n in (0.6, 1.0, 4.0, 6.0):
        referee = galsim.Sersic(n=n, half_light_radius=1.0)
        radius = np.array([0.1, 0.5, 1.0, 3.0])
        assert surface_brightness(radius, n) == pytest.approx(
            [referee.xValue(r, 0) for r in radius], rel=1e-4
        )
        inside = [referee.calculateIntegratedFlux(r) for r in radius]
        assert curve_of_growth(radius, n) == pytest.approx(inside, rel=1e-4)


def test_convolution_of_a_gaussian_is_a_gaussian():
    radius, sigma = np.linspace(0, 3, 7), 0.4
    var = sigma**2 + GAUSSIAN_SIGMA**2
    expected = np.exp(-(radius**2) / (2 * var)) / (2 * np.pi * var)
    assert convolved_brightness(radius, 0.5, sigma) == pytest.approx(expected, rel=1e-4, abs=1e-7)


def test_one_gaussian_at_half(table):
    profile = evaluate(table, 0.5, 0.3)[0]
    assert sorted(profile[:, 0])[:-1] == [0.0] * (table.n_components - 1)
    assert profile[:, 0].max() == pytest.approx(1.0, rel=1e-14)
    assert profile[profile[:, 0].argmax(), 1] == pytest.approx((0.3 * GAUSSIAN_SIGMA) ** 2, rel=1e-12)


def test_at_most_ten_components_with_the_whole_flux(table):
    n = np.linspace(*table.n_range, 300)
    weights = evaluate(table, n, np.ones_like(n))[:, :, 0]
    assert table.n_components <= 8
    assert np.abs(weights.sum(axis=1) - 1).max() < 1e-12
    assert weights[n > 0.5].min() >= 0


def test_what_cancels_below_half_is_nothing_to_single_precision(table):
    n = np.linspace(0.3, 0.5, 100)
    weights = evaluate(table, n, np.ones_like(n))[:, :, 0]
    assert weights.min() < -1 and np.abs(weights).sum(axis=1).max() < 40  # times 6e-8


def test_the_part_below_half_can_be_made_again(table):
    made = fit_compact(replace(table, compact=None), n_points=8, rounds=1)
    assert made.n_range == table.n_range
    assert worst_errors(made, 0.45)[0] < 0.02
    assert evaluate(made, [0.7], [1.0]) == pytest.approx(evaluate(table, [0.7], [1.0]), rel=0, abs=0)


def test_sizes_scale(table):
    small, large = evaluate(table, 3.3, 0.001)[0], evaluate(table, 3.3, 10.0)[0]
    assert large[:, 0] == pytest.approx(small[:, 0])
    assert large[:, 1] == pytest.approx(small[:, 1] * 1e8)


def test_derivatives_are_those_of_the_values(table):
    """Central differences, also beside n = 0.5; a wrong chain rule shows at once, rounding does not."""
    n, rhalf, step = (
        np.array([0.31, 0.42, 0.505, 0.7, 1.0, 2.5, 5.9]),
        np.array([0.2, 1.0, 0.02, 0.3, 1.0, 2.0, 0.1]),
        1e-5,
    )
    profile = evaluate(table, n, rhalf)
    by_n = (evaluate(table, n + step, rhalf) - evaluate(table, n - step, rhalf))[:, :, :2] / (2 * step)
    by_r = (evaluate(table, n, rhalf + step) - evaluate(table, n, rhalf - step))[:, :, :2] / (2 * step)
    assert profile[:, :, 2:4] == pytest.approx(by_n, rel=1e-5, abs=1e-7)
    assert profile[:, :, 4:6] == pytest.approx(by_r, rel=1e-5, abs=1e-7)


def test_second_derivative_has_no_jump(table):
    """Across every knot: the second difference from the left is that from the right."""
    u = np.log(table.spline_range)
    above = np.linspace(*u, len(table.weights) - 2)
    below = above[0] - np.arange(len(table.compact)) * (above[1] - above[0])
    knots = np.exp(np.concatenate([below, above[1:-1]]))
    step = 1e-4

    def second(n):
        first = evaluate(table, n + step, np.ones_like(n)) - evaluate(table, n - step, np.ones_like(n))
        return first[:, :, 2:4] / (2 * step)

    jump = np.abs(second(knots - 3 * step) - second(knots + 3 * step))
    assert jump.max() < 0.02 * np.abs(second(knots)).max()


def test_point_source_is_one_component_of_no_width(table):
    profile, count = table.evaluate([1.0, 1.0], [0.0, 0.2], [True, False])
    assert count.tolist() == [1, table.n_components]
    assert profile[0, 0].tolist() == [1, 0, 0, 0, 0, 0]


def test_within_limits_against_galsim(table):
    rows = accuracy.errors(
        table, ns=(0.3, 0.42, 0.6, 1.0, 2.5, 4.0, 6.0), rhalfs=(0.3, 2.0, 6.0), sigmas=(0.8, 3.0)
    )
    for row in rows:
        for name, limit in accuracy.LIMITS.items():
            assert row[name] < limit, (row["n"], name)


def test_between_the_grid_points_too(table):
    """Exact one-dimensional profiles: no error grows between the n that were fitted."""
    for n in [*np.linspace(0.302, 0.5, 17), *np.linspace(0.51, 6.0, 23)]:
        growth, radius, peak = worst_errors(table, n)
        assert growth < 0.003 and radius < 0.005 and peak < 0.005, n


def test_a_table_can_be_made_and_written(tmp_path):
    made = fit_table(n_components=5, n_knots=8, n_points=12, rounds=1, steps=5)
    write_table(tmp_path / "t.h5", made, fpho_version="0")
    read = load_table(tmp_path / "t.h5")
    assert read.evaluate([2.0], [1.0], [False])[0] == pytest.approx(made.evaluate([2.0], [1.0], [False])[0])
    assert worst_errors(read, 1.0)[0] < 0.01


def test_bad_tables_and_bounds_are_refused(tmp_path, table):
    with pytest.raises(InputError, match="no such Sersic table"):
        load_table(tmp_path / "none.h5")
    (tmp_path / "text.h5").write_text("no table")
    with pytest.raises(InputError, match="not an HDF5 file"):
        load_table(tmp_path / "text.h5")
    check_bounds(table, (0.3, 8.0), (0.001, 50.0))
    with pytest.raises(InputError, match="sersic_range"):
        check_bounds(table, (0.25, 6.0), (0.01, 5.0))


def test_pieces_are_scipys():
    """Values and all derivatives of the cubic pieces, against scipy's B-splines with their derivatives."""
    from scipy.interpolate import BSpline

    rng = np.random.default_rng(3)
    inner = np.sort(rng.uniform(0, 1, 9))
    knots = np.concatenate([[0.0] * 4, inner, [1.0] * 4])
    coefficients = rng.standard_normal((len(knots) - 4, 5))
    spline, breaks = BSpline(knots, coefficients, 3), np.append(0.0, inner)
    expected = [spline.derivative(k)(breaks) if k else spline(breaks) for k in range(4)]
    for k, pieces in enumerate(b_spline_pieces(knots, coefficients)):
        assert pieces * (1, 1, 2, 6)[k] == pytest.approx(expected[k], rel=1e-9, abs=1e-9)
