"""What `fpho check` says of PSFs: pixels not the image's, places that repeat, keys that are missing."""

import numpy as np
import pytest
from astropy.io import fits

from fpho.config import Config
from fpho.images import ExposureSpec, pixel_scales
from fpho.psf import write_store
from fpho.psf.mixture import evaluate
from fpho.simulate import make_wcs
from fpho.stages.check import psf_problems
from fpho.stages.inputs import Inputs

MIXTURE = np.array([[1.0, 0, 0, 2.0, 2.5, 0.2]])
TABLE = "key\tpath\tpixel_response\toversample\tx\ty\n"


@pytest.fixture
def problems(tmp_path):
    """Function of the PSF input: messages for one image of pixels of 0.05 arcsec in band r."""
    header = make_wcs(150.0, 2.0, 0.05, (24, 24), 20.0, (0.0, 0.0)).to_header()
    planes = [fits.ImageHDU(np.ones((24, 24), "f4"), header, name=name) for name in ("SCI", "ERR")]
    fits.HDUList([fits.PrimaryHDU(), *planes]).writeto(tmp_path / "im.fits")
    spec = ExposureSpec(id="im", band="r", path=tmp_path / "im.fits")
    config = Config(outdir=str(tmp_path), images="i.tsv", psfs="p.tsv", catalog={"path": "c.fits"})

    scales = [pixel_scales(spec)]

    def found(psfs):
        return [str(problem) for problem in psf_problems(config, Inputs(None, psfs, None), [spec], scales)]

    return found


def psf_image(path, oversample, **keywords):
    y, x = (np.indices((41 * oversample,) * 2) - (41 * oversample - 1) / 2) / oversample
    fits.writeto(path, evaluate(MIXTURE, x, y) / oversample**2, fits.Header(keywords))
    return path


@pytest.mark.parametrize(
    ("keywords", "oversample", "fits_in"),
    [
        ({"PIXELSCL": 0.0125}, 4, True),
        ({"PIXELSCL": 0.0125, "OVERSAMP": 4}, "", True),
        ({"PIXSCALE": 0.0125}, "", False),
        ({"PIXELSCL": 0.05}, 4, False),
        ({"PIXELSCL": 0.0125}, 2, False),
        ({}, "", True),
    ],
)
def test_pixels_of_another_size(tmp_path, problems, keywords, oversample, fits_in):
    psf_image(tmp_path / "psf.fits", 4, **keywords)
    (tmp_path / "p.tsv").write_text(f"{TABLE}r\tpsf.fits\tincluded\t{oversample}\t\t\n")
    said = problems(tmp_path / "p.tsv")
    assert (said == []) is fits_in
    assert fits_in or ("psf.fits" in said[0] and "'im' has pixels of 0.05 arcsec" in said[0])


def test_stores_know_their_pixel(tmp_path, problems):
    for scale, n in ((0.05, 0), (0.03, 1)):
        path = tmp_path / f"{scale}.h5"
        write_store(path, {"r": (MIXTURE[None], None, [], {"pixel_scale": scale})})
        assert len(problems(path)) == n


def test_all_images_of_a_key_are_seen_together(tmp_path, problems):
    psf_image(tmp_path / "psf.fits", 1)
    row = "r\tpsf.fits\tincluded\t\t5\t5\n"
    (tmp_path / "p.tsv").write_text(TABLE + row + row)
    assert "several images at one detector position" in problems(tmp_path / "p.tsv")[0]
    (tmp_path / "p.tsv").write_text(TABLE + row.replace("r\t", "g\t", 1))
    assert "has no PSF" in problems(tmp_path / "p.tsv")[0]
