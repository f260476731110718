"""Sources put into the images of the tiny scene are found again, with their fluxes."""

import csv

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from fpho.config import make_config
from fpho.errors import InputError
from fpho.layout import Layout
from fpho.simulate.scenes import REFERENCE
from fpho.stages.running import run_stage

BANDS = ("F814W", "F125W")
OFFSETS = ((0.05, 0.0), (1.45, 0.05), (-0.05, 1.35))  # arcsec; far from the source that the catalog lacks
FLUX = 300.0  # nJy
STAGES = ["preprocess", "scene", "optimize", "background", "detect", "reoptimize"]


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """(configuration, layout) of a run with three injected sources, and one outside all images."""
    folder = tmp_path_factory.mktemp("inject")
    catalog = Table()
    east, north = np.array([*OFFSETS, (60.0, 0.0)]).T
    catalog["id"] = ["a", "b", "c", "far"]
    catalog["ra"] = REFERENCE[0] + east / 3600 / np.cos(np.radians(REFERENCE[1]))
    catalog["dec"] = REFERENCE[1] + north / 3600
    catalog["rhalf"], catalog["sersic"] = [0.1, 0.15, 0.2, 0.1], [1.0, 1.5, 1.0, 1.0]
    catalog["axis_ratio"], catalog["position_angle"] = 0.7, [10.0, 80.0, 150.0, 0.0]
    catalog["roi"] = 0.4
    for band in BANDS:
        catalog[band] = FLUX
    catalog.write(folder / "inject.ecsv")
    options = {"simulate.scene": "tiny", "outdir": str(folder / "run"), "psf.max_components": 4}
    options |= {"inject.catalog": str(folder / "inject.ecsv"), "inject.magnitude_bins": [20, 25, 30]}
    options |= {"inject.stages": STAGES, "detect.enabled": True, "optimize.on": "mosaic"}
    config = make_config(options)
    layout = Layout(folder / "run")
    run_stage("simulate", config, layout)
    run_stage("inject", config, layout)
    return config, layout


def test_the_images_hold_the_light(ran):
    """New minus old image is the sources' flux, and other extensions are those of the user."""
    _, layout = ran
    old, new = (
        fits.open(path / "F814W_mosaic.fits")
        for path in (layout.simulation / "images", layout.injection / "images")
    )
    with old, new:
        added = new["SCI"].data.astype("f8") - old["SCI"].data
        np.testing.assert_array_equal(new["ERR"].data, old["ERR"].data)
    assert added.sum() == pytest.approx(3 * FLUX, rel=0.02)  # wings leave the image
    with open(layout.injection / "exposures.tsv") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t"))
    assert all(str(layout.injection) in row["path"] for row in rows)
    assert all(row["mask_path"] == row["path"] for row in rows)


def test_sources_are_found_with_their_fluxes(ran):
    """Pulls of a few sources: a coarse net for a wrong PSF, position, unit or matching."""
    _, layout = ran
    table = Table.read(layout.injection / "injection.ecsv")
    assert list(table["in_images"]) == [True, True, True, False]
    assert list(table["found"]) == [True, True, True, False]
    for band in BANDS:
        assert np.all(np.abs(table[f"{band}_pull"][:3]) < 4)
        assert np.all(np.abs(table[f"{band}_bias"][:3]) < 0.2)
        assert np.all(table[f"{band}_snr"][:3] > 20)
    assert np.all(np.abs(np.log(table["rhalf"] / table["rhalf_true"])[:3]) < 0.3)


def test_the_report_counts(ran):
    _, layout = ran
    summary = Table.read(layout.injection / "summary.ecsv")
    by_magnitude = summary[(summary["by"] == "mag") & (summary["band"] == "F814W")]
    assert by_magnitude["n"].sum() == 3
    assert np.all(by_magnitude["completeness"] == 1)
    for name in ("injection.png", "injection.html", "injection.md"):
        assert (layout.injection / name).stat().st_size > 100


def test_bad_input_is_told(tmp_path):
    layout = Layout(tmp_path)
    config = make_config({"simulate.scene": "tiny"})
    with pytest.raises(InputError, match=r"inject\.stages"):
        run_stage("inject", make_config({"inject.stages": ["paint"]}), layout)
    run_stage("simulate", config, layout)
    with pytest.raises(InputError, match="no catalog is given"):
        run_stage("inject", config, layout)
