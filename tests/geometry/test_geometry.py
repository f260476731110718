"""Local linear WCS against astropy's full one, and places on the sky against astropy's coordinates."""

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.wcs import WCS

from fpho import geometry
from fpho.geometry import Circles, CircularRegion, footprint, inside_image, linearize, pixel_scale, separation

SHAPE = (1900, 2000)  # (ny, nx)


def tangent(ra=150.0, dec=-60.0, scale=0.05, rotation=35.0) -> WCS:
    wcs = WCS(naxis=2)
    cos, sin = np.cos(np.radians(rotation)), np.sin(np.radians(rotation))
    wcs.wcs.ctype, wcs.wcs.crval, wcs.wcs.crpix = ["RA---TAN", "DEC--TAN"], [ra, dec], [1000.5, 950.5]
    wcs.wcs.cd = scale / 3600 * np.array([[-cos, sin], [sin, cos]])
    return wcs


def with_sip() -> WCS:
    header = tangent().to_header(relax=True)
    header["CTYPE1"], header["CTYPE2"] = "RA---TAN-SIP", "DEC--TAN-SIP"
    header.update({"A_ORDER": 2, "B_ORDER": 2, "A_2_0": 3e-6, "A_1_1": -2e-6, "B_0_2": 4e-6, "B_2_0": 1e-6})
    return WCS(header)


def with_tpv() -> WCS:
    header = tangent().to_header(relax=True)
    header["CTYPE1"], header["CTYPE2"] = "RA---TPV", "DEC--TPV"
    header.update({"PV1_1": 1.002, "PV1_2": 1e-3, "PV1_4": 0.4, "PV2_1": 0.999, "PV2_2": -1e-3, "PV2_5": 0.3})
    return WCS(header)


@pytest.mark.parametrize(("make", "radius"), [(tangent, 5.0), (with_sip, 0.5), (with_tpv, 0.5)])
def test_linear_wcs_near_a_source(make, radius):
    """1e-3 pixel over `radius` arcsec, some 10 or 100 pixels: a cos(dec) gone wrong is pixels.

    These distortions are ten times those of real cameras, and bend by 1e-3 pixel over 1 arcsec by
    themselves; real headers are tested over 3 arcsec in tests/images/test_real.py.
    """
    wcs = make()
    ra, dec = wcs.pixel_to_world_values([300.0, 1800.0, 1000.0], [200.0, 1700.0, 900.0])
    xy, scale = linearize(wcs, ra, dec)
    assert np.allclose(xy, np.stack(wcs.all_world2pix(ra, dec, 0), axis=-1), atol=1e-6)
    angle = np.linspace(0, 2 * np.pi, 12, endpoint=False)[:, None]
    east, north = radius * np.cos(angle), radius * np.sin(angle)
    there = ra + east / 3600 / np.cos(np.radians(dec)), dec + north / 3600
    wanted = np.stack(wcs.all_world2pix(*there, 0), axis=-1)  # (12, 3, 2)
    found = xy[:, None] + moves_of(scale, east, north)
    assert np.max(np.abs(found - wanted.transpose(1, 0, 2))) < (4e-3 if make is tangent else 1e-3)


def moves_of(scale, east, north) -> np.ndarray:
    """(S, A, 2) pixels of A offsets by each source's D."""
    return np.einsum("sij,aj->sai", scale, np.hstack([east, north]))


def test_east_and_north():
    _, scale = linearize(tangent(dec=0.0, rotation=0.0, scale=0.5), 150.0, 0.0)
    assert np.allclose(scale[0], [[-2.0, 0.0], [0.0, 2.0]], atol=1e-6)
    assert linearize(tangent(), np.zeros(0), np.zeros(0))[1].shape == (0, 2, 2)


def test_pixel_scale_and_separation():
    assert pixel_scale(tangent(scale=0.07), SHAPE) == pytest.approx(0.07, rel=1e-6)
    a, b = SkyCoord(359.9999 * u.deg, 70 * u.deg), SkyCoord(0.0003 * u.deg, 70.0002 * u.deg)
    wanted = a.separation(b).arcsec
    assert separation(a.ra.deg, a.dec.deg, b.ra.deg, b.dec.deg) == pytest.approx(wanted, rel=1e-6)
    region = CircularRegion(359.9999, 70.0, 1.01 * wanted)
    assert region.contains(0.0003, 70.0002) and not region.contains(0.0003, 70.0004)


def test_inside_image_and_its_circle():
    wcs = tangent()
    corner = wcs.pixel_to_world_values([-0.4, -3.0, 1999.4], [-0.4, 10.0, 1899.4])
    assert inside_image(wcs, SHAPE, *corner).tolist() == [True, False, True]
    assert inside_image(wcs, SHAPE, *corner, margin=5).all()
    circle = footprint(wcs, SHAPE)
    assert circle.contains(*corner).all()
    assert circle.radius == pytest.approx(0.5 * 0.05 * np.hypot(*SHAPE), rel=0.03)


def test_distortion_does_not_fold_far_places_into_the_image():
    """The inverse of a SIP polynomial is meaningless degrees away; the antipode has no projection at all."""
    wcs = with_sip()
    ra, dec = np.array([150.0, 155.0, 330.0, 60.0]), np.array([-60.0, -50.0, 60.0, 20.0])
    assert inside_image(wcs, SHAPE, ra, dec).tolist() == [True, False, False, False]


@pytest.mark.parametrize("count", [3, 4000])
def test_circles_that_meet_another_are_found_anywhere(count):
    """As by looking at each: at a pole, where right ascension starts again, about half of the sky."""
    rng = np.random.default_rng(count)
    ra, dec = rng.uniform(0, 360, count), np.degrees(np.arcsin(rng.uniform(-1, 1, count)))
    dec[::3], ra[1::3] = 90 - rng.uniform(0, 1, len(dec[::3])), rng.uniform(-0.5, 0.5, len(ra[1::3]))
    dec[1::3] = rng.uniform(-0.5, 0.5, len(ra[1::3]))
    circles = [CircularRegion(*one) for one in zip(ra, dec, rng.uniform(1, 400, count), strict=True)]
    known, found = Circles(circles), 0
    for region in (
        CircularRegion(359.9, 0, 300),
        CircularRegion(12, 90, 2000),
        CircularRegion(5, 5, 3e5),
        circles[0],
    ):
        apart = [one.separation(region.ra, region.dec) <= one.radius + region.radius for one in circles]
        assert known.meeting(region).tolist() == np.flatnonzero(apart).tolist()
        found += sum(apart)
    assert found > count / 4


def test_of_circles_elsewhere_none_is_looked_at(monkeypatch):
    """A survey that is ten times as wide asks no more for each of its patches."""
    looked = []
    real = geometry.separation
    monkeypatch.setattr(
        geometry, "separation", lambda *where: looked.append(np.size(where[-1])) or real(*where)
    )
    for wide in (1.0, 10.0):
        ra, dec = (one.ravel() for one in np.meshgrid(*2 * [np.arange(0, wide, 0.02)]))
        Circles(CircularRegion(*one, 100.0) for one in zip(ra, dec, strict=True)).meeting(
            CircularRegion(0.5, 0.5, 2.0)
        )
    assert looked[0] == looked[1] < 30
