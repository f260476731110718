"""Remainders: mixture and remainder together are the PSF, against GalSim's drawing of sources through it."""

import galsim
import numpy as np
import pytest

from fpho.psf import PSFStore, effective_image, fit_mixture, write_store
from fpho.psf.accuracy import optical_image, optical_psfs
from fpho.psf.build import as_group, whole
from fpho.psf.mixture import evaluate
from fpho.psf.readers import read_fits
from fpho.psf.remainder import Remainder, czt_2d, remainder_of
from fpho.psf.source import Source

POINT = np.ones(1), np.zeros((1, 3))


def drawn(remainder, amplitude, covariance, offset, size, ignored=0.0):
    """Mixture and remainder under a source at the middle of `size` pixels + offset."""
    y, x = np.indices((size, size)) - size // 2
    out = np.zeros((size, size))
    for a, (xx, yy, xy) in zip(amplitude, covariance, strict=True):
        wide = remainder.mixture * [a, 1, 1, 1, 1, 1] + [0, 0, 0, xx, yy, xy]
        out += evaluate(wide, x - offset[0], y - offset[1])
    side = remainder.side(amplitude, covariance, ignored)
    if side:
        left = remainder.image(amplitude, covariance, offset, side)
        full = np.zeros((size + 2 * side,) * 2)
        low = size // 2 + side - side // 2
        full[low : low + side, low : low + side] = left
        out += full[side:-side, side:-side]
    return out


def worst_light(difference):
    """Largest light in a quadrant or a ring of 4 pixels."""
    y, x = np.indices(difference.shape) - len(difference) // 2
    ring = (np.hypot(x, y) // 4).astype(int).ravel()
    quadrants = [difference[(a * x > 0) & (b * y >= 0)].sum() for a in (-1, 1) for b in (-1, 1)]
    return max(*map(abs, quadrants), abs(np.bincount(ring, difference.ravel())).max())


@pytest.fixture(scope="module")
def struts():
    """An optical PSF with struts, FWHM 2.3 pixels, 4 samples per pixel; a rough mixture of it."""
    psf = list(optical_psfs())[3][1]
    image = optical_image(psf, half_width=40)
    fit = fit_mixture(image / image.sum(), n_components=3, oversample=4, pixel_included=False)
    return psf / image.sum(), fit, remainder_of(fit.image, fit.mixture)


@pytest.mark.parametrize("phase", [(0, 0), (0.5, 0), (0.3, -0.2), (0.5, 0.5)])
def test_point_sources_at_sub_pixel_phases(struts, phase):
    """GalSim's own PSF, integrated over pixels; 0.1% of the peak and of the flux in quadrants and rings."""
    psf, fit, remainder = struts
    truth = psf.drawImage(nx=31, ny=31, scale=1, offset=phase, dtype=float).array
    alone = evaluate(fit.mixture, *(np.indices((31, 31))[::-1] - 15 - np.reshape(phase, (2, 1, 1)))) - truth
    both = drawn(remainder, *POINT, phase, 31) - truth
    assert abs(alone).max() > 0.02 * truth.max()
    assert abs(both).max() < 1e-3 * truth.max()
    assert worst_light(both) < 1e-3 < worst_light(alone)


def test_galaxies(struts):
    """A turned ellipse off the pixel's centre: its Gaussians through the PSF, drawn by GalSim."""
    psf, _, remainder = struts
    covariance = np.array([[4.0, 2.0, 0.9], [0.7, 0.5, 0.1]])
    light = [
        galsim.Gaussian(sigma=1.0, flux=flux).transform(*np.linalg.cholesky([[xx, xy], [xy, yy]]).ravel())
        for flux, (xx, yy, xy) in zip((0.7, 0.3), covariance, strict=True)
    ]
    light = [one.withFlux(flux) for one, flux in zip(light, (0.7, 0.3), strict=True)]
    seen = galsim.Convolve(galsim.Add(light), psf)
    truth = seen.drawImage(nx=25, ny=25, scale=1, offset=(0.2, -0.4), dtype=float)
    both = drawn(remainder, np.array([0.7, 0.3]), covariance, (0.2, -0.4), 25)
    assert abs(both - truth.array).max() < 1e-3 * truth.array.max()


@pytest.mark.parametrize(("step", "sigma"), [(1.0, 1.3), (0.73, 1.0), (1.25, 1.7), (1 / 3, 0.8)])
def test_samples_of_any_step(step, sigma):
    """Two Gaussians described by one that is too narrow; the samples tell what is between them."""
    size = 2 * int(20 / step) + 1
    y, x = (np.indices((size, size)) - size // 2) * step
    true = np.array([[0.6, 0.1, -0.2, sigma**2, sigma**2, 0.1], [0.4, 0, 0.3, 3 * sigma**2, 4.0, 0]])
    image = effective_image(evaluate(true, x, y) * step**2, oversample=1 / step)
    remainder = remainder_of(image, np.array([[1.0, 0, 0, 0.4, 0.5, 0]]))
    y, x = np.indices((31, 31)) - 15
    for phase in ((0, 0), (0.4, -0.3)):
        truth = evaluate(true, x - phase[0], y - phase[1])
        assert abs(drawn(remainder, *POINT, phase, 31) - truth).max() < 1e-3 * truth.max()


def test_no_light_comes_in(struts):
    """Mixture and remainder have the image's light, what the mixture has beyond the stamp is taken off."""
    _, fit, remainder = struts
    left = remainder.image(*POINT, (0.1, 0.2), remainder.side(*POINT, 0.0)).sum()
    light = fit.image.data.sum() * fit.image.step**2
    assert fit.mixture[:, 0].sum() + left == pytest.approx(light, abs=3e-4)
    assert remainder.values.sum() * fit.image.step**2 > 2e-3


def test_what_is_below_the_noise_is_not_drawn(struts):
    """The smaller box holds the same image; a bright source has a larger one; faint ones have none."""
    _, _, remainder = struts
    peak = remainder.reach[1][0]
    sides = [remainder.side(*POINT, ignored) for ignored in (0.0, 0.01 * peak, 0.2 * peak, 1e3 * peak)]
    assert sides == sorted(sides, reverse=True) and sides[-1] == 0
    large, small = (remainder.image(*POINT, (0.3, 0), side) for side in (sides[0], sides[1]))
    cut = (sides[0] - sides[1]) // 2
    inner = large[cut : cut + sides[1], cut : cut + sides[1]]
    assert abs(inner - small).max() < 0.02 * peak
    blurred = remainder.image(np.ones(1), np.array([[9.0, 9.0, 0]]), (0.3, 0), sides[0])
    assert abs(blurred).max() <= remainder._bound(np.ones(1), np.array([[9.0, 9.0, 0]]))


def test_undersampled_native_stamps_have_none():
    y, x = np.indices((25, 25)) - 12
    image = effective_image(evaluate(np.array([[1.0, 0, 0, 0.25, 0.25, 0]]), x, y))
    assert remainder_of(image, np.array([[1.0, 0, 0, 0.3, 0.3, 0]])) is None


def test_the_store_keeps_them(tmp_path, struts):
    _, fit, remainder = struts
    write_store(tmp_path / "s.h5", {"a": as_group([whole(fit)]), "b": as_group([fit])})
    store = PSFStore(tmp_path / "s.h5")
    kept = store.remainder("a")
    assert isinstance(kept, Remainder) and kept.values.dtype == np.float32
    assert kept.step == 0.25 and kept.center == remainder.center
    assert np.array_equal(kept.values, remainder.values) and np.array_equal(kept.mixture, fit.mixture)
    assert store.remainder("a") is kept and store.remainder("b") is None


def test_a_nircam_psf(shared_data):
    """F200W by 6 Gaussians: quadrants to 1% by themselves, to 0.1% with the remainder, spikes and all."""
    path = shared_data / "jwst_ceers" / "psf" / "psf_F200W.fits"
    image = read_fits(Source("F200W", path, pixel_response="included"))[0]
    fit = fit_mixture(image, n_components=6)
    assert fit.quality["quadrant"] < 0.01 and fit.quality["centroid"] < 0.02
    remainder, phase, size = remainder_of(image, fit.mixture), (0.5, 0.25), 161
    truth = galsim.InterpolatedImage(
        galsim.Image(image.data), scale=1, flux=1, x_interpolant=galsim.Lanczos(31), normalization="sb"
    ).drawImage(nx=size, ny=size, scale=1, offset=phase, method="no_pixel", dtype=float)
    difference = drawn(remainder, *POINT, phase, size) - truth.array
    assert abs(difference).max() < 1e-3 * truth.array.max()
    assert worst_light(difference) < 1e-3
    y, x = np.indices((size, size)) - size // 2
    alone = evaluate(fit.mixture, x - phase[0], y - phase[1]) - truth.array
    assert abs(alone).max() > 1e-2 * truth.array.max()


@pytest.mark.parametrize("step", [0.25, 1 / 3, 0.37])
def test_transform_is_the_sum_it_says(step):
    """At the frequencies of a box, for steps that divide it and for one that does not."""
    values = np.random.default_rng(2).normal(size=(11, 9)).astype("f4")
    spacing, n = step / 16, 5
    u, v = np.arange(n + 1) * spacing, np.arange(-n, n + 1) * spacing
    rows, columns = np.arange(11), np.arange(9)
    wanted = np.exp(-2j * np.pi * np.outer(v, rows)) @ values @ np.exp(-2j * np.pi * np.outer(columns, u))
    np.testing.assert_allclose(czt_2d(values, spacing, n), wanted, atol=1e-5)
