"""Parameters: one order, two conventions, and the ellipticity in between."""

import numpy as np
import pytest

from fpho import parameters as p

BANDS = ("g", "r")


def test_vector_and_rows_are_inverse():
    """Across ra = 0: offsets from the reference are small, and come back within [0, 360)."""
    rows = np.zeros(3, p.scene_dtype(BANDS))
    rng = np.random.default_rng(1)
    for name in p.q_names(BANDS):
        rows[name] = rng.uniform(0.1, 1, 3)
    rows["ra"] = [359.9999, 0.0001, 0.0]
    reference = (0.00005, 0.5)
    q = p.source_vector(rows, BANDS, reference)
    assert q.shape == (3 * 8,)
    block = q.reshape(3, 8)
    assert np.array_equal(block[:, 0], rows["g"]) and np.abs(block[:, 2]).max() < 2e-4
    again = p.fill_rows(rows, q, BANDS, reference)
    for name in p.q_names(BANDS):
        np.testing.assert_allclose(again[name], rows[name], atol=1e-12)
    assert np.all((again["ra"] >= 0) & (again["ra"] < 360))


@pytest.mark.parametrize(("degrees", "pa"), [(0, np.pi / 2), (90, 0), (45, np.pi / 4), (135, -np.pi / 4)])
def test_position_angles(degrees, pa):
    """East of north in tables, from east towards north in code; half a turn is the same ellipse."""
    for turn in (-360, -180, 0, 180):
        assert p.pa_from_position_angle(degrees + turn) == pytest.approx(pa)
    for turn in (-np.pi, 0, np.pi):
        assert p.position_angle(pa + turn) == pytest.approx(degrees)


def test_ellipticity_and_back():
    rng = np.random.default_rng(2)
    q, pa = rng.uniform(0.3, 0.999, 100), rng.uniform(-1.57, 1.57, 100)
    again = p.from_ellipticity(*p.ellipticity(q, pa))
    np.testing.assert_allclose(again, (q, pa), rtol=1e-9, atol=1e-9)


def test_shape_matrix_is_the_rotated_ellipse():
    """R(pa) diag(1/q^2, q^2) R(pa)^t, written out."""
    q, pa = 0.7, 0.4
    turn = np.array([[np.cos(pa), -np.sin(pa)], [np.sin(pa), np.cos(pa)]])
    wanted = turn @ np.diag([1 / q**2, q**2]) @ turn.T
    ee, nn, en = p.shape_matrix(*p.ellipticity(q, pa))
    np.testing.assert_allclose([ee, nn, en], [wanted[0, 0], wanted[1, 1], wanted[0, 1]], rtol=1e-12)


def test_every_column_is_described():
    names = set(p.scene_dtype(()).names)
    assert names == set(p.DESCRIPTIONS)
