"""Readers: units, uncertainties, masks, backgrounds; what they refuse."""

import re

import numpy as np
import pytest
from astropy.io import fits

from fpho.config import Preprocess
from fpho.errors import InputError
from fpho.images import ExposureSpec, check_place, read_exposure, read_fits, validate
from fpho.images.units import flux_factor

from .making import DEC, RA, header, write

SHAPE = (40, 50)


@pytest.fixture
def data():
    return np.random.default_rng(1).normal(0, 2.0, SHAPE)


def spec(path, **more):
    return ExposureSpec(id="a", band="r", path=path, **more)


@pytest.mark.parametrize(
    ("keywords", "factor"),
    [
        ({"FLUXSCL": 3.0}, 3.0),
        ({"ZP": 31.4}, 1.0),
        ({"ABMAG": 28.9}, 10.0),
        ({"BUNIT": "nJy"}, 1.0),
        ({"BUNIT": "mJy"}, 1e6),
        ({"BUNIT": "nanomaggy"}, 3631.0),
        ({"BUNIT": "MJy/sr", "PIXAR_SR": 9.31e-14}, 93.1),
        # ACS F814W: the published AB zeropoint of this PHOTFLAM is 25.94 (ACS data handbook)
        ({"PHOTFLAM": 7.03e-20, "PHOTPLAM": 8045.0, "BUNIT": "ELECTRONS/S"}, 10 ** (0.4 * (31.4 - 25.947))),
        ({"PHOTFLAM": 7.03e-20, "PHOTPLAM": 8045.0, "BUNIT": "ELECTRONS", "EXPTIME": 100.0}, 1.5177),
    ],
)
def test_calibration(keywords, factor):
    assert flux_factor((fits.Header(keywords),), "x.fits") == pytest.approx(factor, rel=2e-3)


@pytest.mark.parametrize("keywords", [{}, {"BUNIT": "MJy"}, {"FLUXSCL": -1.0}, {"ZP": "unknown"}])
def test_unknown_calibration_stops(keywords):
    with pytest.raises(InputError, match=r"x\.fits.*flux_scale"):
        flux_factor((fits.Header(keywords),), "x.fits")


@pytest.mark.parametrize(
    ("kind", "power"), [("sigma", 1.0), ("variance", 2.0), ("ivar", -2.0), ("weight", -2.0)]
)
def test_kinds_of_uncertainty(tmp_path, data, kind, power):
    """All say sigma = 2; a weight is right but for its factor, which blank pixels tell (to 5% of 2000)."""
    values = np.full(SHAPE, 2.0**power) * (17.0 if kind == "weight" else 1.0)
    path = write(tmp_path / "a.fits", SCI=(data, header(SHAPE, ZP=28.9)), ERR=values)
    exposure = read_exposure(spec(path, unc_kind=kind))
    assert np.allclose(exposure.ierr, 1 / 20.0, rtol=0.08 if kind == "weight" else 1e-6)
    assert np.allclose(exposure.data, 10 * data, rtol=1e-6)
    assert exposure.data.dtype == exposure.ierr.dtype == np.float32


def test_bad_values_and_mask_bits(tmp_path, data):
    err = np.full(SHAPE, 2.0)
    data[0, 0], data[0, 1], err[1, 0], err[1, 1], err[1, 2] = np.nan, np.inf, 0, -1, np.nan
    mask = np.zeros(SHAPE, "i4")
    mask[2, :3] = 1, 2, 4
    path = write(tmp_path / "a.fits", SCI=(data, header(SHAPE, BUNIT="nJy")), ERR=err, DQ=mask)
    bad = read_exposure(spec(path)).ierr == 0
    assert bad.sum() == 8 and bad[0, :2].all() and bad[1, :3].all() and bad[2, :3].all()
    exposure = read_exposure(spec(path), Preprocess(bitmask=5))
    assert (exposure.ierr == 0)[2, :3].tolist() == [True, False, True]
    assert np.isfinite(exposure.data).all() and np.all(exposure.data[exposure.ierr == 0] == 0)


def test_separate_files_background_and_snr_cap(tmp_path, data):
    sky = np.full(SHAPE, 3.0)
    sci = write(tmp_path / "sci.fits", {"FILTER": "r"}, SCI=(data + sky, header(SHAPE)))
    # extension 1 of the file of uncertainties is another science image: ERR is what counts
    unc = write(tmp_path / "unc.fits", SCI=data, ERR=np.full(SHAPE, 2.0))
    mask = write(tmp_path / "mask.fits", MASK=np.eye(*SHAPE, dtype="i2"))
    back = write(tmp_path / "back.fits", BKG=sky)
    row = spec(sci, unc_path=unc, mask_path=mask, background_path=back, flux_scale=5.0)
    exposure = read_exposure(row, Preprocess(max_snr=1.0, noise_scale=1.5))
    good = exposure.ierr > 0
    assert (~good).sum() == min(SHAPE)
    assert np.allclose(exposure.data[good], 5 * data[good], atol=1e-5)
    snr = np.abs(exposure.data) * exposure.ierr
    assert snr.max() == pytest.approx(1.0, rel=1e-5)
    quiet = good & (np.abs(data) < 2.9)
    assert np.allclose(exposure.ierr[quiet], 1 / 15.0) and exposure.noise_scale == 1.5


def test_hst_drizzled_and_single(tmp_path, data):
    """Drizzled: electrons/s, weights of unknown scale; single: electrons, exposure time in the primary."""
    photometry = {"PHOTFLAM": 7.03e-20, "PHOTPLAM": 8045.0}
    factor = 10 ** (0.4 * (31.4 - 25.947))
    telescope = {"TELESCOP": "HST", "EXPTIME": 200.0}
    head = header(SHAPE, BUNIT="ELECTRONS/S", **photometry)
    planes = {"SCI": (data, head), "WHT": np.full(SHAPE, 200.0), "CTX": np.ones(SHAPE, "i4")}
    drizzled = read_exposure(spec(write(tmp_path / "a_drc.fits", telescope, **planes)))
    assert np.allclose(drizzled.data, data * factor, rtol=2e-3)
    assert np.median(drizzled.ierr) == pytest.approx(1 / (2 * factor), rel=0.08)
    head = header(SHAPE, BUNIT="ELECTRONS", **photometry)
    planes = {"SCI": (200 * data, head), "ERR": np.full(SHAPE, 400.0), "DQ": np.zeros(SHAPE, "i2")}
    single = read_exposure(spec(write(tmp_path / "a_flc.fits", telescope, **planes)))
    assert np.allclose(single.data, data * factor, rtol=2e-3)
    assert np.allclose(single.ierr, 1 / (2 * factor), rtol=2e-3)


def test_plain_file_by_index(tmp_path, data):
    images = [fits.ImageHDU(data, header(SHAPE, FLUXSCL=2.0, FILTER="F814W")), fits.ImageHDU(data * 0 + 1)]
    fits.HDUList([fits.PrimaryHDU(), *images]).writeto(tmp_path / "field.fits")
    exposure = read_fits(tmp_path / "field.fits", sci_ext=1, unc_ext=2)
    assert (exposure.id, exposure.band) == ("field", "F814W") and np.allclose(exposure.ierr, 0.5)


def test_validate_names_what_is_wrong(tmp_path, data):
    good = {"SCI": (data, header(SHAPE, BUNIT="nJy", FILTER="g")), "ERR": np.ones(SHAPE)}
    ok = write(tmp_path / "ok.fits", **good)
    no_err = write(tmp_path / "no_err.fits", SCI=good["SCI"])
    no_wcs = write(tmp_path / "no_wcs.fits", SCI=(data, fits.Header({"BUNIT": "nJy"})), ERR=np.ones(SHAPE))
    other = write(tmp_path / "other.fits", SCI=good["SCI"], ERR=np.ones((3, 3)))
    text = tmp_path / "text.fits"
    text.write_text("not an image")
    rows = [spec(p) for p in (ok, no_err, no_wcs, other, text, tmp_path / "absent.fits")]
    found = [str(problem) for problem in validate(rows)]
    wanted = ["no_err.*ERR", "no_wcs.*WCS", r"other.*\(3, 3\)", "text.*FITS", "absent.*no such file"]
    assert len(found) == len(wanted)
    for message, pattern in zip(found, wanted, strict=True):
        assert re.search(pattern, message), message
    mixed = [spec(ok), ExposureSpec(id="b", band="g", path=ok)]
    assert [("FILTER" in str(problem)) for problem in validate(mixed)] == [True]
    check_place(spec(ok), np.array([RA]), np.array([DEC]))
    with pytest.raises(InputError, match=r"overlap.*ra 53\.100000.*ra 53\.200000.*deg away"):
        check_place(spec(ok), np.array([RA + 0.1]), np.array([DEC]))
