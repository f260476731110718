"""A sky that nobody subtracted, from the files to the optimized fluxes, under default options."""

import galsim
import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from astropy.wcs import WCS

from fpho.config import make_config
from fpho.layout import Layout
from fpho.scene import read_scene
from fpho.stages.running import run_stage

SIDE, SCALE, NOISE = 112, 0.05, 3.0
FLUXES = np.array([3000.0, 900.0, 500.0])
PLACES = np.array([[30.0, 40.0], [80.0, 30.0], [60.0, 85.0]])
MEASURING = ("psf", "sersic", "preprocess", "scene", "optimize", "background", "detect", "reoptimize")


def inputs(folder):
    """Table of exposures, PSFs and a rough catalog; the light of the galaxies (SIDE, SIDE) and the WCS."""
    wcs = WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.crval, wcs.wcs.crpix = ["RA---TAN", "DEC--TAN"], [150.1, 2.2], [SIDE / 2, SIDE / 2]
    wcs.wcs.cd = np.diag([-SCALE, SCALE]) / 3600
    psf = galsim.Moffat(beta=3.5, fwhm=0.15)
    light = galsim.ImageD(SIDE, SIDE, scale=SCALE)
    for flux, (x, y) in zip(FLUXES, PLACES, strict=True):
        galaxy = galsim.Convolve(galsim.Exponential(half_light_radius=0.2, flux=flux), psf)
        galaxy.drawImage(light, center=galsim.PositionD(x + 1, y + 1), add_to_image=True)
    fits.writeto(folder / "psf.fits", psf.drawImage(nx=41, ny=41, scale=SCALE).array)
    (folder / "psfs.tsv").write_text("key\tpath\tpixel_response\nr\tpsf.fits\tincluded\n")
    (folder / "images.tsv").write_text("id\tband\tpath\na\tr\ta.fits\n")
    ra, dec = wcs.pixel_to_world_values(*PLACES.T)
    rough = {"ra": ra, "dec": dec, "r": FLUXES * [0.5, 2.0, 1.5], "rhalf": [0.12, 0.35, 0.2]}
    rough |= {"sersic": [1.5] * 3, "axis_ratio": [0.8] * 3, "position_angle": [10.0] * 3}
    Table(rough).write(folder / "peaks.ecsv")
    return light.array, wcs


def measured(folder, name: str):
    """Rows of the re-optimized scene."""
    tree = {"outdir": str(folder / name), "images": str(folder / "images.tsv")}
    tree |= {"psfs": str(folder / "psfs.tsv"), "catalog": {"path": str(folder / "peaks.ecsv")}}
    config, layout = make_config({**tree, "psf": {"n_components": 3}}), Layout(folder / name)
    for stage in MEASURING:
        run_stage(stage, config, layout)
    return read_scene(layout.scene("reoptimize"))[0]


def test_fluxes_do_not_know_of_the_sky(tmp_path):
    light, wcs = inputs(tmp_path)
    y, x = np.indices((SIDE, SIDE))
    noise = np.random.default_rng(3).normal(0, NOISE, (SIDE, SIDE))
    rows = {}
    for level in (0.0, 20.0):
        sky = level * NOISE * (1 + 0.3 * (x - y) / SIDE)
        head = wcs.to_header()
        head["BUNIT"] = "nJy"
        planes = [fits.ImageHDU((light + noise + sky).astype("f4"), head, "SCI")]
        planes.append(fits.ImageHDU(np.full((SIDE, SIDE), NOISE, "f4"), name="ERR"))
        fits.HDUList([fits.PrimaryHDU(), *planes]).writeto(tmp_path / "a.fits", overwrite=True)
        rows[level] = measured(tmp_path, f"sky{level:g}")
    error = rows[0.0]["r_err"]
    assert np.all(np.abs(rows[0.0]["r"] - FLUXES) < 4 * error)
    # in the one the sky is not significant and stays, in the other its error is that of a plane
    assert rows[20.0]["r"] == pytest.approx(rows[0.0]["r"], abs=0.6 * error.max())
