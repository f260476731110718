"""Units of images in all their spellings, and headers that contradict themselves."""

import numpy as np
import pytest
from astropy.io import fits

from fpho.errors import InputError
from fpho.images.frames import pixel_areas
from fpho.images.spelling import ImageUnit, image_unit
from fpho.images.units import flux_factor, same_unit
from fpho.images.wcs import header_wcs

from .making import SCALE, header

JY_PER_SQUARE_ARCSEC = 1e9 / (np.pi / 648000) ** 2  # as nJy per sr
SPELLINGS = {
    "10.0*nanoJansky": ("flux", 10.0),
    "0.01 uJy": ("flux", 10.0),
    "1e-8 Jy": ("flux", 10.0),
    "10**-8 Jy": ("flux", 10.0),
    "10nJy": ("flux", 10.0),
    "uJy/pixel": ("flux", 1e3),
    "muJy": ("flux", 1e3),
    "MilliJansky": ("flux", 1e6),
    "nanomaggies": ("flux", 3631.0),
    "nmgy": ("flux", 3631.0),
    "erg/s/cm2/Hz": ("flux", 1e32),
    "W m-2 Hz-1": ("flux", 1e35),
    "1e-20 erg/s/cm**2/A": ("per wavelength", 1e12),
    "ELECTRONS/S": ("rate", 1.0),
    "electron s-1": ("rate", 1.0),
    "electron.s-1": ("rate", 1.0),
    "e-/s": ("rate", 1.0),
    "electrons per second": ("rate", 1.0),
    "cps": ("rate", 1.0),
    "counts/sec": ("rate", 1.0),
    "DN/s": ("rate", 1.0),
    "ELECTRONS": ("counts", 1.0),
    "ADU": ("counts", 1.0),
    "1000*electron": ("counts", 1000.0),
}


@pytest.mark.parametrize("text", SPELLINGS)
def test_spellings(text):
    kind, scale = SPELLINGS[text]
    found = image_unit(text)
    assert (found.kind, found.per_area) == (kind, False)
    assert found.scale == pytest.approx(scale, rel=1e-9)


@pytest.mark.parametrize(
    ("text", "scale"),
    [
        ("MJy/sr", 1e15),
        ("MJy sr-1", 1e15),
        ("mJy/arcsec2", 1e-3 * JY_PER_SQUARE_ARCSEC),
        ("uJy / sq arcsec", 1e-6 * JY_PER_SQUARE_ARCSEC),
        ("nmgy/arcsec^2", 3631e-9 * JY_PER_SQUARE_ARCSEC),
    ],
)
def test_surface_brightness(text, scale):
    assert image_unit(text) == ImageUnit("flux", pytest.approx(scale, rel=1e-6), per_area=True)


@pytest.mark.parametrize(
    "text", ["mag", "mag/arcsec2", "MJy", "MJY/SR", "Jy/beam", "K", "bits", "parsec", "UNCALIB", "nJy nJy"]
)
def test_what_no_image_of_flux_has(text):
    with pytest.raises(InputError, match=r"x\.fits: BUNIT"):
        image_unit(text, "x.fits")


@pytest.mark.parametrize("text", [None, "", "  "])
def test_no_unit(text):
    assert image_unit(text) is None


HST = {"PHOTFLAM": 7.03e-20, "PHOTPLAM": 8045.0}  # 151.77 nJy of an electron per second
DJA = {
    "PHOTFNU": 1e-8,
    "PHOTFLAM": 1e-31 * 2.99792458e18 / 11540.0**2,
    "PHOTPLAM": 11540.0,
    "EXPTIME": 5669.0,
}


@pytest.mark.parametrize(
    ("keywords", "factor"),
    [
        ({"BUNIT": "10.0*nanoJansky", **DJA}, 10.0),
        ({"BUNIT": "cps", **HST}, 151.77),
        ({"BUNIT": "electrons", "EXPTIME": 100, **HST}, 1.5177),
        ({"BUNIT": "1000*electron", "EXPTIME": 100, **HST}, 1517.7),
        ({"BUNIT": "DN/s", "PHOTMJSR": 0.4, "PIXAR_SR": 9.31e-14}, 0.4 * 93.1),
        ({"BUNIT": "erg/s/cm2/Angstrom", "PHOTPLAM": 8045.0}, 151.77 / 7.03e-20),
        ({"BUNIT": "bits", "ZP": 28.9}, 10.0),
        ({"BUNIT": "counts/s", "PHOTFLAM": 0.0, "PHOTPLAM": 8045.0, "ABMAG": "28.9"}, 10.0),
        ({"FLUXMAG0": 63095734448.0194}, 57.548),  # HSC: 27.0 mag
        ({"BUNIT": "nJy", "ZP": 31.403}, 1.0),  # 0.3%: rounding
    ],
)
def test_factors(keywords, factor):
    assert flux_factor((fits.Header(keywords),), "x.fits") == pytest.approx(factor, rel=1e-3)


@pytest.mark.parametrize(
    ("keywords", "words"),
    [
        ({"FLUXSCL": 3.0, "ZP": 20.0}, ["FLUXSCL = 3", "ZP = 20"]),
        ({"BUNIT": "nJy", "ZP": 28.9}, ["BUNIT = 'nJy'", "ZP = 28.9"]),
        ({"BUNIT": "nJy", "FLUXSCL": 10.0}, ["BUNIT = 'nJy'", "FLUXSCL = 10"]),
        ({"BUNIT": "nJy", **HST}, ["BUNIT = 'nJy'", "PHOTFLAM = 7.03e-20"]),
        ({"BUNIT": "cps", "ABMAG": 25.0, **HST}, ["PHOTFLAM", "ABMAG = 25"]),
        ({"BUNIT": "10*nJy", "PHOTFNU": 1e-9}, ["BUNIT = '10*nJy'", "PHOTFNU = 1e-09"]),
        ({"BUNIT": "MJy/sr", "PIXAR_SR": 9.31e-14, "FLUXSCL": 21.0}, ["FLUXSCL = 21", "PIXAR_SR = 9.31e-14"]),
        (
            {"BUNIT": "MJy/sr", "PIXAR_SR": 9.31e-14, "PIXAR_A2": 0.0009},
            ["PIXAR_A2 = 0.0009", "PIXAR_SR = 9.31e-14"],
        ),
    ],
)
def test_contradictions_name_both(keywords, words):
    with pytest.raises(InputError) as caught:
        flux_factor((fits.Header(keywords),), "x.fits")
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("keywords", "word"),
    [
        ({"ZP": 25.0, "MAGSYS": "Vega"}, "VEGA"),
        ({"MAGZP": 25.0}, "MAGZP does not say"),
        ({"BUNIT": "electrons", **HST}, "EXPTIME"),
        ({"BUNIT": "UNCALIB", **HST}, "UNCALIB"),
        ({"BUNIT": "erg/s/cm2/A"}, "PHOTPLAM"),
        ({"ZP": True}, "ZP = True"),
        ({"ZP": 25.0, "BSOFTEN": 31.9, "BOFFSET": 1.2}, "asinh"),
        ({"ZP": 1e6}, "0 nJy"),
    ],
)
def test_what_cannot_be_used_is_named(keywords, word):
    with pytest.raises(InputError, match=word):
        flux_factor((fits.Header(keywords),), "x.fits")


def test_pixel_area_of_the_wcs():
    """The only statement, or one that PIXAR_SR must agree with."""
    shape = (40, 50)
    areas = pixel_areas(header_wcs(header(shape), "x.fits"), shape)
    right = (SCALE * np.pi / 648000) ** 2
    assert areas == pytest.approx((right, right), rel=1e-6)
    bare = fits.Header({"BUNIT": "MJy/sr"})
    assert flux_factor((bare,), "x.fits", areas) == pytest.approx(right * 1e15, rel=1e-6)
    with pytest.raises(InputError, match=r"PIXAR_SR = 9e-14 is a pixel of 0\.06188 arcsec.*0\.05 arcsec"):
        flux_factor((fits.Header({"BUNIT": "MJy/sr", "PIXAR_SR": 9e-14}),), "x.fits", areas)
    nominal = fits.Header({"BUNIT": "MJy/sr", "PIXAR_SR": right / 1.05})
    assert flux_factor((nominal,), "x.fits", areas, area_map=1.05) == pytest.approx(right / 1.05 * 1e15)
    with pytest.raises(InputError, match="differ from"):
        flux_factor((bare,), "x.fits", (right, 1.1 * right))


def test_an_uncertainty_in_another_unit():
    science = fits.Header({"BUNIT": "electrons/s"})
    same_unit(science, fits.Header({"BUNIT": "ELECTRONS/S"}), "x.fits", "ERR")
    same_unit(science, fits.Header(), "x.fits", "ERR")
    for other in ("electrons", "10 electron/s", "nJy"):
        with pytest.raises(InputError, match=r"electrons/s.*ERR"):
            same_unit(science, fits.Header({"BUNIT": other}), "x.fits", "ERR")
