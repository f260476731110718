"""The optimum on real observations, against values that other software measured on the same pixels.

The stages run as users run them, with the configuration that the project ships, but for fewer components of
the PSF mixtures (seconds instead of a minute). What is asserted, and why not tighter: docs/real_data.md.
"""

import csv
import json
from itertools import combinations

import numpy as np
import pytest
from numpy.lib.recfunctions import require_fields

from fpho import CPUPatchMixin, DirectPatch, run_opt
from fpho.config import load_config
from fpho.geometry import CircularRegion
from fpho.images import open_store
from fpho.layout import Layout
from fpho.parameters import axis_ratio, position_angle, scene_dtype
from fpho.psf import PSFStore
from fpho.scene import read_scene
from fpho.stages.running import run_stage

from .conftest import TOP

STAGES = ("psf", "sersic", "preprocess", "scene", "optimize", "background", "detect", "reoptimize")


class Patcher(DirectPatch, CPUPatchMixin):
    """Patches from memory, likelihood on the CPU."""


@pytest.fixture(scope="module")
def optimum(tmp_path_factory):
    """(rows, log of the patches, config, layout) of the re-optimized scene of a shipped configuration."""

    def run(name, *overrides):
        folder = tmp_path_factory.mktemp(name)
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(TOP)
            config = load_config(f"config/{name}.yaml", [f"outdir={folder}", *overrides])
            layout = Layout(folder)
            for stage in STAGES:
                run_stage(stage, config, layout)
        entries = json.loads(layout.scene("reoptimize").with_suffix(".log.json").read_text())
        return read_scene(layout.scene("reoptimize"))[0], entries, config, layout

    return run


def test_the_data_of_the_project(optimum):
    """Three exposures that come with the project, one in each band; The Tractor's values from all eight.

    Fluxes and index covary where the galaxy fills the cut-out: three exposures alone leave 2% (1 sigma).
    """
    rows, entries, _, _ = optimum("decam", "psf.n_components=4")
    galaxy, star = rows
    for band, reference in {"g": 79213.0, "r": 251375.0, "z": 554911.0}.items():
        assert galaxy[band] == pytest.approx(reference, rel=0.06)
        assert abs(galaxy[band] - reference) < 3 * galaxy[f"{band}_err"]
    assert galaxy["rhalf"] / galaxy["q"] == pytest.approx(2.218, rel=0.04)
    assert galaxy["sersic"] == pytest.approx(3.43, abs=0.3)
    assert axis_ratio(galaxy["q"]) == pytest.approx(0.658, abs=0.02)
    assert position_angle(galaxy["pa"]) == pytest.approx(87.9, abs=2)
    for band, reference in {"r": 2099.0, "z": 7230.0}.items():
        assert abs(star[band] - reference) < 3 * star[f"{band}_err"]
    fit = entries[-1]["fit"]
    assert np.all(np.array(fit["chi2"]) / fit["n_pix"] < 1.2)


@pytest.fixture(scope="module")
def decam(optimum, shared_data):
    return optimum("decam_testcase3", "psf.n_components=4")


@pytest.fixture(scope="module")
def tractor(shared_data):
    """Rows of the reference by the name of the fit: galaxy, point source."""
    fits = {}
    with open(shared_data / "decam_testcase3" / "tractor_reference.csv") as stream:
        for row in csv.DictReader(stream):
            fits.setdefault(row["fit"].removesuffix("_sci.fits"), []).append(row)
    return fits


def test_decam(decam, tractor):
    """One joint fit of eight exposures: fluxes, size, index, shape, misfit, and the faint point source."""
    rows, entries, _, _ = decam
    galaxy, star = tractor["all 8 exposures"]
    found, faint = rows
    for band in "grz":
        assert found[band] == pytest.approx(float(galaxy[f"flux_{band}_nJy"]), rel=0.03)
    assert found["rhalf"] / found["q"] == pytest.approx(float(galaxy["re_arcsec"]), rel=0.04)
    assert found["sersic"] == pytest.approx(float(galaxy["n"]), abs=0.3)
    assert axis_ratio(found["q"]) == pytest.approx(float(galaxy["axis_ratio"]), abs=0.02)
    assert position_angle(found["pa"]) == pytest.approx(float(galaxy["pa_deg_EofN"]), abs=2)
    for band in "rz":
        assert abs(faint[band] - float(star[f"flux_{band}_nJy"])) < 3 * faint[f"{band}_err"]
    entry = entries[-1]["fit"]
    assert len(entry["exposures"]) == 8
    assert np.all(np.array(entry["chi2"]) / entry["n_pix"] < 1.2)


@pytest.fixture(scope="module")
def one_by_one(decam):
    """Function (names held at the joint values) -> {exposure: (band, flux, error)}, each fitted alone."""
    rows, _, config, layout = decam
    store = open_store(layout.pixels("exposure"), layout.meta("exposure"))

    def fit(name, held):
        bands = [store.band(name)]
        alone = require_fields(rows, scene_dtype(bands))
        patcher = Patcher([store.exposure(name)], PSFStore(layout.psf_store))
        patcher.build_patch(CircularRegion(rows["ra"][0], rows["dec"][0], 9.5), None, allbands=bands)
        model, q = patcher.prepare_model(
            active=alone,
            bounds=patcher.make_bounds(alone, config.bounds.model_copy(update={"held": held})),
            in_fit_background=True,
            background_sigma=config.background.prior_sigma,
        )
        best, info = run_opt(model, q)
        assert info["converged"]
        measured = best.fill(None, alone, None, model)[0][0]
        return bands[0], measured[bands[0]], measured[f"{bands[0]}_err"]

    return lambda *held: {name: fit(name, held) for name in store.ids}


def reference_singles(tractor, names):
    """As `one_by_one`, of the reference."""
    out = {}
    for name, (band, _, _) in names.items():
        row = tractor[name][0]
        out[name] = band, float(row[f"flux_{band}_nJy"]), float(row[f"fluxerr_{band}_nJy"])
    return out


def test_decam_exposures_repeat_with_the_index_held(one_by_one, tractor):
    """Each exposure alone, the joint fit's index held: fluxes repeat at least as well as the reference's."""

    def spread(fits, band):
        fluxes = [flux for b, flux, _ in fits.values() if b == band]
        return np.ptp(fluxes) / np.mean(fluxes)

    ours = one_by_one("sersic")
    theirs = reference_singles(tractor, ours)
    for band in "grz":
        assert spread(ours, band) <= spread(theirs, band), band


def test_decam_exposures_repeat_within_their_errors(one_by_one, tractor):
    """With everything free they scatter more, and their errors say so; the reference's do not."""

    def worst(fits):
        """Largest difference of two exposures of a band, in units of its error."""
        pairs = combinations(fits.values(), 2)
        return max(abs(f - g) / np.hypot(s, t) for (a, f, s), (b, g, t) in pairs if a == b)

    ours = one_by_one()
    assert worst(ours) < min(2.5, worst(reference_singles(tractor, ours)))


def test_jwst(optimum, shared_data):
    """Object 6414 in seven NIRCam mosaics: fluxes against two references, size, index, axis ratio."""
    rows, _, _, _ = optimum("jwst_ceers", "psf.n_components=5")
    found = rows[rows["id"] == "6414"][0]
    with open(shared_data / "jwst_ceers" / "reference_fluxes.csv") as stream:
        references = [row for row in csv.DictReader(stream) if row["id"] == "6414"]
    assert len(references) == 7
    for row in references:
        for other in ("galfits_flux_nJy", "tractor_joint_nJy"):
            assert found[row["band"]] == pytest.approx(float(row[other]), rel=0.02)
    assert found["rhalf"] / found["q"] == pytest.approx(0.208, abs=0.006)
    assert found["sersic"] == pytest.approx(0.85, abs=0.06)
    assert axis_ratio(found["q"]) == pytest.approx(0.886, abs=0.015)
