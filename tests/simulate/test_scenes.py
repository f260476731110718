"""The built-in scenes as files."""

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from astropy.wcs import WCS

from fpho.files import checksum
from fpho.simulate.optics import make_wcs
from fpho.simulate.scenes import build_scene
from fpho.simulate.writing import set_fluxes, true_psfs, write_image, write_scene


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tiny")
    return folder, write_scene("tiny", folder, seed=4)


def test_tables_name_files_that_are_there(tiny):
    folder, scene = tiny
    for name in ("exposures.tsv", "psfs.tsv"):
        table = Table.read(folder / name, format="ascii.tab")
        assert all((folder / path).is_file() for path in table["path"])
    assert len(Table.read(folder / "exposures.tsv", format="ascii.tab")) == len(scene.pointings) == 4


def test_catalog_lacks_the_missing_source_and_is_off_the_truth(tiny):
    folder, scene = tiny
    truth, peaks = Table.read(folder / "truth.fits", hdu=1), Table.read(folder / "catalog.fits")
    assert len(peaks) == len(truth) - 1 and "missing-4" in truth["id"] and "missing-4" not in peaks["id"]
    assert peaks.meta["FILTERS"] == "F814W,F125W"
    offset = 3600 * np.abs(np.asarray(peaks["dec"]) - truth["dec"][truth["in_catalog"]])
    assert 0 < offset.max() < 0.1
    assert len(Table.read(folder / "truth.fits", hdu="BACKGROUND")) == len(scene.pointings)


def test_images_have_wcs_noise_and_bad_pixels(tiny):
    folder, scene = tiny
    with fits.open(folder / "images" / "F814W_1.fits") as hdus:
        assert hdus[0].header["FILTER"] == "F814W" and hdus["SCI"].header["BUNIT"] == "nJy"
        wcs = WCS(hdus["SCI"].header)
        good = hdus["DQ"].data == 0
        assert 0 < (~good).sum() < 0.01 * good.size
        noise = 1.4826 * np.median(np.abs(hdus["SCI"].data[good]))
        assert noise == pytest.approx(float(hdus["ERR"].data[0, 0]), rel=0.15)
    x, y = wcs.world_to_pixel_values(scene.truth["ra"], scene.truth["dec"])
    assert np.all((x > 0) & (x < wcs.pixel_shape[0]) & (y > 0) & (y < wcs.pixel_shape[1]))


def test_an_image_in_another_unit_holds_the_same_light(tmp_path):
    """MJy/sr: 1e-15 MJy is 1 nJy, an arcsec^2 is 2.3504e-11 sr."""
    wcs, data = make_wcs(10.0, -20.0, 0.05, (40, 50)), np.full((40, 50), 3.0)
    write_image(tmp_path / "a.fits", data, 0.5, wcs, "g", unit="MJy/sr")
    with fits.open(tmp_path / "a.fits") as hdus:
        assert hdus["SCI"].header["BUNIT"] == "MJy/sr"
        factor = 1e-15 / (0.05**2 * 2.350443e-11)
        assert hdus["SCI"].data == pytest.approx(3.0 * factor, rel=1e-5)
        assert hdus["ERR"].data == pytest.approx(0.5 * factor, rel=1e-5)


def test_same_seed_same_files(tiny, tmp_path):
    folder, _ = tiny
    write_scene("tiny", tmp_path, seed=4)
    for name in ("images/F814W_1.fits", "catalog.fits", "truth.fits", "psfs/F125W.fits"):
        assert checksum(folder / name) == checksum(tmp_path / name)


def test_example_is_as_documented():
    scene = build_scene("example", seed=1)
    set_fluxes(scene, {key: psf for key, (_, psf) in true_psfs(scene).items()})
    truth, galaxy = scene.truth, ~scene.truth["is_point"]
    assert galaxy.sum() >= 20 and (~galaxy).sum() == 2 and (~scene.listed).sum() == 1
    assert truth["sersic"][galaxy].min() <= 0.6 and truth["sersic"].max() >= 4.5
    assert truth["rhalf"][galaxy].min() <= 0.05 and truth["rhalf"].max() >= 0.6
    assert scene.snr.max() == 300 and np.mean(scene.snr <= 10) > 0.5, "most are faint"
    assert scene.understated and max(scene.understated.values()) < 0.5, "one is larger than its catalog says"
    assert all(p.camera.background > 0.1 * p.camera.noise for p in scene.pointings), "sky is left in"
    assert [p.id for p in scene.pointings if p.unit != "nJy"] == ["F125W_2"]
    kinds = [p.camera.kind for p in scene.pointings]
    assert kinds.count("exposure") == 6 and kinds.count("mosaic") == 3
    for pointing in scene.pointings:
        x, y = pointing.wcs.world_to_pixel_values(truth["ra"], truth["dec"])
        ny, nx = pointing.camera.shape
        assert np.all((x > 5) & (x < nx - 5) & (y > 5) & (y < ny - 5))
