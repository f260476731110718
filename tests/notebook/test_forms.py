"""Every form that images, errors, PSFs and sources may have comes to the same arrays and places."""

import numpy as np
import pandas
import pytest
from astropy import units
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.nddata import InverseVariance, NDData, StdDevUncertainty, VarianceUncertainty
from astropy.table import QTable, Table

import fpho
from fpho.config import Config
from fpho.notebook.images import Given, planes_of, row_of
from fpho.notebook.psfs import row_of as psf_row
from fpho.notebook.sources import table_of, write_catalog
from fpho.psf.inputs import images_by_key, read_psf_table
from fpho.scene import read_catalog
from fpho.tables import write_tsv

from .scenes import NOISE, PLACE, SCALE, galaxy

BAND = "F444W"
CUT = galaxy(BAND)
SIGMA = np.full(CUT.image.shape, NOISE)
BAD = np.zeros(CUT.image.shape, bool)
BAD[:3] = True


def nddata(uncertainty):
    return NDData(CUT.image, uncertainty=uncertainty, mask=BAD, wcs=CUT.wcs, unit=units.nJy)


IMAGES = {
    "array": {"image": CUT.image, "error": SIGMA, "mask": BAD, "wcs": CUT.wcs},
    "number": {"image": CUT.image, "error": NOISE, "mask": BAD.astype(int), "wcs": CUT.wcs.to_header()},
    "quantity": {
        "image": CUT.image * 1e-9 * units.Jy,
        "error": SIGMA * units.nJy,
        "mask": BAD,
        "wcs": CUT.wcs,
    },
    "sigma": {"image": nddata(StdDevUncertainty(SIGMA))},
    "variance": {"image": nddata(VarianceUncertainty(SIGMA**2))},
    "inverse variance": {"image": nddata(InverseVariance(SIGMA**-2))},
    "its own error": {"image": nddata(None), "error": SIGMA},
}


@pytest.mark.parametrize("name", IMAGES)
def test_images_in_memory(name):
    """The same pixels in nJy, errors as sigma, mask and WCS."""
    planes = planes_of(Given("one", BAND, **IMAGES[name]))
    sigma = {"sigma": lambda x: x, "variance": np.sqrt, "ivar": lambda x: x**-0.5}[planes.kind](planes.error)
    factor = units.Unit(planes.unit).to(units.nJy)
    np.testing.assert_allclose(planes.data * factor, CUT.image, rtol=1e-6)
    np.testing.assert_allclose(sigma * factor, SIGMA, rtol=1e-6)
    np.testing.assert_array_equal(planes.mask, BAD)
    assert planes.header["CRVAL1"] == PLACE[0] and planes.header["CRPIX1"] == CUT.wcs.wcs.crpix[0]


def test_images_in_files(tmp_path):
    """Error and mask as further files, or as arrays beside the file."""
    path, error = tmp_path / "image.fits", tmp_path / "error.fits"
    fits.PrimaryHDU(CUT.image, CUT.wcs.to_header()).writeto(path)
    fits.PrimaryHDU(SIGMA).writeto(error)
    row = row_of(Given("one", BAND, str(path), error=error, mask=BAD), tmp_path)
    assert row["path"] == path and row["unc_path"] == error
    np.testing.assert_array_equal(fits.getdata(row["mask_path"]), BAD)
    row = row_of(Given("two", BAND, path, error=SIGMA), tmp_path)
    np.testing.assert_array_equal(fits.getdata(row["unc_path"]), SIGMA.astype("f4"))
    assert row["unc_kind"] == "sigma"


PIXELS = np.array([[30.0, 31.0], [10.0, 20.0]])
RA, DEC = CUT.wcs.pixel_to_world_values(*PIXELS.T)
ON_SKY = SkyCoord(RA, DEC, unit="deg")
X, Y = PIXELS.T
SOURCES = {
    "SkyCoord": ON_SKY,
    "SkyCoord of another frame": ON_SKY.galactic,
    "list of SkyCoords": [ON_SKY[0], ON_SKY[1]],
    "pixels": PIXELS,
    "list of pixels": [(30, 31), (10, 20)],
    "Table": Table({"ra": RA, "dec": DEC}),
    "QTable": QTable({"RA": RA * units.deg, "DEC": DEC * units.deg}),
    "Table of SkyCoord": QTable({"sky_centroid": ON_SKY}),
    "Table of pixels": Table({"x": X, "y": Y}),
    "Table of photutils": Table({"xcentroid": X, "ycentroid": Y}),
    "DataFrame": pandas.DataFrame({"ra": RA, "dec": DEC}),
    "array with names": np.rec.fromarrays([X, Y], names="x, y").view(np.ndarray),
}


@pytest.mark.parametrize("name", SOURCES)
def test_sources(name):
    table = table_of(SOURCES[name], CUT.wcs)
    names = {column.lower(): column for column in table.colnames}
    ra, dec = (units.Quantity(table[names[axis]], units.deg, copy=True) for axis in ("ra", "dec"))
    assert np.all(SkyCoord(ra, dec).separation(ON_SKY) < 1 * units.uas)


def test_a_source_alone():
    for one in (ON_SKY[0], (30, 31), PIXELS[0]):
        table = table_of(one, CUT.wcs)
        assert len(table) == 1 and table["ra"][0] == pytest.approx(RA[0], abs=1e-9)


@pytest.mark.parametrize("model", ["sersic", "point"])
def test_sources_in_a_file(model, tmp_path):
    """A text file, as it is or with all sources made points."""
    path = tmp_path / "mine.csv"
    Table({"ra": RA, "dec": DEC}).write(path)
    catalog = write_catalog(str(path), model, CUT.wcs, tmp_path)
    rows = read_catalog(catalog, [BAND], Config().catalog, complete=False)
    np.testing.assert_allclose(rows["ra"], RA)
    assert all(rows["is_point"] == (model == "point"))


def test_a_psf_in_a_file_is_that_in_memory(tmp_path):
    path = tmp_path / "psf.fits"
    fits.PrimaryHDU(CUT.psf).writeto(path)
    rows = [psf_row(*one, BAND, 1, "included", tmp_path) for one in (("a", CUT.psf), ("b", str(path)))]
    write_tsv(tmp_path / "psfs.tsv", [{name: row.get(name) for name in rows[0] | rows[1]} for row in rows])
    images = images_by_key(read_psf_table(tmp_path / "psfs.tsv"))
    np.testing.assert_allclose(images["a"][0].data, images["b"][0].data)


COMMON = {"error": NOISE, "pixel_scale": SCALE[BAND], "draws": 0, "progress": False}


def test_held_and_points():
    """Held values stay to the last digit; a point has no shape."""
    table = Table({"x": [30.2], "y": [29.9], "rhalf": [0.25], "sersic": [1.5], "axis_ratio": [0.6]})
    table["position_angle"], table["flux"] = 35.0, 5000.0
    held = fpho.fit(CUT.image, CUT.psf, sources=table, held=("position", "shape"), **COMMON).table[0]
    assert held["x"].value == pytest.approx(30.2, abs=1e-6) and held["axis_ratio"] == pytest.approx(
        0.6, rel=1e-6
    )
    assert held["rhalf"].value == pytest.approx(0.25, rel=1e-6) and abs(held["flux"].value / 6000 - 1) < 0.1
    star = fpho.fit(CUT.psf * 1e3, CUT.psf, sources=(15, 15), model="point", **COMMON).table[0]
    assert star["flux"].value == pytest.approx(1000, rel=0.01) and not np.isfinite(
        units.Quantity(star["sersic"]).value
    )
