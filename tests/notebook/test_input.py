"""PSFs in all their forms; bad input, which is told by what it is, what was found, and the cure."""

import numpy as np
import pytest
from astropy import units
from astropy.io import fits
from astropy.modeling import models
from astropy.nddata import NDData
from astropy.table import Table
from photutils.psf import CircularGaussianPRF, CircularGaussianPSF, GriddedPSFModel, ImagePSF

import fpho
from fpho.notebook import images, psfs
from fpho.notebook.alike import places, shaped, spread
from fpho.psf.inputs import images_by_key, read_psf_table
from fpho.tables import write_tsv

from .scenes import FWHM, NOISE, SCALE, galaxy

BAND = "F444W"
WIDTH = FWHM[BAND] / SCALE[BAND]  # pixels


class Instrument:
    """As those of stpsf."""

    def calc_psf(self, oversample):
        y, x = np.mgrid[-40:41, -40:41] / oversample
        sigma = WIDTH / 2.3548
        data = np.exp(-0.5 * (x**2 + y**2) / sigma**2) / (2 * np.pi * sigma**2) / oversample**2
        header = fits.Header({"DET_SAMP": oversample, "PIXELSCL": SCALE[BAND] / oversample, "FILTER": BAND})
        return fits.HDUList([fits.PrimaryHDU(data, header), fits.ImageHDU(data, header, name="OVERDIST")])


def variance(psf, tmp_path, oversample=None, response="included"):
    """(variance of the effective PSF in x, pixels^2; number of positions) as fpho takes a PSF."""
    row = psfs.row_of("one", psf, BAND, oversample, response, tmp_path)
    write_tsv(tmp_path / "psfs.tsv", [row])
    (some,) = images_by_key(read_psf_table(tmp_path / "psfs.tsv")).values()
    x, _ = some[0].coordinates()
    return float((some[0].data * x**2).sum() / some[0].data.sum()), len(some)


def test_psfs_mean_the_same_in_all_forms(tmp_path):
    """One Gaussian, with its pixel once: the variance of the formula, plus that of the pixel, 1/12."""
    wanted = (WIDTH / 2.3548) ** 2 + 1 / 12
    native = galaxy(BAND).psf
    y, x = np.mgrid[-40:41, -40:41] / 4
    fine = np.exp(-0.5 * (x**2 + y**2) / (WIDTH / 2.3548) ** 2)
    fine /= fine.sum()
    places = [(0, 0), (100, 0), (0, 90), (100, 90)]
    grid = NDData(np.stack([native] * 4), meta={"grid_xypos": places, "oversampling": np.array([1, 1])})
    forms = {
        "array": (native, {}),
        "samples": (fine, {"oversample": 4, "response": "not_included"}),
        "formula": (CircularGaussianPSF(fwhm=WIDTH), {}),
        "of pixels": (CircularGaussianPRF(fwhm=WIDTH), {}),
        "samples of photutils": (ImagePSF(fine, oversampling=4), {"response": "not_included"}),
        "grid": (GriddedPSFModel(grid), {}),
        "instrument": (Instrument(), {}),
        "its images": (Instrument().calc_psf(4), {}),
    }
    for name, (psf, options) in forms.items():
        (folder := tmp_path / name.replace(" ", "_")).mkdir()
        found, count = variance(psf, folder, **options)
        assert found == pytest.approx(wanted, rel=0.004), name
        assert count == (4 if name == "grid" else 1)


def test_shapes_of_arguments():
    forms = ["a", ["a", "b"], {"g": "a", "r": "b"}, {"g": ["a", "b"], "r": "c"}]
    for form in forms:
        shape = places(form)
        assert shaped(spread(form, "image", shape), shape) == form
        assert spread(7, "error", shape) == [7] * len(shape)
    shape = places(forms[3])
    assert spread({"g": [1, 2], "r": 3}, "error", shape) == [1, 2, 3]
    assert spread({"r": 3, "g": 1}, "error", shape) == [1, 1, 3]
    for wrong in ({"g": 1}, {"g": 1, "r": 2, "z": 3}, [1, 2, 3], {"g": [1], "r": 2}):
        with pytest.raises(fpho.InputError):
            spread(wrong, "error", shape)


GOOD = {"error": NOISE, "pixel_scale": 0.06, "sources": (30, 30), "draws": 0, "progress": False}
IMAGE = np.zeros((61, 61))
BAD = {
    "no error": ({"error": None}, "image flux: no error"),
    "no scale": ({"pixel_scale": None}, "nothing says how large a pixel is"),
    "negative scale": ({"pixel_scale": -1}, "pixel_scale is -1"),
    "three dimensions": ({"image": np.zeros((2, 5, 5))}, r"shape \(2, 5, 5\)"),
    "text": ({"image": np.full((9, 9), "a")}, "type <U1"),
    "unit": ({"image": IMAGE * units.adu}, "none of a flux density"),
    "error's unit": ({"image": IMAGE * units.nJy, "error": 1 * units.s}, "the error's unit is s"),
    "shape of the error": ({"error": np.ones((3, 3))}, r"error has shape \(3, 3\)"),
    "shape of the mask": ({"mask": np.ones((3, 3))}, r"mask has shape \(3, 3\)"),
    "no file": ({"image": "nowhere.fits", "pixel_scale": None, "error": None}, "nowhere.fits"),
    "psf": ({"psf": "nowhere.fits"}, "nowhere.fits"),
    "psf of text": ({"psf": object()}, "an object of type object"),
    "formula without width": ({"psf": models.Disk2D()}, "Disk2D"),
    "pixel of the psf": ({"psf_pixel": "perhaps"}, "'perhaps'"),
    "sources": ({"sources": "nowhere.cat"}, "nowhere.cat"),
    "sources of text": ({"sources": ["a", "b"]}, "neither places nor a table"),
    "columns of sources": ({"sources": Table({"n": [1]})}, "^sources: "),
    "model": ({"model": "disk"}, "'disk'"),
    "points to be found": ({"model": "point", "sources": None}, "still to be found"),
    "held": ({"held": "colour"}, "held"),
    "priors": ({"priors": {"size": {"name": "normal"}}}, "priors.size"),
    "background": ({"background": "cubic"}, "background.mode"),
    "options": ({"options": {"seed": 3}}, "options seed"),
    "option": ({"options": {"psf.components": 3}}, "psf.components"),
    "draws": ({"draws": -1}, "draws"),
    "bands": ({"band": ["g", "r"]}, "a list of 2"),
    "empty": ({"image": []}, "an empty list"),
    "psf with holes": ({"psf": np.full((9, 9), np.nan)}, "^psf: 81 of 81 values are NaN"),
    "empty psf": ({"psf": np.zeros((9, 9))}, "^psf: its sum is 0"),
    "no good error": ({"error": np.zeros((61, 61))}, "^image flux: no good pixel is left"),
    "error of text": ({"error": "high"}, "error is a str"),
    "source elsewhere": ({"sources": (300, 30)}, "^image flux: .*does not overlap"),
    "source nowhere": ({"sources": (np.nan, 3)}, "neither places nor a table"),
    "magnitudes": ({"image": IMAGE * units.ABmag}, "none of a flux density"),
    "scale in seconds": ({"pixel_scale": 1 * units.s}, "pixel_scale is 1.0 s"),
    "samples of the psf": ({"psf_oversample": 0}, "psf_oversample: 0"),
    "cores": ({"cores": 0}, "cores: 0"),
    "held number": ({"held": 3}, "held: 3"),
    "list of options": ({"options": ["a"]}, "options: .*Give a dict"),
    "name of the band": ({"image": {"ra": IMAGE}}, "name of a column"),
    "other bands": ({"image": {"g": IMAGE}, "psf": {"r": IMAGE}}, "do not have the same bands"),
    "nested": ({"image": [[IMAGE]]}, "a list within a list"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    changes, message = BAD[name]
    options = {"image": IMAGE, "psf": galaxy(BAND).psf} | GOOD | changes
    with pytest.raises(fpho.InputError, match=message) as found:
        fpho.fit(**options)
    assert found.value.cure


def test_a_source_beyond_all_pixels_is_flagged():
    """It is kept, without a value; the one in the image is measured."""
    image = galaxy(BAND).image
    fit = fpho.fit(image, galaxy(BAND).psf, **GOOD | {"sources": [(30, 30), (500, 500)]})
    assert len(fit) == 2 and "NO_DATA" in fit.flags["1"] and "NO_DATA" not in fit.flags["0"]
    assert "OPTIMIZE_FAILED" not in fit.flags["1"]


def test_no_run(tmp_path):
    with pytest.raises(fpho.InputError, match="not the folder of a run"):
        fpho.open(tmp_path)


def test_made_up_places_agree():
    """Images of two scales without a WCS lie on one another, middle on middle."""
    heads = [
        images.planes_of(images.Given("a", "a", np.zeros(shape), 1.0, pixel_scale=scale)).header
        for shape, scale in (((41, 61), 0.06), ((20, 30), 0.12))
    ]
    assert all((head["CRVAL1"], head["CRVAL2"]) == images.MADE_UP for head in heads)
    assert (heads[0]["CRPIX1"], heads[1]["CRPIX2"]) == (31, 10.5)
