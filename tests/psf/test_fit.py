"""PSF fits: what comes out is the effective PSF, to the limits, at all sub-pixel phases."""

import numpy as np
import pytest

from fpho.psf import effective_image, fit_locations, fit_mixture
from fpho.psf import fit as fitting
from fpho.psf.accuracy import misses, optical_image, optical_psfs, phase_errors, rows
from fpho.psf.interpolate import Locations
from fpho.psf.mixture import evaluate
from fpho.psf.samples import take

TRUE = np.array(
    [[0.6, 0.1, -0.2, 1.5, 1.1, 0.2], [0.5, 0.0, 0.1, 6.0, 7.0, -1.0], [-0.1, 0.5, 0.0, 3.0, 3.0, 0.0]]
)


def stamp(mixture=TRUE, size=41, oversample=1):
    y, x = (np.indices((size * oversample,) * 2) - (size * oversample - 1) / 2) / oversample
    return evaluate(mixture, x, y) / oversample**2


def test_a_mixture_is_found_again():
    """Three Gaussians, one negative: an image that the model can describe leaves no residual."""
    fit = fit_mixture(stamp(), n_components=3)
    assert fit.quality["pixel"] < 4e-3 and fit.quality["encircled_energy"] < 1e-3
    assert fit.mixture[:, 0].sum() == pytest.approx(1.0, abs=1e-10)
    assert not fit.quality["poor"]


def test_the_same_image_gives_the_same_mixture():
    one, two = (fit_mixture(stamp(size=25), n_components=2).mixture for _ in range(2))
    assert np.array_equal(one, two)


def test_one_gaussian_may_be_asked_for():
    assert fit_mixture(stamp(TRUE[:1] / [0.6, 1, 1, 1, 1, 1]), n_components=1).quality["pixel"] < 1e-3


def test_derivatives_of_the_fit():
    """Against central differences of the rows themselves (apertures and galaxy fluxes included)."""
    rows_ = fitting._Rows(take(effective_image(stamp(size=21))))
    theta, amp, step = rows_.theta(TRUE), TRUE[:, 0], 1e-5

    def model(flat):
        values, _ = fitting.gaussians(rows_.shapes(flat.reshape(theta.shape)), rows_.s.x, rows_.s.y)
        return rows_(values) @ amp

    values, precision = fitting.gaussians(rows_.shapes(theta), rows_.s.x, rows_.s.y)
    exact = rows_.derivatives(theta, amp, values, precision)
    for i in range(theta.size):
        shift = step * np.eye(theta.size)[i]
        numeric = (model(theta.ravel() + shift) - model(theta.ravel() - shift)) / (2 * step)
        assert exact[:, i] == pytest.approx(numeric, abs=1e-6 * np.abs(exact).max())


def test_undersampled_core_at_all_phases():
    """Core sigma of 0.4 pixel: the mixture at pixel centres is GalSim's integral over the pixels."""
    import galsim

    psf = galsim.Gaussian(sigma=0.4)
    fit = fit_mixture(optical_image(psf, 5, 8), oversample=5, pixel_included=False)
    worst, bias = phase_errors(psf, fit, phases=8)
    assert worst < 0.007
    assert abs(bias) < 0.005
    assert np.linalg.eigvalsh(fit.mixture[:, [3, 5, 5, 4]].reshape(-1, 2, 2)).min() >= 1 / 12 - 1e-9


def test_optical_psf_with_struts():
    name, psf = list(optical_psfs())[3]
    image = optical_image(psf, oversample=3, half_width=15)
    fit = fit_mixture(image / image.sum(), n_components=8, oversample=3, pixel_included=False, where=name)
    assert not fit.quality["poor"], fit.quality
    assert abs(phase_errors(psf, fit, phases=2, total=image.sum())[1]) < 0.005


def test_real_psfs_are_within_limits(shared_data, monkeypatch):
    """The coarser grid of `python -m fpho.psf.accuracy`: one ground-based, one NIRCam PSF."""
    pattern = ("decam_testcase3/r_425858*_psf.fits", "jwst_ceers/psf/psf_F410M.fits")
    monkeypatch.setattr("fpho.psf.accuracy.REAL", tuple((p, "fits", "included") for p in pattern))
    table = rows(shared_data, optical=False)
    assert len(table) == 2
    assert [misses(row) for row in table] == [[], []]


def test_components_correspond_over_the_detector():
    """The PSF half-way between two places is the mean of their parameters, to second order."""
    moved = TRUE + 0.3 * np.array([[0, 0.3, 0.2, 0.4, -0.1, 0.1]] * 3)
    images = [
        effective_image(stamp(mixture), location=place)
        for mixture, place in ((TRUE, (0.0, 0.0)), (moved, (100.0, 0.0)))
    ]
    mixtures = np.stack([fit.mixture for fit in fit_locations(images, n_components=3)])
    places = Locations([image.location for image in images])
    half = places.mix(mixtures, 50.0, 20.0, "linear")
    y, x = np.indices((41, 41)) - 20
    truth = evaluate((TRUE + moved) / 2, x, y)
    assert np.abs(evaluate(half, x, y) - truth).max() < 5e-3 * truth.max()
    assert half[:, 0].sum() == pytest.approx(1.0, abs=1e-9)
    assert np.array_equal(places.mix(mixtures, 60.0, 0.0), mixtures[1])
