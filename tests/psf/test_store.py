"""The store: written and read, the older layout, lookup, places on the detector, and the stage."""

import h5py
import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from fpho.config import Config
from fpho.errors import InputError
from fpho.layout import Layout
from fpho.psf import PSFStore, write_store
from fpho.psf.interpolate import Locations
from fpho.psf.mixture import evaluate
from fpho.psf.store import DTYPE
from fpho.stages import running

MIXTURE = np.array([[0.7, 0.1, 0.0, 1.0, 1.2, 0.1], [0.3, 0.0, 0.2, 5.0, 4.0, -0.5]])
DIMMER = MIXTURE * [0.8, 1, 1, 1, 1, 1]


def test_written_and_read(tmp_path):
    good = {"encircled_energy": 0.001, "poor": False}
    groups = {
        "F150W": (MIXTURE[None], None, [good]),
        "exp1": (np.stack([MIXTURE, DIMMER]), [(0, 0), (10, 0)], [good, {**good, "poor": True}]),
    }
    write_store(tmp_path / "s.h5", groups)
    store = PSFStore(tmp_path / "s.h5")
    assert sorted(store.keys()) == ["F150W", "exp1"]
    assert np.array_equal(store.mixture("F150W"), MIXTURE)
    assert store.mixture("exp1", 4.0, 3.0, "linear") == pytest.approx(0.6 * MIXTURE + 0.4 * DIMMER)
    assert np.array_equal(store.mixture("exp1", 6.0, 3.0), DIMMER)
    assert store.quality("F150W")["poor"] is False
    assert store.quality("exp1")["poor"] is True and store.quality("exp1", 0, 0)["poor"] is False
    assert store.resolve("exp1", "F150W") == "exp1"
    assert store.resolve("exp2", "F150W") == "F150W"
    with pytest.raises(InputError, match="no PSF 'other'"):
        store.resolve("exp1", "F150W", "other")
    with pytest.raises(ValueError, match="give x and y"):
        store.mixture("exp1")


def test_older_layout_gets_the_pixel_and_loses_repeats(shared_data, recwarn):
    store = PSFStore(shared_data / "existing_layouts" / "psfstore.h5")
    mixture = store.mixture("F150W")
    assert mixture.shape == (4, 6) and not recwarn.list
    assert mixture[0, 3:5] == pytest.approx(np.array([0.63154775, 0.52234834]) + 1 / 12)
    assert store.quality("F150W") == {"poor": False, "known": False}


def test_older_layout_whose_repeats_differ_says_so(tmp_path):
    rows = np.zeros((1, 4), DTYPE)
    rows["amp"], rows["Cxx"], rows["Cyy"], rows["sersic_bin"] = [0.5, 0.5, 0.6, 0.4], 1.0, 1.0, [0, 0, 1, 1]
    with h5py.File(tmp_path / "s.h5", "w") as file:
        file["r/parameters"] = rows
    with pytest.warns(UserWarning, match="differs between radii"):
        assert PSFStore(tmp_path / "s.h5").mixture("r")[:, 0].tolist() == [0.5, 0.5]


def test_not_a_store(tmp_path):
    (tmp_path / "s.h5").write_text("text")
    with pytest.raises(InputError, match="cannot be read as a PSF store"):
        PSFStore(tmp_path / "s.h5")
    h5py.File(tmp_path / "empty.h5", "w").close()
    with pytest.raises(InputError, match="no group"):
        PSFStore(tmp_path / "empty.h5")


@pytest.mark.parametrize("kind", ["grid", "scattered", "line"])
def test_linear_interpolation_of_a_plane_is_exact(kind):
    """Inside the hull; outside, the nearest point of the hull, so nothing runs away."""
    rng = np.random.default_rng(5)
    places = {
        "grid": np.stack(np.meshgrid([0.0, 30, 100], [0.0, 100]), axis=-1).reshape(-1, 2),
        "scattered": np.vstack([[[0, 0], [100, 0], [0, 100], [100, 100]], rng.uniform(10, 90, (6, 2))]),
        "line": np.array([[0.0, 0], [50, 50], [100, 100]]),
    }[kind]
    values = places @ [2.0, -1.0] + 3
    locations = Locations(places)
    inside = (40.0, 40.0)
    assert locations.mix(values, *inside, "linear") == pytest.approx(43.0)
    _, weight = locations.weights(500.0, 500.0, "linear")
    assert weight.sum() == pytest.approx(1) and weight.min() >= 0
    assert locations.mix(values, 500.0, 500.0, "linear") == pytest.approx(103.0)
    step = locations.mix(values, 99.999, 60.0, "linear") - locations.mix(values, 100.001, 60.0, "linear")
    assert abs(step) < 0.01


def run_stage(folder, psfs, **options):
    config = Config(
        outdir=str(folder), images="i.tsv", psfs=str(psfs), catalog={"path": "c.fits"}, psf=options
    )
    layout = Layout(folder)
    running.run_stage("psf", config, layout)
    return layout


def test_stage_makes_store_figures_and_pictures(tmp_path):
    y, x = np.indices((31, 31)) - 15
    fits.writeto(tmp_path / "r.fits", evaluate(MIXTURE, x, y))
    (tmp_path / "psfs.tsv").write_text("key\tpath\tpixel_response\nr\tr.fits\tincluded\n")
    layout = run_stage(tmp_path / "run", tmp_path / "psfs.tsv", n_components=2)
    store = PSFStore(layout.psf_store)
    assert not store.quality("r")["poor"]
    assert np.abs(evaluate(store.mixture("r"), x, y) - evaluate(MIXTURE, x, y)).max() < 1e-3 * 0.1
    table = Table.read(layout.psf_quality)
    assert table["key"].tolist() == ["r"] and table["n_components"][0] == 2
    assert [path.name for path in layout.psf_plots.iterdir()] == ["r_0.png"]
    again = run_stage(tmp_path / "again", layout.psf_store)  # a store given as input is copied
    assert again.psf_store.read_bytes() == layout.psf_store.read_bytes()


def test_stage_warns_of_a_psf_that_gaussians_cannot_do(tmp_path):
    """A ring: no single Gaussian has its encircled energy, and the store carries that."""
    y, x = np.indices((31, 31)) - 15
    radius = np.hypot(x, y)
    fits.writeto(tmp_path / "r.fits", np.exp(-((radius - 5) ** 2)) + np.exp(-(radius**2)))
    (tmp_path / "psfs.tsv").write_text("key\tpath\tpixel_response\nr\tr.fits\tincluded\n")
    with pytest.warns(UserWarning, match="misses its limits"):
        layout = run_stage(tmp_path / "run", tmp_path / "psfs.tsv", n_components=1)
    assert PSFStore(layout.psf_store).quality("r")["poor"]
