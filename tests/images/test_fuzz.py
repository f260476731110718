"""Damaged and odd image files: read rightly or refused in due form, no other exception and no wild pixel."""

import warnings

import numpy as np
import pytest
from astropy.io import fits

from fpho.errors import InputError
from fpho.images import ExposureSpec, read_exposure, validate

from .making import header, write

SHAPE = (24, 30)
CASES = 8  # of each seed; more seeds make the long form
WORDS = [
    "",
    " ",
    "x",
    "nJy",
    "MJy/sr",
    "e-/s",
    "NaN",
    "deg",
    "JWST",
    "SCI",
    "FK4",
    "ICRS",
    "ALTAZ",
    "RA---TPV",
]
WORDS += ["RA---TAN-SIP", "DEC--TAN-SIP", "DEC--TAN", "GLON-CAR", "GLAT-CAR", "RA---ZPN", "RA---AIT"]
VALUES = [*WORDS, 0, 1, -1, 3, 5, 100, 90.0, 1950.0, 2000.0, 1e30, -1e300, 1e-300, True, False]
KEYS = [
    "CTYPE1",
    "CTYPE2",
    "CRVAL1",
    "CRVAL2",
    "CRPIX1",
    "PC1_1",
    "PC2_2",
    "CDELT1",
    "CD1_1",
    "CUNIT1",
    "BUNIT",
]
KEYS += [
    "PHOTFLAM",
    "PHOTPLAM",
    "PHOTFNU",
    "EXPTIME",
    "ZP",
    "FLUXSCL",
    "PIXAR_SR",
    "RADESYS",
    "EQUINOX",
    "LONPOLE",
]
KEYS += ["A_ORDER", "A_2_0", "PV1_1", "WCSAXES", "BSCALE", "BZERO", "BLANK", "CPDIS1", "D2IMDIS1", "MP_BAD"]
KEYS += ["EXTNAME", "EXTVER", "TELESCOP", "FILTER", "MJD-OBS", "AP_ORDER"]


def whole(path):
    rng = np.random.default_rng(0)
    sci = rng.normal(0, 2, SHAPE).astype("f4"), header(SHAPE, BUNIT="nJy")
    return write(path, SCI=sci, ERR=np.full(SHAPE, 2.0, "f4"), DQ=np.zeros(SHAPE, "i2"))


def flipped(path, rng):
    """Some bytes changed, sometimes the end cut off."""
    content = bytearray(path.read_bytes())
    for _ in range(rng.integers(1, 4)):
        content[rng.integers(len(content))] = rng.integers(256)
    path.write_bytes(bytes(content[: rng.integers(len(content))] if rng.uniform() < 0.2 else content))


def rewritten(path, rng):
    """Some keywords with values that they may not have."""
    with fits.open(path) as hdus:
        for _ in range(rng.integers(1, 4)):
            hdu = hdus[int(rng.integers(4)) if rng.uniform() < 0.4 else 1]
            hdu.header[KEYS[rng.integers(len(KEYS))]] = VALUES[rng.integers(len(VALUES))]
        hdus.writeto(path, overwrite=True, output_verify="ignore")


@pytest.mark.parametrize("damage", [flipped, rewritten])
@pytest.mark.parametrize("seed", range(5))
def test_images(tmp_path, damage, seed):
    rng = np.random.default_rng(seed)
    for case in range(CASES):
        path = whole(tmp_path / f"{case}.fits")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            damage(path, rng)
            problems = validate([spec := ExposureSpec(id="a", band="r", path=path)])
            assert all(str(path) in str(problem) for problem in problems)
            if not problems:
                accepted(spec)


def accepted(spec):
    """What passes the check is read by `preprocess`, and holds no wild pixel."""
    exposure = read_exposure(spec)
    assert np.isfinite(exposure.data).all() and np.isfinite(exposure.ierr).all()
    assert np.abs(exposure.data * exposure.ierr).max() < 1e8
    x, y = exposure.wcs.world_to_pixel_values(*exposure.wcs.pixel_to_world_values(3.0, 4.0))
    assert np.allclose((x, y), (3, 4), atol=0.2)


def test_a_good_file_is_accepted(tmp_path):
    spec = ExposureSpec(id="a", band="r", path=whole(tmp_path / "a.fits"))
    assert validate([spec]) == []
    accepted(spec)
    with pytest.raises(InputError, match="no such file"):
        read_exposure(ExposureSpec(id="a", band="r", path=tmp_path / "b.fits"))
