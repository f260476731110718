"""`fpho inspect` and `fpho init`: files as people have them are recognised, and made ready to run."""

import galsim
import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from scipy import ndimage

from fpho.config import load_config
from fpho.errors import InputError
from fpho.folder import inspect, start, walk
from fpho.images import read_table
from fpho.psf.inputs import images_by_key, read_psf_table
from fpho.simulate import make_wcs, write_image
from fpho.stages.check import find_problems
from fpho.stages.detect import looks_again
from fpho.stages.inputs import Inputs

CENTRE = (150.0, 2.0)
SHAPE = (160, 170)
SIGMA = 0.02  # nJy per pixel
SKY = 0.05


def scene(seed, smooth=False):
    """Twelve stars of S/N 100 and more, and noise; where `smooth` no stars, and the noise correlated."""
    rng = np.random.default_rng(seed)
    image = galsim.Image(SHAPE[1], SHAPE[0], scale=1.0)
    for i in range(0 if smooth else 12):
        place = galsim.PositionD(25 + 40 * (i % 4), 25 + 50 * (i // 4))
        galsim.Gaussian(sigma=1.5, flux=30.0 + 3 * i).drawImage(image, center=place, add_to_image=True)
    noise = rng.standard_normal(SHAPE)
    if smooth:
        noise = ndimage.gaussian_filter(noise, 0.7)
        noise /= noise.std()
    return image.array + SIGMA * noise + SKY


@pytest.fixture
def folder(tmp_path):
    """Exposures with extensions, a mosaic in three files, a PSF for each band, what is none of that."""
    here = tmp_path / "my data"
    (here / "sub").mkdir(parents=True)
    wcs = make_wcs(*CENTRE, 0.05, SHAPE, rotation=20.0)
    bad = np.zeros(SHAPE, bool)
    bad[:, 100] = True
    for i in (1, 2):
        write_image(here / f"jw{i}_cal.fits", scene(i), SIGMA, wcs, "F200W", bad)
    header = dict(wcs.to_header()) | {"FILTER": "F444W", "BUNIT": "nJy"}
    parts = {"sci": scene(5, smooth=True), "err": np.full(SHAPE, SIGMA), "mask": bad.astype("u1")}
    for name, data in parts.items():
        fits.writeto(here / "sub" / f"deep_F444W_{name}.fits", data.astype("f4"), fits.Header(header))
    psf = galsim.Gaussian(sigma=1.5).drawImage(nx=41, ny=41, scale=1.0).array
    for band in ("F200W", "F444W"):
        fits.writeto(here / f"psf_{band}.fits", psf, fits.Header({"FILTER": band, "OVERSAMP": 1}))
    (here / "notes.txt").write_text("observed by me\n")
    fits.writeto(here / "lonely_err.fits", np.ones((30, 30), "f4"), fits.Header(header))
    return here


def test_a_folder_becomes_a_run(folder):
    made = start(folder)
    assert made.ready and [path.name for path in made.written] == [
        "fpho_images.tsv",
        "fpho_psfs.tsv",
        "fpho.yaml",
    ]
    config = load_config(folder / "fpho.yaml")
    assert config.bands == ["F200W", "F444W"] and config.catalog.detect and looks_again(config)
    assert config.preprocess.noise_scale == "measure"
    specs = {spec.id: spec for spec in read_table(config.images)}
    assert {name: spec.kind for name, spec in specs.items()} == {
        "jw1_cal": "exposure",
        "jw2_cal": "exposure",
        "deep_F444W": "mosaic",
    }
    assert specs["deep_F444W"].unc_path.name == "deep_F444W_err.fits"
    assert set(images_by_key(read_psf_table(config.psfs))) == {"F200W", "F444W"}
    inputs = Inputs(folder / "fpho_images.tsv", folder / "fpho_psfs.tsv", None)
    assert list(find_problems(config, inputs)) == []
    assert any("lonely_err.fits" in text for text in made.doubts)
    with pytest.raises(InputError, match="is there already"):
        start(folder)


def test_what_is_missing_is_said(folder):
    (folder / "psf_F444W.fits").unlink()
    peaks = Table({"ra": [150.0], "dec": [2.0]})
    for name in ("a.csv", "b.csv"):
        peaks.write(folder / name)
    made = start(folder)
    assert not made.ready
    assert any("no PSF for deep_F444W" in text for text in made.doubts)
    assert any("which catalog" in text and "a.csv, b.csv" in text for text in made.doubts)


def test_one_catalog_is_taken(folder):
    Table({"ra": [150.0], "dec": [2.0]}).write(folder / "peaks.csv")
    start(folder)
    config = load_config(folder / "fpho.yaml")
    assert config.catalog.path == str(folder / "peaks.csv") and not config.catalog.detect


def test_a_catalog_that_stops_the_run_is_not_taken(folder):
    """An axis ratio without a position angle: the run would end at once."""
    Table({"ra": [150.0], "dec": [2.0], "axis_ratio": [0.5]}).write(folder / "peaks.csv")
    made = start(folder)
    config = load_config(folder / "fpho.yaml")
    assert config.catalog.detect and not config.catalog.path
    assert any("peaks.csv" in text and "position_angle" in text for text in made.doubts)


def test_a_folder_without_images(tmp_path):
    (tmp_path / "notes.txt").write_text("nothing\n")
    with pytest.raises(InputError, match="no image"):
        start(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["notes.txt"]


def test_an_image_is_inspected(folder):
    Table({"ra": [150.0, 151.0], "dec": [2.0, 2.0]}).write(folder / "peaks.csv")
    facts = dict(inspect(folder / "jw1_cal.fits", folder / "peaks.csv").lines)
    assert facts["band"] == "F200W" and "0.05 arcsec" in facts["size"] and "170 x 160" in facts["size"]
    assert "1 nJy" in facts["factor"] and "BUNIT" in facts["factor"] and "31.4000" in facts["zeropoint"]
    assert "mask 0.59%" in facts["bad pixels"]
    assert "as the errors say" in facts["noise"] and "independent" in facts["neighbours"]
    level, error = (float(facts["sky"].split()[i]) for i in (0, 2))
    assert abs(level - SKY) < 4 * error and error < 0.002
    assert facts["catalog"].startswith("1 of 2 sources of peaks.csv lie on it")
    assert facts["stars"].startswith("9 usable")  # the bad column touches three
    assert abs(float(facts["orientation"].split()[2])) == pytest.approx(20, abs=0.2)


def test_a_mosaic_a_psf_and_a_catalog_are_inspected(folder):
    facts = dict(inspect(folder / "sub" / "deep_F444W_sci.fits").lines)
    assert facts["kind"].startswith("mosaic") and "correlated" in facts["neighbours"]
    assert "deep_F444W_err.fits" in facts["read as"]
    facts = dict(inspect(folder / "psf_F200W.fits").lines)
    assert facts["form"] == "fits" and "41 x 41" in facts["size"] and "included" in facts["pixel response"]
    Table({"RA": [150.0], "DEC": [2.0], "q": [0.5], "pa": [0.1]}).write(folder / "peaks.csv")
    facts = dict(inspect(folder / "peaks.csv").lines)
    assert facts["sources"] == "1" and "convention" in facts["to decide"]


def test_damaged_files_are_doubts(folder):
    whole = (folder / "jw2_cal.fits").read_bytes()
    (folder / "jw2_cal.fits").write_bytes(whole[: len(whole) // 2])
    found = walk(folder)
    assert {one.path.name for one in found.images} <= {"jw1_cal.fits", "jw2_cal.fits", "deep_F444W_sci.fits"}
    made = start(folder)
    assert any("jw2_cal.fits" in text for text in made.doubts)
