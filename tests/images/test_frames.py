"""World coordinates that are valid but unusual, against astropy's transformations; what can't be right."""

import logging

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.wcs import WCS

from fpho.errors import InputError
from fpho.geometry import linearize
from fpho.images import ExposureSpec, open_store, read_exposure, write_store
from fpho.images.frames import check_wcs, leftover_sip
from fpho.images.wcs import header_wcs

from .making import DEC, RA, SCALE, header, write

SHAPE = (40, 50)
X, Y = np.array([3.0, 24.5, 44.0]), np.array([5.0, 19.5, 30.0])


def swapped():
    head = header(SHAPE)
    new = fits.Header({"BUNIT": "nJy", "RADESYS": "ICRS"})
    for key in ("CTYPE", "CUNIT", "CRVAL"):
        new[f"{key}1"], new[f"{key}2"] = head[f"{key}2"], head[f"{key}1"]
    step = SCALE / 3600
    new.update({"CRPIX1": head["CRPIX1"], "CRPIX2": head["CRPIX2"]})
    new.update({"CD1_1": 0.0, "CD1_2": step, "CD2_1": -step, "CD2_2": 0.0})
    return new


def test_axes_in_the_other_order():
    wanted = WCS(header(SHAPE)).pixel_to_world_values(X, Y)
    wcs = header_wcs(swapped(), "x.fits")
    assert np.allclose(wcs.pixel_to_world_values(X, Y), wanted, rtol=0, atol=1e-11)
    assert np.allclose(wcs.world_to_pixel_values(*wanted), (X, Y), atol=1e-6)
    _, scale = linearize(wcs, *wanted)
    assert np.allclose(scale, np.diag([-1, 1]) / SCALE, atol=1e-4)


def test_swapped_axes_survive_file_and_store(tmp_path):
    data = np.random.default_rng(1).normal(0, 1, SHAPE)
    path = write(tmp_path / "a.fits", SCI=(data, swapped()), ERR=np.ones(SHAPE))
    exposure = read_exposure(ExposureSpec(id="a", band="r", path=path))
    write_store(tmp_path / "p.h5", tmp_path / "m.h5", [exposure])
    back = open_store(tmp_path / "p.h5", tmp_path / "m.h5").wcs("a")
    assert np.array_equal(back.world_to_pixel_values(RA, DEC), exposure.wcs.world_to_pixel_values(RA, DEC))


@pytest.mark.parametrize(
    ("frame", "keywords"),
    [
        ("galactic", {"CTYPE1": "GLON-TAN", "CTYPE2": "GLAT-TAN"}),
        ("fk4", {"RADESYS": "FK4", "EQUINOX": 1950.0}),
        ("fk4", {"EQUINOX": 1950.0}),
        ("fk5", {"RADESYS": "FK5", "EQUINOX": 2000.0}),
        ("geocentrictrueecliptic", {"CTYPE1": "ELON-TAN", "CTYPE2": "ELAT-TAN"}),
    ],
)
def test_other_frames_become_icrs(frame, keywords):
    centre = SkyCoord(RA, DEC, unit="deg")
    head = header(SHAPE, **keywords)
    head.remove("RADESYS") if "RADESYS" not in keywords else None
    if frame.startswith("geocentric"):
        with pytest.raises(InputError, match="ELON"):
            header_wcs(head, "x.fits")
        return
    there = centre.transform_to(frame).spherical
    head["CRVAL1"], head["CRVAL2"] = there.lon.deg, there.lat.deg
    wcs = header_wcs(head, "x.fits")
    middle = (SHAPE[1] - 1) / 2, (SHAPE[0] - 1) / 2
    assert np.allclose(wcs.pixel_to_world_values(*middle), (RA, DEC), rtol=0, atol=1e-8)
    assert np.allclose(wcs.world_to_pixel_values(RA, DEC), middle, atol=1e-3)
    lon, lat = WCS(head).pixel_to_world_values(X, Y)
    right = SkyCoord(lon, lat, unit="deg", frame=frame).icrs
    assert np.allclose(wcs.pixel_to_world_values(X, Y), (right.ra.deg, right.dec.deg), rtol=0, atol=1e-10)


def test_plain_headers_keep_astropys_wcs():
    """Also with an equinox of 2000 and no frame, which is taken for ICRS."""
    head = header(SHAPE, EQUINOX=2000.0)
    head.remove("RADESYS")
    assert type(header_wcs(head, "x.fits")) is WCS and type(header_wcs(header(SHAPE), "x.fits")) is WCS


def test_leftover_sip_is_left_out_and_said(tmp_path, caplog):
    terms = {"A_ORDER": 2, "B_ORDER": 2, "A_2_0": 8.6e-4, "B_0_2": 3e-4}
    head = header(SHAPE, BUNIT="nJy", **terms)
    assert leftover_sip(head)
    plain = WCS(header(SHAPE))
    assert np.allclose(header_wcs(head, "x").pixel_to_world_values(0, 0), plain.pixel_to_world_values(0, 0))
    data = np.random.default_rng(1).normal(0, 1, SHAPE)
    path = write(tmp_path / "a.fits", SCI=(data, head), ERR=np.ones(SHAPE))
    with caplog.at_level(logging.WARNING, "fpho"):
        exposure = read_exposure(ExposureSpec(id="a", band="r", path=path))
    assert "SIP" in caplog.text and "a.fits" in caplog.text
    assert "A_ORDER" not in exposure.header
    asked = header(SHAPE, **terms, CTYPE1="RA---TAN-SIP", CTYPE2="DEC--TAN-SIP")
    assert not leftover_sip(asked)
    bent = header_wcs(asked, "x").pixel_to_world_values(0, 0)
    assert np.hypot(*(np.array(bent) - plain.pixel_to_world_values(0, 0))) * 3600 > 0.3 * SCALE


@pytest.mark.parametrize(
    ("keywords", "word"),
    [
        ({"PC1_1": 1.0, "PC2_2": 1.0, "CDELT1": 1.0, "CDELT2": 1.0}, "3600 x 3600 arcsec"),
        ({"PC1_1": -10 * SCALE / 3600}, "0.5 x 0.05 arcsec"),
        (
            {"CTYPE1": "RA---TAN-SIP", "CTYPE2": "DEC--TAN-SIP", "A_ORDER": 2, "B_ORDER": 2, "A_2_0": 0.03},
            "misses by",
        ),
    ],
)
def test_what_cannot_be_right(keywords, word):
    head = header(SHAPE, **keywords)
    with pytest.raises(InputError, match=word):
        check_wcs(header_wcs(head, "x.fits"), SHAPE, "x.fits")


def test_a_singular_matrix_is_named():
    head = header(SHAPE, PC1_1=0.0, PC1_2=0.0, PC2_1=0.0, PC2_2=0.0)
    with pytest.raises(InputError, match=r"x\.fits"):
        check_wcs(header_wcs(head, "x.fits"), SHAPE, "x.fits")


@pytest.mark.parametrize("keyword", ["CRVAL1", "CRPIX2", "CD1_1"])
def test_a_keyword_that_is_no_number_is_refused(keyword):
    """Readers take 0 for it, and every position is another."""
    with pytest.raises(InputError, match=f"{keyword} = 'unknown' is no number"):
        header_wcs(header(SHAPE, **{keyword: "unknown"}), "x.fits")


@pytest.mark.parametrize("factor", [1.0, 1.001, 0.8])
def test_two_matrices_must_agree(factor):
    """CD beside PC and CDELT, as where a header was updated with another's."""
    step = factor * SCALE / 3600
    head = header(SHAPE, CD1_1=-step, CD1_2=0.0, CD2_1=0.0, CD2_2=step)
    if factor == 0.8:
        with pytest.raises(InputError, match=r"its CD matrix .* is not that of PC and CDELT"):
            header_wcs(head, "x.fits")
    else:
        _, scale = linearize(header_wcs(head, "x.fits"), RA, DEC)
        assert np.allclose(scale, np.diag([-1, 1]) / SCALE, rtol=2e-3, atol=1e-3)
