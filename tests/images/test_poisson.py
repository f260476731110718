"""Errors that follow the noise of their own pixels, drawn by GalSim; fluxes of known shapes by sums."""

import logging

import galsim
import numpy as np
import pytest

from fpho.images import Exposure
from fpho.images.poisson import with_expected_errors

SIDE, ACROSS = 48, 8  # pixels and galaxies
READ_NOISE = 3.0


def light():
    """Image (SIDE, SIDE) of a galaxy of flux 1."""
    psf = galsim.Moffat(beta=3.5, fwhm=0.15)
    profile = galsim.Convolve(
        galsim.Exponential(half_light_radius=0.2).shear(q=0.7, beta=17 * galsim.degrees), psf
    )
    return profile.drawImage(nx=SIDE, ny=SIDE, scale=0.05).array.astype("f8")


def exposure(data, sigma):
    ierr = (1 / sigma).astype("f4")
    return Exposure("a", "r", "exposure", data.astype("f4"), ierr, wcs=None, header=None)


def pulls(image, truth, shape):
    """(ACROSS**2,) deviations of weighted fluxes, in their errors."""

    def cut(plane):
        parts = plane.astype("f8").reshape(ACROSS, SIDE, ACROSS, SIDE)
        return parts.transpose(0, 2, 1, 3).reshape(-1, SIDE, SIDE)

    data, weight = cut(image.data), cut(image.ierr) ** 2
    precision = (weight * shape**2).sum(axis=(1, 2))
    return ((weight * shape * data).sum(axis=(1, 2)) / precision - truth) * np.sqrt(precision)


@pytest.fixture(scope="module", params=[(6000.0, 5.0), (800.0, 50.0)], ids=["bright", "faint"])
def drawn(request):
    flux, sky = request.param
    shape = light()
    expected = np.tile(flux * shape, (ACROSS, ACROSS)) + sky
    rng = np.random.default_rng(8)
    counts = rng.poisson(expected) + rng.normal(0, READ_NOISE, expected.shape)
    own = np.sqrt(np.maximum(counts, 0) + READ_NOISE**2)
    right = np.sqrt(expected + READ_NOISE**2)
    return flux, shape, exposure(counts - sky, own), exposure(counts - sky, right)


def test_fluxes_are_as_with_expected_errors(drawn, caplog):
    flux, shape, own, right = drawn
    assert pulls(own, flux, shape).mean() < -1
    with caplog.at_level(logging.WARNING, "fpho"):
        mended = with_expected_errors(own)
    assert "a: errors follow the noise" in caplog.text
    wanted, found = pulls(right, flux, shape), pulls(mended, flux, shape)
    assert abs(found.mean() - wanted.mean()) < 0.1  # of 4 and 1.5
    assert found.std() == pytest.approx(wanted.std(), rel=0.1)


def test_expected_errors_stay(drawn):
    assert with_expected_errors(drawn[3]) is drawn[3]


def test_structure_of_the_errors_that_is_no_poisson_noise_stays():
    """Coverage in steps, and pixels of independent noise: nothing is taken from the neighbours."""
    rng = np.random.default_rng(2)
    sigma = np.where(np.arange(200) < 80, 1.0, 2.0) * rng.uniform(0.8, 1.2, (200, 200))
    image = exposure(rng.normal(0, sigma), sigma)
    assert with_expected_errors(image) is image


def test_masked_pixels_stay_masked_and_do_not_spread(drawn):
    own = drawn[2]
    ierr, data = own.ierr.copy(), own.data.copy()
    ierr[20:23, 20:23] = data[20:23, 20:23] = 0
    ierr[::7, ::5] = data[::7, ::5] = 0
    mended = with_expected_errors(Exposure("a", "r", "exposure", data, ierr, wcs=None, header=None))
    assert np.array_equal(mended.ierr > 0, ierr > 0) and np.isfinite(mended.ierr).all()
    good = ierr > 0
    assert np.median(mended.ierr[good] / ierr[good]) == pytest.approx(1, abs=0.1)
