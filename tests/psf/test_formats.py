"""Every format of PSF files, from small files written here, to samples of the effective PSF."""

import galsim
import numpy as np
import pytest
from astropy.io import fits

from fpho.errors import InputError
from fpho.psf.inputs import check_pixel_scale, images_by_key, read_psf_table
from fpho.psf.readers import READERS, read_fits, read_gridded, read_stpsf
from fpho.psf.source import Source

SIGMA = 0.9  # pixel
PSF = galsim.Gaussian(sigma=SIGMA)


def drawn(size, oversample=1, pixel=False, psf=PSF):
    effective = galsim.Convolve(psf, galsim.Pixel(1)) if pixel else psf
    image = effective.drawImage(nx=size, ny=size, scale=1 / oversample, method="no_pixel", dtype=float)
    return image.array


def write(path, *hdus):
    fits.HDUList([fits.PrimaryHDU(), *hdus]).writeto(path)
    return path


def is_effective(image, tolerance=1e-4):
    """The image's samples are GalSim's PSF with the pixel."""
    truth = drawn(image.data.shape[0], 1 / image.step, pixel=True) / image.step**2
    assert np.abs(image.data - truth * image.total).max() < tolerance * truth.max()


@pytest.mark.parametrize(("oversample", "size"), [(1, 21), (4, 81), (4, 80), (5, 101)])
def test_fits(tmp_path, oversample, size):
    """Native with the pixel, oversampled without; odd and even sizes."""
    response = "included" if oversample == 1 else "not_included"
    hdu = fits.ImageHDU(drawn(size, oversample, pixel=oversample == 1), name="PSF")
    path = write(tmp_path / "psf.fits", hdu)
    image = read_fits(Source("a", path, oversample=oversample, pixel_response=response))[0]
    is_effective(image)
    assert image.total == 1


def test_fits_must_say_whether_the_pixel_is_in_it(tmp_path):
    path = write(tmp_path / "psf.fits", fits.ImageHDU(drawn(21)))
    with pytest.raises(InputError, match="pixel_response is not given"):
        read_fits(Source("a", path))


def stpsf_file(path):
    over = fits.ImageHDU(0.98 * drawn(84, 4), name="OVERSAMP")
    binned = fits.ImageHDU(0.98 * drawn(21, pixel=True), name="DET_SAMP")
    hdus = [over, binned, over.copy(), binned.copy()]
    hdus[2].name, hdus[3].name = "OVERDIST", "DET_DIST"
    hdus[2].data = 0.97 * hdus[2].data
    for hdu in hdus:
        hdu.header["OVERSAMP"], hdu.header["DET_SAMP"], hdu.header["FILTER"] = 4, 4, "F200W"
    hdus[1].header["OVERSAMP"] = hdus[3].header["OVERSAMP"] = 1
    return write(path, *hdus)


def test_stpsf_takes_overdist_and_keeps_its_sum(tmp_path):
    path = stpsf_file(tmp_path / "psf.fits")
    image = read_stpsf(Source("F200W", path))[0]
    assert image.step == 0.25
    assert image.total == pytest.approx(0.98 * 0.97, rel=1e-4)
    is_effective(image)
    native = read_stpsf(Source("F200W", path, ext="DET_SAMP"))[0]
    assert native.step == 1 and native.total == pytest.approx(0.98, rel=1e-4)
    is_effective(native)
    with pytest.raises(InputError, match="it has"):
        read_stpsf(Source("F200W", path, ext="NONE"))


def test_wrong_filter_stops(tmp_path):
    path = stpsf_file(tmp_path / "psf.fits")
    with pytest.raises(InputError, match="FILTER is 'F200W', expected 'F277W'"):
        read_stpsf(Source("F277W", path))
    with pytest.raises(InputError, match="expected 'F277W'"):
        read_stpsf(Source("exposure7", path, filter="F277W"))
    assert read_stpsf(Source("exposure7", path, filter="F200W"))


@pytest.mark.parametrize("style", ["keywords", "extension"])
def test_gridded(tmp_path, style):
    """Pixels of each ePSF sum to oversampling^2; positions are (x, y)."""
    cube = np.stack([drawn(44, 4, pixel=True) * 16] * 4)
    places = [(10.0, 5.0), (90.0, 5.0), (10.0, 50.0), (90.0, 50.0)]
    primary = fits.PrimaryHDU(cube)
    primary.header["OVERSAMP"] = 4
    hdus = [primary]
    if style == "keywords":
        for i, (x, y) in enumerate(places):
            primary.header[f"DET_YX{i}"] = str((y, x))
    else:
        hdus.append(fits.ImageHDU(np.array(places), name="GRID_XYPOS"))
    fits.HDUList(hdus).writeto(tmp_path / "grid.fits")
    images = read_gridded(Source("a", tmp_path / "grid.fits"))
    assert [image.location for image in images] == places
    assert images[0].total == pytest.approx(1, abs=1e-3)
    is_effective(images[3], 2e-3)


def test_table_of_psf_images(tmp_path, monkeypatch):
    monkeypatch.setenv("PSF_FOLDER", str(tmp_path))
    write(tmp_path / "psf.fits", fits.ImageHDU(drawn(21, pixel=True)))
    text = "key\tpath\tpixel_response\tx\ty\nr\tpsf.fits\tincluded\t10\t20\n"
    text += "r\t$PSF_FOLDER/psf.fits\tincluded\t90\t20\n"
    (tmp_path / "psfs.tsv").write_text(text)
    images = images_by_key(read_psf_table(tmp_path / "psfs.tsv"))
    assert [image.location for image in images["r"]] == [(10, 20), (90, 20)]
    for bad, match in (
        (text.replace("\t10\t20", "\t\t"), "not all with a detector position"),
        (text.replace("90", "10"), "several images at one"),
        (text.replace("\t90", "\tninety"), "ninety"),
        (text.replace("pixel_response", "response"), "columns"),
        (text.replace("psf.fits", "none.fits"), "no such file"),
        (text.splitlines()[0] + "\n", "no rows"),
    ):
        (tmp_path / "bad.tsv").write_text(bad)
        with pytest.raises(InputError, match=match):
            images_by_key(read_psf_table(tmp_path / "bad.tsv"))


def test_a_plane_of_one_image_and_the_keyword_of_oversampling(tmp_path):
    hdu = fits.PrimaryHDU(drawn(81, 4)[None])
    hdu.header["OVERSAMP"], hdu.header["PIXELSCL"] = 4, 0.0125
    hdu.writeto(tmp_path / "psf.fits")
    image = read_fits(Source("a", tmp_path / "psf.fits", pixel_response="not_included"))[0]
    assert image.step == 0.25 and image.pixel_scale == pytest.approx(0.05)
    is_effective(image)
    with pytest.raises(InputError, match="OVERSAMP = 4, but oversample = 2"):
        read_fits(Source("a", tmp_path / "psf.fits", oversample=2, pixel_response="not_included"))


@pytest.mark.parametrize(
    ("hdu", "match"),
    [
        (fits.ImageHDU(np.ones((3, 21, 21))), "3 dimensions"),
        (fits.BinTableHDU.from_columns([fits.Column("a", "E", array=[1.0])], name="PSF"), "is a table"),
        (fits.ImageHDU(drawn(21, pixel=True), fits.Header({"PIXELSCL": "small"})), "PIXELSCL = 'small'"),
        (fits.ImageHDU(drawn(21, pixel=True), fits.Header({"PIXSCALE": -0.1})), "PIXSCALE = -0.1"),
    ],
)
def test_files_that_hold_no_psf(tmp_path, hdu, match):
    path = write(tmp_path / "psf.fits", hdu)
    with pytest.raises(InputError, match=match):
        read_fits(Source("a", path, ext="1", pixel_response="included"))


def test_the_pixel_that_a_psf_is_for(tmp_path):
    """What stpsf writes is the scale of the samples; the image's may differ over the field."""
    path = stpsf_file(tmp_path / "psf.fits")
    with fits.open(path, mode="update") as hdus:
        hdus["OVERDIST"].header["PIXELSCL"] = 0.0077
    stated = read_stpsf(Source("F200W", path))[0].pixel_scale
    assert stated == pytest.approx(0.0308)
    check_pixel_scale(path, stated, (0.0306, 0.0306), "im")
    check_pixel_scale(path, stated, (0.0310, 0.0330), "im")
    check_pixel_scale(path, None, (1.0, 1.0), "im")
    with pytest.warns(UserWarning, match=r"0\.0308 arcsec, but image 'im' has pixels of 0\.0313"):
        check_pixel_scale(path, stated, (0.0313, 0.0313), "im")
    for scales in ((0.0320, 0.0320), (0.0077, 0.0077)):
        with pytest.raises(InputError, match=r"0\.0308 arcsec, but image 'im' has pixels of"):
            check_pixel_scale(path, stated, scales, "im")


def test_the_example_of_stpsf(shared_data):
    source = Source("F444W", shared_data / "jwst_cal_f444w" / "psf.fits")
    image = READERS["stpsf"](source)[0]
    assert image.step == 1 and image.total == pytest.approx(0.967, abs=1e-3)
    assert image.location == (1024, 1024)
