"""Drawn images against definitions: flux, centroid, orientation on the sky, noise, PSF."""

import numpy as np
import pytest

from fpho.parameters import scene_dtype
from fpho.simulate import (
    draw_exposure,
    draw_noiseless,
    make_wcs,
    moffat_psf,
    optical_psf,
    psf_from_image,
    psf_image,
)

RA, DEC = 150.1, 42.3  # far from the equator, so that a missing cos(dec) shows


def one_source(**values):
    rows = np.zeros(1, scene_dtype(["r"]))
    start = {
        "ra": RA,
        "dec": DEC,
        "q": 0.8,
        "pa": 0.4,
        "sersic": 1.0,
        "rhalf": 0.3,
        "r": 100.0,
        "is_valid": True,
    }
    for name, value in {**start, **values}.items():
        rows[name] = value
    return rows


def sky_moments(image, wcs):
    """(flux, mean east, mean north in arcsec, covariance (2, 2) in arcsec^2) of an image."""
    y, x = np.indices(image.shape)
    ra, dec = wcs.pixel_to_world_values(x, y)
    offsets = np.stack([(ra - RA) * np.cos(np.radians(DEC)), dec - DEC]) * 3600
    weight = image / image.sum()
    mean = np.sum(weight * offsets, axis=(1, 2))
    d = offsets - mean[:, None, None]
    return image.sum(), mean, np.einsum("yx,iyx,jyx->ij", weight, d, d)


@pytest.mark.parametrize("rotation", [0.0, 35.0, 200.0])
def test_flux_position_and_angle_on_the_sky(rotation):
    wcs = make_wcs(RA, DEC, 0.05, (201, 181), rotation)
    rows = one_source(ra=RA + 0.2 / 3600 / np.cos(np.radians(DEC)), dec=DEC - 0.3 / 3600)
    image = draw_noiseless(rows, wcs, moffat_psf(0.05, 0.05, beta=5), (201, 181), "r")
    flux, mean, covariance = sky_moments(image, wcs)
    assert flux == pytest.approx(100, rel=2e-3)
    assert mean == pytest.approx([0.2, -0.3], abs=1e-3)
    angle = 0.5 * np.arctan2(2 * covariance[0, 1], covariance[0, 0] - covariance[1, 1])
    assert angle == pytest.approx(0.4, abs=0.01)  # from east towards north, as `pa` says


def test_half_of_the_light_within_rhalf():
    wcs = make_wcs(RA, DEC, 0.02, (301, 301))
    rows = one_source(q=1.0, sersic=0.8, rhalf=0.5)
    image = draw_noiseless(rows, wcs, moffat_psf(0.01, 0.02, beta=5), (301, 301), "r")
    radius = 0.02 * np.hypot(*(np.indices(image.shape) - 150))
    assert image[radius < 0.5].sum() == pytest.approx(50, rel=0.01)


def test_noise_is_reproducible_and_white():
    wcs = make_wcs(RA, DEC, 0.05, (64, 60))
    psf = moffat_psf(0.12, 0.05)
    draw = [
        draw_exposure(one_source(), wcs, psf, (64, 60), 2.0, "r", np.random.default_rng(3), 5.0) for _ in "ab"
    ]
    assert np.array_equal(*draw)
    rest = draw[0] - 5.0 - draw_noiseless(one_source(), wcs, psf, (64, 60), "r")
    assert np.std(rest) == pytest.approx(2.0, rel=0.05)
    assert abs(np.mean(rest)) < 5 * 2 / 60


def test_truth_is_drawn_through_the_image_a_user_gets():
    """A star drawn through the oversampled PSF image equals the effective PSF image at its pixels."""
    psf = psf_from_image(psf_image(optical_psf(0.9, 2.4, 0.04), 4, 241, False), 4)
    effective = psf_image(psf, 3, 187, True, taper=False)
    star = one_source(is_point=True, rhalf=0.0, r=1.0)
    image = draw_noiseless(star, make_wcs(RA, DEC, 0.04, (41, 41)), psf, (41, 41), "r")
    native = effective[93 - 60 : 93 + 61 : 3, 93 - 60 : 93 + 61 : 3] * 9  # pixel sums from samples
    assert np.abs(image - native).max() < 2e-3 * image.max()
