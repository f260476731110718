"""Uncertainties that are no errors: found by names, units, and the scatter of blank pixels."""

import logging

import numpy as np
import pytest
from astropy.io import fits

from fpho.errors import InputError
from fpho.images import ExposureSpec, read_exposure

from .making import header, write

SHAPE = (40, 50)
SIGMA = 0.2


@pytest.fixture
def image(tmp_path):
    data = np.random.default_rng(1).normal(0, SIGMA, SHAPE).astype("f4")
    path = tmp_path / "image.fits"
    fits.PrimaryHDU(data, header(SHAPE, BUNIT="nJy")).writeto(path)
    return path


def beside(image, name, values, **keywords):
    path = image.with_name(name)
    fits.PrimaryHDU(np.full(SHAPE, values, "f4"), header(SHAPE, **keywords)).writeto(path)
    return path


def sigma_of(image, companion, **more):
    exposure = read_exposure(ExposureSpec(id="a", band="r", path=image, unc_path=companion, **more))
    return float(np.median(1 / exposure.ierr))


@pytest.mark.parametrize("name", ["image-invvar-r.fits.fz", "image_ivar.fits", "coadd.invvar.fits"])
def test_inverse_variances_by_the_files_name(image, name):
    assert sigma_of(image, beside(image, name, SIGMA**-2)) == pytest.approx(SIGMA, rel=1e-5)


@pytest.mark.parametrize("name", ["image_wtmap.fits", "image.weight_r.fits", "image_wgt.fits"])
def test_weights_by_the_files_name(image, name):
    assert sigma_of(image, beside(image, name, 1000.0)) == pytest.approx(SIGMA, rel=0.1)


@pytest.mark.parametrize("values", [SIGMA**-2, SIGMA**2, 1000.0])
def test_what_is_no_error_is_refused_where_nothing_says_what_it_is(image, values):
    """An inverse variance, a variance, exposure times; not what the row says to be an error."""
    path = beside(image, "other.fits", values)
    with pytest.raises(InputError, match=r"other.fits: taken for errors.*blank pixels scatter by.*unc_kind"):
        sigma_of(image, path)
    assert sigma_of(image, path, unc_kind="sigma") == pytest.approx(values, rel=1e-5)


@pytest.mark.parametrize("factor", [0.5, 1.0, 2.0])
def test_errors_need_no_name(image, factor):
    """Correlated noise of neighbours may halve the scatter of pixels."""
    assert sigma_of(image, beside(image, "other.fits", factor * SIGMA)) == pytest.approx(factor * SIGMA)


def test_errors_that_are_far_off_are_said(image, caplog):
    with caplog.at_level(logging.WARNING, "fpho"):
        sigma_of(image, beside(image, "image_rms.fits", 10 * SIGMA))
    assert "blank pixels scatter by 0.1" in caplog.text


@pytest.mark.parametrize("unit", ["s", "1/nJy2", "nJy2"])
def test_a_unit_that_no_error_has_is_refused(image, unit):
    with pytest.raises(InputError, match="no unit of a pixel's noise"):
        sigma_of(image, beside(image, "image_rms.fits", SIGMA, BUNIT=unit))


def test_a_survey_with_names_of_its_own(tmp_path):
    """SCI, MSK and WGT, as DES coadds have them."""
    data = np.random.default_rng(1).normal(0, SIGMA, SHAPE).astype("f4")
    mask = np.zeros(SHAPE, "i4")
    mask[3, 4] = 1
    planes = {"SCI": (data, header(SHAPE, MAGZERO=31.4)), "MSK": mask, "WGT": np.full(SHAPE, 3.0)}
    path = write(tmp_path / "coadd.fits", **planes)
    exposure = read_exposure(ExposureSpec(id="a", band="r", path=path))
    assert np.argwhere(exposure.ierr == 0).tolist() == [[3, 4]]
    assert np.median(1 / exposure.ierr[exposure.ierr > 0]) == pytest.approx(SIGMA, rel=0.1)


def test_a_map_of_blobs_is_no_mask(image):
    blobs = beside(image, "blobs.fits", -1)
    with pytest.raises(InputError, match=r"blobs.fits: a mask with values of -1"):
        sigma_of(image, beside(image, "image_rms.fits", SIGMA), mask_path=blobs)


def test_an_asdf_file_is_named(image):
    path = image.with_name("image.asdf")
    path.write_bytes(b"#ASDF 1.0.0\n#ASDF_STANDARD 1.5.0\n%YAML 1.1\n")
    with pytest.raises(InputError, match=r"image.asdf: an ASDF file. Give a FITS file"):
        read_exposure(ExposureSpec(id="a", band="r", path=path))
