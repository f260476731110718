"""Real files: JWST as its pipeline writes it, mosaics with correlated noise, DECam with TPV distortion."""

import csv
import warnings

import numpy as np
import pytest
from astropy.io import fits

from fpho.config import Preprocess, load_config
from fpho.geometry import linearize, pixel_scale
from fpho.images import (
    ExposureSpec,
    measure_noise_scale,
    open_store,
    read_exposure,
    read_table,
    validate,
    write_store,
)
from fpho.images.wcs import difference, header_wcs
from tests.conftest import TOP


@pytest.fixture(scope="module")
def jwst(shared_data):
    path = shared_data / "jwst_cal_f444w" / "image.fits"
    with pytest.warns(UserWarning, match="cut-out whose gwcs"):
        spec = ExposureSpec(id="cal", band="F444W", path=path)
        return path, read_exposure(spec, Preprocess(errors="as_given"))


def test_jwst_units_area_and_mask(jwst):
    path, exposure = jwst
    with fits.open(path) as hdus:
        sci, err, dq, area = (hdus[name].data for name in ("SCI", "ERR", "DQ", "AREA"))
        factor = hdus["SCI"].header["PIXAR_SR"] * 1e15 * area
    good = exposure.ierr > 0
    assert np.array_equal(good, (dq & 1 == 0) & np.isfinite(sci) & np.isfinite(err) & (err > 0))
    assert np.allclose(exposure.data[good], (factor * sci)[good], rtol=1e-5)
    assert np.allclose(exposure.ierr[good] * (factor * err)[good], 1, rtol=1e-5)
    assert 0.062 < pixel_scale(exposure.wcs, sci.shape) < 0.064  # NIRCam's long channel


def test_jwst_gwcs_against_its_header(jwst, tmp_path):
    """The SIP terms follow the gwcs to hundredths of a pixel; a wrong origin would be hundreds of pixels."""
    path, exposure = jwst
    assert exposure.wcs_bytes.startswith(b"#ASDF")
    apart = difference(exposure.wcs, header_wcs(exposure.header, path), exposure.data.shape)
    assert 0 < apart < 0.05
    x, y = np.random.default_rng(1).uniform(0, 99, (2, 50))
    back = exposure.wcs.world_to_pixel_values(*exposure.wcs.pixel_to_world_values(x, y))
    assert np.allclose(back, (x, y), atol=1e-5)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        write_store(tmp_path / "p.h5", tmp_path / "m.h5", [exposure])
        restored = open_store(tmp_path / "p.h5", tmp_path / "m.h5").exposure("cal")
        ra, dec = exposure.wcs.pixel_to_world_values(40.0, 60.0)
        for a, b in zip(linearize(exposure.wcs, ra, dec), linearize(restored.wcs, ra, dec), strict=True):
            assert np.array_equal(a, b)


@pytest.mark.parametrize("name", ["decam_testcase3", "jwst_ceers"])
def test_configurations_of_the_real_data(shared_data, name):
    config = load_config(TOP / "config" / f"{name}.yaml")
    specs = read_table(TOP / config.images)
    assert validate(specs, config.preprocess) == []
    assert sorted({spec.band for spec in specs}) == sorted(config.bands)


def test_decam_flux_and_distortion(shared_data):
    """Sum over the cut-out is most of the galaxy's reference flux; D holds over 3 arcsec to 1e-3 pixel."""
    with open(shared_data / "decam_testcase3" / "tractor_reference.csv") as file:
        reference = next(csv.DictReader(file))
    specs = read_table(TOP / "config" / "decam_testcase3_images.tsv")
    for spec in specs:
        exposure = read_exposure(spec)
        part = exposure.data.sum() / float(reference[f"flux_{spec.band}_nJy"])
        assert 0.75 < part < 1.05
        assert "TPV" in exposure.header["CTYPE1"]
        ra, dec = float(reference["ra"]), float(reference["dec"])
        xy, scale = linearize(exposure.wcs, ra, dec)
        angle = np.linspace(0, 6, 9)
        there = ra + 3 * np.cos(angle) / 3600 / np.cos(np.radians(dec)), dec + 3 * np.sin(angle) / 3600
        found = xy + 3 * np.stack([np.cos(angle), np.sin(angle)], axis=-1) @ scale[0].T
        assert np.allclose(found, np.stack(exposure.wcs.all_world2pix(*there, 0), axis=-1), atol=1e-3)


def test_noise_scale_of_mosaics_and_single_images(shared_data):
    """The data's README: 8 x 8 sums scatter 1.7-2.1 times as the maps say on the mosaics; white on DECam."""
    options = Preprocess(noise_scale="measure")
    mosaics = [
        read_exposure(spec, options).noise_scale
        for spec in read_table(TOP / "config" / "jwst_ceers_images.tsv")
    ]
    assert 1.5 < min(mosaics) and max(mosaics) < 2.4 and 1.7 < np.median(mosaics) < 2.1
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a galaxy fills some of these
        single = [
            read_exposure(s, options).noise_scale
            for s in read_table(TOP / "config" / "decam_testcase3_images.tsv")
        ]
    assert 0.9 < min(single) and max(single) < 1.2


def test_noise_scale_is_unbiased():
    """Known noise with a galaxy on it; blank sky chosen too strictly would find less."""
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng(4)
    for sigma in (0.0, 0.75):
        white = rng.standard_normal((300, 300))
        noise = gaussian_filter(white, sigma) if sigma else white
        noise /= noise.std()
        y, x = np.mgrid[:300, :300] - 150
        galaxy = 300 * np.exp(-np.hypot(x, y) / 6)
        sums = noise[:296, :296].reshape(37, 8, 37, 8).sum(axis=(1, 3))
        # 1400 blocks: their scatter is known to 2%, its robust estimate to 4%
        assert measure_noise_scale(noise + galaxy, np.ones_like(noise)) == pytest.approx(
            sums.std() / 8, rel=0.06
        )
