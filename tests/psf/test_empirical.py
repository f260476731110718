"""PSFs from stars against GalSim: dithered, undersampled stars give encircled energy and fluxes of others."""

from dataclasses import replace

import galsim
import numpy as np
import pytest

from fpho.psf.empirical import Stamps, _stars, fit_stars, left_out

HALF = 8  # pixels, of stamps
STEP = 1 / 8
FINE = 1 / 40


@pytest.fixture(scope="module")
def effective():
    """A telescope's PSF with the pixel in it, undersampled, by its image on fine samples."""
    optics = galsim.OpticalPSF(lam_over_diam=1.05, obscuration=0.15, coma1=0.02, astig1=0.02)
    psf = galsim.Convolve(optics, galsim.Gaussian(sigma=0.25), galsim.Pixel(1.0))
    fine = psf.drawImage(nx=257, ny=257, scale=STEP, method="no_pixel")
    return galsim.InterpolatedImage(fine, x_interpolant="lanczos5", flux=1.0)


def drawn(effective, offsets, fluxes, rng=None):
    """Pixels (N, P) of stars."""
    n = 2 * HALF + 1
    images = [
        flux * effective.drawImage(nx=n, ny=n, scale=1, method="sb", offset=tuple(offset)).array.ravel()
        for offset, flux in zip(offsets, fluxes, strict=True)
    ]
    noise = rng.standard_normal((len(images), n * n)) if rng is not None else 0.0
    return np.array(images) + noise


def stamps(data, star):
    y, x = np.mgrid[-HALF : HALF + 1, -HALF : HALF + 1].astype("f8")
    each = [np.tile(values.ravel(), (len(data), 1)) for values in (x, y)]
    return Stamps(*each, data, np.ones(data.shape), np.asarray(star))


@pytest.fixture(scope="module", params=[5, 1, 2])
def stars(effective, request):
    """15 stars of S/N 100 to 1000 in four exposures."""
    rng = np.random.default_rng(request.param)
    flux = np.repeat(1.3 * np.exp(rng.uniform(np.log(100), np.log(1000), 15)), 4)
    return stamps(drawn(effective, rng.uniform(-0.5, 0.5, (60, 2)), flux, rng), np.repeat(np.arange(15), 4))


@pytest.fixture(scope="module")
def made(stars):
    return fit_stars(stars, 1.6)


def test_encircled_energy(made, effective):
    """Within 0.5% at every radius; samples so fine that a circle's edge does not matter (0.05%)."""
    axis = np.arange(-made.half + FINE / 2, made.half, FINE)
    u, v = np.meshgrid(axis, axis)
    truth = effective.drawImage(nx=len(axis), ny=len(axis), scale=FINE, method="sb").array
    model = made.values(u, v)
    truth, model = truth / truth.sum(), model / model.sum()
    middle = [np.sum(model * place) for place in (u, v)]
    own = [np.sum(truth * place) for place in (u, v)]
    for radius in (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0):
        inside = truth[np.hypot(u - own[0], v - own[1]) < radius].sum()
        found = model[np.hypot(u - middle[0], v - middle[1]) < radius].sum()
        assert found == pytest.approx(inside, abs=0.005), radius
    assert np.median(made.chi2) == pytest.approx(1, abs=0.1)


def test_fluxes_of_other_stars(made, effective):
    rng = np.random.default_rng(9)
    data = drawn(effective, rng.uniform(-0.5, 0.5, (20, 2)), np.full(20, 1000.0))
    n = np.arange(-made.half + STEP / 2, made.half, STEP).size
    within = effective.drawImage(nx=n, ny=n, scale=STEP, method="sb").array.sum() * STEP**2
    start = replace(made, flux=np.full(20, 900.0), place=np.zeros((20, 2)), chi2=np.ones(20))
    ratio = _stars(start, stamps(data, np.arange(20)), steps=8).flux / (1000 * within)
    assert np.std(ratio) < 0.005  # wherever on a pixel they fall
    assert np.mean(ratio) == pytest.approx(1, abs=0.003)


def test_galaxies_are_not_described(effective):
    """Objects of several sizes give no PSF: those left out say so."""
    rng = np.random.default_rng(3)
    data = []
    for _ in range(8):
        galaxy = galsim.Convolve(effective, galsim.Gaussian(sigma=rng.uniform(0.5, 1.5)))
        data.append(drawn(galaxy, rng.uniform(-0.5, 0.5, (1, 2)), [600.0], rng)[0])
    chi2, *_ = left_out(stamps(np.array(data), np.arange(8)), 2.5)
    assert np.median(chi2) > 2
