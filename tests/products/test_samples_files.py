"""From images drawn by GalSim through a patch's files to all products: nothing made up in between."""

import json

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from fpho.products import collect, inference_data, postop_catalog, postsample_catalog, write_images
from fpho.products.catalogs import write_chains
from fpho.scene import read_scene
from fpho.scene.catalog import read_catalog
from fpho.stages.running import run_stage


def test_forward_model_is_that_of_galsim(run, tmp_path):
    """The truth, rendered by the kernel through the PSF mixtures, leaves nothing but noise in the images."""
    _, layout = run
    truth = layout.simulation / "truth.fits"
    rows, _, _ = read_scene(truth)
    constant = {row["exposure"]: row["constant"] for row in Table.read(truth, hdu="BACKGROUND")}
    for path in write_images(layout.outdir, tmp_path, rows):
        with fits.open(path) as hdus:
            good = hdus["ERR"].data > 0
            pull = (hdus["RESIDUAL"].data - constant[path.stem])[good] / hdus["ERR"].data[good]
        assert np.mean(pull**2) == pytest.approx(1, abs=4 * np.sqrt(2 / pull.size))
        assert np.abs(pull).max() < 5.5  # a wrong PSF or profile shows in the sources' cores


def test_results_are_collected(run):
    _, layout = run
    results = collect(layout.outdir)
    assert results.bands == ["F125W"] and [s.row["id"] for s in results.sources] == [
        "gal-1",
        "gal-2",
        "star-3",
    ]
    table = postsample_catalog(layout.outdir)
    assert np.all(table["chi2"] > 0.5) and np.all(table["chi2"] < 2) and np.all(table["n_draws"] == 120)
    assert np.all(np.isfinite(table["rhat"])) and np.isnan(table["sersic"][2])


def test_postprocess_writes_everything(run):
    config, layout = run
    run_stage("postprocess", config, layout)
    run_stage("compare", config, layout)
    names = ["plots/field_F125W_1.png", "plots/summary.png", "plots/patches/patch0.png", "summary.html"]
    names += ["catalogs/posterior.ecsv", "catalogs/chains.fits", "images/F125W_1.fits", "regions/sources.reg"]
    names += ["comparison/comparison.ecsv", "comparison/comparison.png", "comparison/recovery.png"]
    for name in names:
        assert (layout / name).stat().st_size > 100, name
    assert not (layout.plots / "sources").exists()  # sheets are made when asked for


def test_a_page_is_made_of_the_run_alone(run):
    """From its catalogs and images; where these are not there, they are drawn for the page alone."""
    config, layout = run
    postsample_catalog(layout.outdir, layout.posterior)
    write_chains(layout.chains, collect(layout.outdir), 20)
    run_stage("view", config, layout)
    stored = json.loads((layout.page / "data/sources.js").read_text()[len('fpho.take("sources",') : -3])
    assert stored["id"] == list(postsample_catalog(layout.outdir)["id"]) and "F125W_err" in stored
    tiles = {path.parent.parent.name for path in (layout.page / "tiles").rglob("*_*.*")}
    assert tiles == {"0_data", "0_model", "0_residual"}  # one band has no colour
    assert (layout.page / "draws/0/0.js").is_file() and (layout.page / "index.html").is_file()
    assert not [path for path in layout.outdir.iterdir() if path.name.startswith(".images")]


def test_postop_catalog_is_an_input_catalog(run):
    _, layout = run
    layout.scene("optimize").write_bytes(layout.scene("initial").read_bytes())
    postop_catalog(layout.outdir)
    rows = read_catalog(layout.postop, ["F125W"])
    assert np.array_equal(rows["q"], read_scene(layout.postop)[0]["q"])
    assert rows["is_point"].tolist() == [False, False, True]


def test_arviz_gets_ids_physical_names_and_units(run):
    import arviz

    _, layout = run
    data = inference_data(layout.samples(0))
    table = postsample_catalog(layout.outdir)
    assert list(data.posterior.source.values) == ["gal-1", "gal-2", "star-3"]
    assert data.posterior["F125W"].dims == ("chain", "draw", "source")
    assert data.posterior["F125W"].attrs["units"] == "nJy" and "lp" not in data.posterior
    one = data.posterior.sel(source="gal-2")
    assert float(one["axis_ratio"].median()) == table["axis_ratio"][1]
    assert float(one["F125W"].std()) == pytest.approx(table["F125W_err"][1])
    assert np.isnan(data.posterior.sel(source="star-3")["sersic"]).all()
    worst = arviz.rhat(one[["ra", "dec", "F125W", "rhalf", "sersic"]]).to_array().max()
    assert float(worst) <= table["rhat"][1] + 1e-3
    assert data.sample_stats.sizes["chain"] == 2 and "diverging" in data.sample_stats
