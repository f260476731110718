"""Companion planes: versions, kinds by name, named mask planes, values that mean no data, damaged files."""

import logging

import numpy as np
import pytest
from astropy.io import fits

from fpho.config import Preprocess
from fpho.errors import InputError
from fpho.images import ExposureSpec, check_place, read_exposure, validate

from .making import DEC, RA, header, write

SHAPE = (40, 50)
HEAD = {"BUNIT": "nJy"}


@pytest.fixture
def data():
    return np.random.default_rng(1).normal(0, 2.0, SHAPE).astype("f4")


def spec(path, **more):
    return ExposureSpec(id="a", band="r", path=path, **more)


def good(exposure):
    return exposure.ierr > 0


def test_a_cube_is_no_science_image(tmp_path, data):
    planes = {"SCI": (np.stack([data, data]), header(SHAPE, **HEAD)), "ERR": np.ones(SHAPE)}
    with pytest.raises(InputError, match=r"no two-dimensional image in extension 'SCI'.*SCI 2x40x50"):
        read_exposure(spec(write(tmp_path / "a.fits", **planes)))


def chips(path, data, errors=(1, 2)):
    hdus = [fits.PrimaryHDU()]
    for version, factor in ((1, 1.0), (2, 3.0)):
        hdus.append(fits.ImageHDU(factor * data, header(SHAPE, **HEAD), name="SCI", ver=version))
        if version in errors:
            hdus.append(fits.ImageHDU(np.full(SHAPE, factor), name="ERR", ver=version))
    fits.HDUList(hdus).writeto(path)
    return path


def test_errors_of_the_same_version(tmp_path, data, caplog):
    path = chips(tmp_path / "a_flc.fits", data)
    second = read_exposure(spec(path, sci_ext=("SCI", 2)))
    assert np.allclose(second.data, 3 * data) and np.allclose(second.ierr, 1 / 3)
    with caplog.at_level(logging.WARNING, "fpho"):
        first = read_exposure(spec(path))
    assert np.allclose(first.ierr, 1.0) and "EXTVER 1, 2" in caplog.text
    with pytest.raises(InputError, match="ERR of EXTVER 1, none of the science image's 2"):
        read_exposure(spec(chips(tmp_path / "b.fits", data, errors=(1,)), sci_ext=("SCI", 2)))


@pytest.mark.parametrize(("name", "values"), [("VARIANCE", 4.0), ("IVAR", 0.25), ("RMS", 2.0)])
def test_kinds_by_the_extensions_name(tmp_path, data, name, values):
    path = write(tmp_path / "a.fits", SCI=(data, header(SHAPE, **HEAD)), **{name: np.full(SHAPE, values)})
    assert np.allclose(read_exposure(spec(path)).ierr, 0.5)


@pytest.mark.parametrize(("ending", "values"), [("var", 4.0), ("ivar", 0.25), ("rms", 2.0), ("wht", 17.0)])
def test_kinds_by_the_files_name(tmp_path, data, ending, values):
    path = write(tmp_path / "a.fits", SCI=(data, header(SHAPE, **HEAD)))
    other = tmp_path / f"a_{ending}.fits"
    fits.writeto(other, np.full(SHAPE, values))
    assert np.allclose(read_exposure(spec(path, unc_path=other)).ierr, 0.5, rtol=0.08)


def rubin(path, data, detected):
    mask_head = fits.Header()
    for bit, name in enumerate(["BAD", "SAT", "INTRP", "CR", "EDGE", "DETECTED"]):
        mask_head[f"HIERARCH MP_{name}"] = bit
    mask = np.where(detected, 1 << 5, 0).astype("i4")
    mask[0], mask[1] = 1 << 4, 1 << 0
    planes = {
        "IMAGE": (data, header(SHAPE, **HEAD)),
        "MASK": (mask, mask_head),
        "VARIANCE": np.full(SHAPE, 4.0),
    }
    return write(path, **planes)


def test_named_planes(tmp_path, data, caplog):
    detected = np.zeros(SHAPE, bool)
    detected[10:30, 10:30] = True
    path = rubin(tmp_path / "a.fits", data, detected)
    with caplog.at_level(logging.INFO, "fpho"):
        bad = ~good(read_exposure(spec(path)))
    assert bad[:2].all() and not bad[2:].any() and "DETECTED" in caplog.text
    bad = ~good(read_exposure(spec(path), Preprocess(mask_planes=("EDGE", "detected"))))
    assert bad[0].all() and not bad[1].any() and np.array_equal(bad[2:], detected[2:])
    assert (~good(read_exposure(spec(path), Preprocess(bitmask=1 << 5))) == detected).all()


def test_a_mask_that_covers_the_sources_is_named(tmp_path, data):
    mask = np.zeros(SHAPE, "i4")
    mask[15:26, 20:31] = 1
    path = write(tmp_path / "a.fits", SCI=(data, header(SHAPE, **HEAD)), ERR=np.ones(SHAPE), MASK=mask)
    here = np.array([RA]), np.array([DEC])
    with pytest.raises(InputError, match="the mask covers 1 of 1 sources, but 6% of the image"):
        check_place(spec(path), *here)
    check_place(spec(path), *here, Preprocess(bitmask=2))
    both = np.array([RA, RA + 0.8 / 3600]), np.array([DEC, DEC])
    check_place(spec(path), *both)


def test_a_mask_of_fractions_is_refused(tmp_path, data):
    planes = {"SCI": (data, header(SHAPE, **HEAD)), "ERR": np.ones(SHAPE), "MASK": np.full(SHAPE, 0.5)}
    with pytest.raises(InputError, match="not integers"):
        read_exposure(spec(write(tmp_path / "a.fits", **planes)))


@pytest.mark.parametrize("kind", ["sigma", "ivar"])
@pytest.mark.parametrize("value", [1e10, 1e30])
def test_huge_errors_mean_no_data(tmp_path, data, kind, value, caplog):
    sigma = np.full(SHAPE, 2.0)
    sigma[:, 25:] = value
    values = sigma if kind == "sigma" else sigma**-2.0
    path = write(tmp_path / "a.fits", SCI=(data, header(SHAPE, **HEAD)), ERR=values)
    with caplog.at_level(logging.WARNING, "fpho"):
        found = good(read_exposure(spec(path, unc_kind=kind)))
    assert found[:, :25].all() and not found[:, 25:].any() and "1000 pixels" in caplog.text


@pytest.mark.parametrize("value", [-99.0, 99.0, -999.0, 0.0, 1e30, -1e300])
def test_values_that_mean_no_data(tmp_path, data, value, caplog):
    core = np.zeros(SHAPE, bool)
    core[18:22, 20:24] = True
    data = data.astype("f8")
    data[core] = value
    path = write(tmp_path / "a.fits", SCI=(data, header(SHAPE, **HEAD)), ERR=np.full(SHAPE, 2.0))
    with caplog.at_level(logging.WARNING, "fpho"):
        assert np.array_equal(~good(read_exposure(spec(path))), core)
    assert "16 pixels" in caplog.text


def test_errors_too_small_to_be_noise(tmp_path, data):
    sigma = np.full(SHAPE, 2.0)
    sigma[3, 3] = 1e-20
    path = write(tmp_path / "a.fits", SCI=(data, header(SHAPE, **HEAD)), ERR=sigma)
    found = good(read_exposure(spec(path)))
    assert not found[3, 3] and found.sum() == found.size - 1


def test_values_that_are_data(tmp_path, data):
    """Counts of 0 and 99 in an image of integers, a bright star, and the zeros of an image without noise."""
    counts = np.round(data).astype("i2")
    counts[5:9, 5:9] = 99
    noiseless = np.zeros(SHAPE)
    noiseless[20, 20] = 100.0
    star = data.copy()
    star[20, 20] = 1e6
    for values in (counts, noiseless, star):
        path = write(tmp_path / "a.fits", SCI=(values, header(SHAPE, **HEAD)), ERR=np.full(SHAPE, 2.0))
        assert good(read_exposure(spec(path))).all()


@pytest.mark.parametrize("scale", [1e-30, 1e25])
def test_an_impossible_scale_is_refused(tmp_path, data, scale):
    path = write(tmp_path / "a.fits", SCI=(data, header(SHAPE)), ERR=np.full(SHAPE, 2.0))
    with pytest.raises(InputError, match="noise of a pixel would be"):
        read_exposure(spec(path, flux_scale=scale))


def whole(tmp_path, data, **options):
    path = tmp_path / "a.fits"
    head = header(SHAPE, **HEAD)
    hdus = [fits.PrimaryHDU(), fits.ImageHDU(data, head, "SCI"), fits.ImageHDU(np.ones(SHAPE), name="ERR")]
    fits.HDUList(hdus).writeto(path, **options)
    return path


def test_a_file_cut_off_in_its_pixels(tmp_path, data):
    path = whole(tmp_path, data)
    assert validate([spec(path)]) == []
    path.write_bytes(path.read_bytes()[:-4000])
    (problem,) = validate([spec(path)])
    assert "a.fits" in str(problem) and "cut off" in str(problem)


@pytest.mark.parametrize("name", ["SCI", "ERR"])
def test_a_flipped_byte_is_found_by_the_files_checksum(tmp_path, data, name):
    path = whole(tmp_path, data, checksum=True)
    assert validate([spec(path)]) == []
    with fits.open(path) as hdus:
        place = hdus[name].fileinfo()["datLoc"] + 999
    content = bytearray(path.read_bytes())
    content[place] ^= 0x10
    path.write_bytes(bytes(content))
    (problem,) = validate([spec(path)])
    assert "checksum" in str(problem)


def test_an_edited_header_is_no_damage(tmp_path, data, caplog):
    path = whole(tmp_path, data, checksum=True)
    content = path.read_bytes()
    assert content.count(b"'nJy     '") == 1
    path.write_bytes(content.replace(b"'nJy     '", b"'uJy     '"))
    with caplog.at_level(logging.WARNING, "fpho"):
        assert validate([spec(path)]) == []
    assert "a header was edited" in caplog.text


def test_a_companion_of_another_place_is_named(tmp_path, data):
    path = write(tmp_path / "a.fits", SCI=(data, header(SHAPE, **HEAD)))
    other = header(SHAPE)
    other["CRVAL2"] += 3 / 3600
    unc = write(tmp_path / "b.fits", ERR=(np.ones(SHAPE), other))
    (problem,) = validate([spec(path, unc_path=unc)])
    assert "b.fits" in str(problem) and "3.00 arcsec away" in str(problem)


@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf"), 1e5])
def test_noise_scales_that_are_none(value):
    with pytest.raises(ValueError, match="noise_scale"):
        Preprocess(noise_scale=value)
