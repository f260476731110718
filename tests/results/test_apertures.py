"""Fluxes within circles: formula against a dense sum, model against GalSim's image, errors against draws."""

from dataclasses import dataclass

import galsim
import numpy as np
import pytest
from photutils.aperture import CircularAperture, aperture_photometry

from fpho.calibrate.camera import REFERENCE, bands_of, cameras, make_store
from fpho.calibrate.trial import prepare
from fpho.config import load_config
from fpho.geometry import offset
from fpho.parameters import scene_dtype
from fpho.psf import PSFStore
from fpho.results import optimum_apertures
from fpho.results.apertures import drawn_apertures
from fpho.results.circle import within
from fpho.simulate.drawing import jacobian, source_in_pixels

FINE = 9  # samples of GalSim's image per pixel
GALAXIES = [
    {"rhalf": 0.05, "sersic": 1.0, "q": 0.9, "pa": 0.3},
    {"rhalf": 0.2, "sersic": 1.5, "q": 0.6, "pa": 1.1},
    {"rhalf": 0.3, "sersic": 3.5, "q": 0.8, "pa": -0.7},
    {"is_point": True},
]


def dense(east, north, ee, nn, en, radius) -> float:
    """The same by a sum over rings and angles."""
    nodes, weights = np.polynomial.legendre.leggauss(400)
    r, angle = 0.5 * radius * (nodes[:, None] + 1), np.linspace(0, 2 * np.pi, 1000, endpoint=False)
    d = np.stack([r * np.cos(angle) - east, r * np.sin(angle) - north], axis=-1)
    covariance = np.array([[ee, en], [en, nn]])
    value = np.exp(-0.5 * np.einsum("...i,ij,...j->...", d, np.linalg.inv(covariance), d))
    value /= 2 * np.pi * np.sqrt(np.linalg.det(covariance))
    return float(np.sum(value * r * weights[:, None]) * 0.5 * radius * 2 * np.pi / 1000)


@pytest.mark.parametrize("seed", range(20))
def test_gaussian_in_a_circle(seed):
    """Round to edge-on, narrow to far wider than the circle, centred and off it: 2e-5."""
    rng = np.random.default_rng(seed)
    major, turn = 10 ** rng.uniform(-0.8, 1.0), rng.uniform(0, np.pi)
    minor = major * 10 ** rng.uniform(-1.0, 0.0)
    axes = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    covariance = axes @ np.diag([major**2, max(minor, 0.05) ** 2]) @ axes.T
    place = rng.normal(0, rng.choice([0, 0.1, 1.0]), 2)
    given = *place, covariance[0, 0], covariance[1, 1], covariance[0, 1], 1.0
    assert abs(within(*given) - dense(*given)) < 2e-5


@pytest.fixture(scope="module")
def setting(tmp_path_factory):
    config = load_config(None)
    store = tmp_path_factory.mktemp("psf") / "psfs.h5"
    make_store(config, store)
    return config, PSFStore(store)


def made(setting, galaxy):
    """(config, row, posterior, z) of one galaxy without noise, at its true values."""
    config, store = setting
    row = np.zeros(1, scene_dtype(bands_of(config)))
    row["q"], row["sersic"], row["rhalf"], row["is_valid"], row["roi"], row["id"] = (
        0.9,
        1.0,
        0.1,
        True,
        1.0,
        "a",
    )
    for name, value in galaxy.items():
        row[name] = value
    for b, band in enumerate(bands_of(config)):
        row[band] = 100.0 * (b + 1)
    row["ra"], row["dec"] = offset(*REFERENCE, 0.013, -0.009)
    rng = np.random.default_rng(3)
    exposures = [camera.expose(row, rng) for camera in cameras(config)]
    model, q = prepare(exposures, row, None, config, store, remainder=False)
    return config, row, model, model.transform.inverse_transform(q)


@pytest.mark.parametrize("galaxy", GALAXIES, ids=lambda g: f"{g.get('sersic', 'point')}")
def test_the_model_in_circles_is_that_of_galsim(setting, galaxy):
    """GalSim draws the source through the PSF image and the pixel, finely sampled; photutils sums: 0.3%."""
    config, row, model, z = made(setting, galaxy)
    found = drawn_apertures(model, z[None], model.transform.transform(z), (0.3, 0.6))
    for b, camera in enumerate(cameras(config)):
        wcs = jacobian(camera.wcs, row["ra"][0], row["dec"][0])
        scale = np.sqrt(abs(np.linalg.det([[wcs.dudx, wcs.dudy], [wcs.dvdx, wcs.dvdy]])))
        light = galsim.Convolve(source_in_pixels(row[0], camera.wcs, camera.psf), galsim.Pixel(1.0))
        image = light.drawImage(nx=48 * FINE + 1, ny=48 * FINE + 1, scale=1 / FINE, method="no_pixel").array
        for a, radius in enumerate(found.radius[0, b]):
            circle = CircularAperture((24 * FINE, 24 * FINE), radius / scale * FINE)
            expected = float(aperture_photometry(image, circle)["aperture_sum"][0]) * row[camera.band][0]
            assert found.flux[0, b, a] == pytest.approx(expected, rel=3e-3)
        fwhm = light.calculateFWHM() * scale
        assert galaxy.get("is_point") is None or found.radius[0, b, 0] == pytest.approx(fwhm, rel=0.05)


@dataclass(frozen=True)
class Known:
    """An optimum, as far as fluxes within circles ask for it."""

    z: np.ndarray
    covariance: np.ndarray


def test_errors_are_those_of_gaussian_draws(setting):
    """Propagated errors against draws of a narrow Gaussian posterior, correlated as the Fisher matrix says.

    128 draws give a width to 6%. Without how flux and size move together an error is three times as large.
    """
    _, _, model, z = made(setting, GALAXIES[1])
    covariance = np.linalg.inv(model.fisher(z)) * 0.05
    found = optimum_apertures(model, Known(z, covariance), (0.3,))
    draws = np.random.default_rng(0).multivariate_normal(z, covariance, 128)
    drawn = drawn_apertures(model, draws, model.transform.transform(z), (0.3,))
    assert np.allclose(found.flux, drawn.flux, atol=0.3 * found.error.max())
    assert np.allclose(found.error / drawn.error, 1, atol=0.25)
    total = model.plan.unit[0, :2] * np.sqrt(np.diag(covariance))[model.plan.index[0, :2]]
    assert np.all(found.error[0, :, 0] < total)


def test_no_pixels_no_flux(setting):
    """A band without images: NaN, not a number; the radius that is given stays."""
    _, _, model, z = made(setting, GALAXIES[0])
    gone = model.arrays.weight.copy()
    gone[model.arrays.exposure_start[1] :] = 0
    model.arrays = model.arrays.with_fields(weight=gone)
    found = optimum_apertures(model, Known(z, np.eye(len(z))), (0.3,))
    assert np.isfinite(found.flux[0, 0]).all() and np.isnan(found.flux[0, 1]).all()
    assert np.isnan(found.error[0, 1]).all() and found.radius[0, 1, 1] == 0.3
