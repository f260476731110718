"""The optimum on real observations, against values that other software measured on the same pixels.

The stages run as users run them, with the configuration that the project ships, but for fewer components of
the PSF mixtures (seconds instead of a minute). What is asserted, and why not tighter: docs/real_data.md.
"""

import csv
import json

import numpy as np
import pytest

from fpho.config import load_config
from fpho.layout import Layout
from fpho.parameters import axis_ratio, position_angle
from fpho.scene import read_scene
from fpho.stages import background, detect, passes, preprocess, psf, scene, sersic

from .conftest import TOP


@pytest.fixture(scope="module")
def optimum(shared_data, tmp_path_factory):
    """(rows, log of the patches) of the re-optimized scene of a shipped configuration."""

    def run(name, *overrides):
        folder = tmp_path_factory.mktemp(name)
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(TOP)
            config = load_config(f"config/{name}.yaml", [f"outdir={folder}", *overrides])
            layout = Layout(folder)
            for stage in (psf, sersic, preprocess, scene):
                stage.run(config, layout)
            passes.run(config, layout, "optimize")
            for stage in (background, detect):
                stage.run(config, layout)
            passes.run(config, layout, "reoptimize")
        entries = json.loads(layout.state_after("reoptimize", "all").with_suffix(".log.json").read_text())
        return read_scene(layout.scene("reoptimize"))[0], entries

    return run


def test_decam(optimum, shared_data):
    """One joint fit of eight exposures: fluxes, size, index, shape, misfit, and the faint point source."""
    rows, entries = optimum("decam_testcase3", "psf.n_components=4")
    with open(shared_data / "decam_testcase3" / "tractor_reference.csv") as stream:
        reference = [row for row in csv.DictReader(stream) if row["fit"] == "all 8 exposures"]
    galaxy, star = reference
    found, faint = rows
    for band in "grz":
        assert found[band] == pytest.approx(float(galaxy[f"flux_{band}_nJy"]), rel=0.03)
    assert found["rhalf"] / found["q"] == pytest.approx(float(galaxy["re_arcsec"]), rel=0.04)
    assert found["sersic"] == pytest.approx(float(galaxy["n"]), abs=0.3)
    assert axis_ratio(found["q"]) == pytest.approx(float(galaxy["axis_ratio"]), abs=0.02)
    assert position_angle(found["pa"]) == pytest.approx(float(galaxy["pa_deg_EofN"]), abs=2)
    for band in "rz":
        assert abs(faint[band] - float(star[f"flux_{band}_nJy"])) < 3 * faint[f"{band}_err"]
    entry = entries[-1]
    assert len(entry["exposures"]) == 8
    assert np.all(np.array(entry["chi2"]) / entry["n_pix"] < 1.2)
