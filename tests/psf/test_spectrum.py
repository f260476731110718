"""Transforms of sums of Gaussians by recurrences, against the formula."""

import numpy as np
import pytest

from fpho.psf.spectrum import gaussian_spectrum


def formula(amplitude, covariance, n_u, n_v, spacing):
    u, v = np.arange(n_u + 1)[None] * spacing, np.arange(-n_v, n_v + 1)[:, None] * spacing
    terms = [
        a * np.exp(-2 * np.pi**2 * (xx * u * u + yy * v * v + 2 * xy * u * v))
        for a, (xx, yy, xy) in zip(amplitude, covariance, strict=True)
    ]
    return np.sum(terms, axis=0)


def covariance_of(size, ratio, angle):
    c, s = np.cos(angle), np.sin(angle)
    turn = np.array([[c, -s], [s, c]])
    full = turn @ np.diag([size**2, (size * ratio) ** 2]) @ turn.T
    return [full[0, 0], full[1, 1], full[0, 1]]


@pytest.mark.parametrize("ratio", [1.0, 0.5, 0.05])
@pytest.mark.parametrize("box", [24, 96, 1024])
def test_formula(box, ratio):
    """Narrow and wide components, long ones at all angles, a point, some with negative light."""
    angles = np.linspace(0, np.pi, 13)
    covariance = [covariance_of(size, ratio, angle) for angle in angles for size in (0.01, 0.6, 4.0, 30.0)]
    covariance = np.array([*covariance, [0, 0, 0]])
    amplitude = np.random.default_rng(3).uniform(-0.2, 1, len(covariance))
    n = box // 2
    expected = formula(amplitude, covariance, n, n + 3, 1 / box)
    found = gaussian_spectrum(amplitude, covariance, n, n + 3, 1 / box)
    assert abs(found - expected).max() < 1e-10 * abs(amplitude).sum()


def test_one_frequency():
    found = gaussian_spectrum(np.array([2.0]), np.array([[1.0, 2.0, 0.3]]), 0, 0, 0.01)
    assert found.tolist() == [[2.0]]
