"""Full widths at half maximum, against formulae and against the area above half the peak."""

import numpy as np
import pytest

from fpho.psf.mixture import evaluate
from fpho.results.fwhm import fwhm

FWHM = 2 * np.sqrt(2 * np.log(2))


@pytest.mark.parametrize("sigma", [0.02, 1.0, 7.0])
@pytest.mark.parametrize("ratio", [1.0, 0.7])
def test_a_gaussian(sigma, ratio):
    """An ellipse has the area of the disc with the geometric mean of its axes as its diameter."""
    psf = np.array([[1.0, 0.3, -0.2, sigma**2, (sigma * ratio) ** 2, 0.0]])
    assert fwhm(psf) == pytest.approx(FWHM * sigma * np.sqrt(ratio), rel=2e-3 if ratio < 1 else 1e-5)


def test_a_mixture_with_negative_light():
    """Against the area above half the peak, summed on a fine grid."""
    psf = np.array(
        [
            [0.8, 0.0, 0.0, 1.0, 1.3, 0.2],
            [0.4, 0.1, -0.1, 9.0, 7.0, 1.0],
            [-0.2, 0.0, 0.2, 4.0, 4.0, 0.0],
        ]
    )
    x, y = np.meshgrid(*2 * [np.arange(-5, 5, 0.005)])
    values = evaluate(psf, x, y)
    area = np.count_nonzero(values > values.max() / 2) * 0.005**2
    assert fwhm(psf) == pytest.approx(2 * np.sqrt(area / np.pi), rel=3e-3)


def test_a_ray_that_never_falls():
    """It ends at four standard deviations: light that rises outwards has no half."""
    psf = np.array([[1.0, 0.0, 0.0, 1.0, 1.0, 0.0], [1e6, 500.0, 0.0, 1e4, 1e4, 0.0]])
    assert np.isfinite(fwhm(psf))
