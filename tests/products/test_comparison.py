"""Results against truth: matching, pulls, verdict."""

import numpy as np
import pytest
from astropy.table import Table

from fpho.background.table import DTYPE
from fpho.layout import Layout
from fpho.parameters import axis_ratio, position_angle
from fpho.products import compare, postsample_catalog
from fpho.products.comparison import deviation, matched, true_rows, write_comparison
from fpho.products.plots.pulls import plot_background, plot_pulls, plot_recovery

from .conftest import BANDS, CENTRE, SPREAD


@pytest.fixture
def truth(results):
    table = Table(results.rows)
    for name, value in CENTRE.items():
        table[name] = value
    table["dec"] += 2e-3 * np.arange(3)
    table["axis_ratio"], table["position_angle"] = axis_ratio(table["q"]), position_angle(table["pa"])
    table["in_catalog"], table["snr"] = [True, True, False], [50.0, 30.0, 40.0]
    return table


def test_pulls_and_verdict(results, truth, tmp_path):
    truth["g"][0] += 4 * SPREAD["g"]
    tweakbg = np.zeros(1, DTYPE)
    tweakbg["exposure"], tweakbg["constant"], tweakbg["error"] = "g1", 0.5, 0.1
    true_background = Table({"exposure": ["g1"], "constant": [0.3]})
    result = compare(postsample_catalog(results), truth, BANDS, true_background, tweakbg)
    assert result.table["g_pull"][0] == pytest.approx(-4, abs=0.3)
    assert abs(result.table["position_angle_pull"][1]) < 0.2  # north is 0 and 180 degrees
    assert abs(result.table["ra_pull"][1]) < 0.2
    assert np.isnan(result.table["sersic_pull"][2])  # a point source has no index
    assert result.background["pull"][0] == pytest.approx(2)
    assert "missing source s2: found" in result.text and "5 of 6" in result.text
    write_comparison(tmp_path, result)
    assert len(Table.read(tmp_path / "comparison.ecsv")) == 3
    plot_pulls(tmp_path / "pulls.png", result.table, BANDS)
    plot_recovery(tmp_path / "recovery.png", result.table, BANDS)
    plot_background(tmp_path / "background.png", result.background)
    assert (tmp_path / "pulls.png").stat().st_size > 5000


def test_a_source_is_matched_once(results, truth):
    catalog = postsample_catalog(results)[:2]
    twin = truth[[0, 0, 1, 2]]
    twin["dec"][1] += 0.1 / 3600
    assert matched(twin, catalog).tolist() == [0, -1, 1, -1]
    missing = compare(catalog, truth, BANDS)
    assert "missing source s2: not found" in missing.text
    assert np.isnan(missing.table["g_pull"][2]) and missing.table["source_index"][2] == -1


def test_nothing_found(results, truth):
    result = compare(postsample_catalog(results)[:0], truth, BANDS)
    assert result.verdict["true sources found"] == "0 of 3"


def test_deviation_wraps():
    assert deviation("position_angle", 179.0, 1.0, 0.0) == pytest.approx(-2)
    assert deviation("ra", 359.9999, 0.0001, 60.0) == pytest.approx(-0.36)


def test_truth_of_a_simulated_scene_by_source(results, truth, tmp_path):
    layout = Layout(tmp_path)
    assert true_rows(layout, results) == {}
    layout.simulation.mkdir()
    truth[::-1].write(layout.simulation / "truth.fits")
    found = true_rows(layout, results)
    assert sorted(found) == [0, 1, 2]
    assert all(found[i]["dec"] == truth["dec"][i] and found[i]["g"] == truth["g"][i] for i in found)


def test_many_sources_are_matched_without_all_their_distances():
    """Twenty thousand a side: a matrix of distances would hold 3 GB and more."""
    rng = np.random.default_rng(3)
    many = Table({"ra": rng.uniform(0, 0.5, 20_000), "dec": rng.uniform(-0.25, 0.25, 20_000)})
    order = rng.permutation(20_000)
    near = many[order]
    near["dec"] += 0.01 / 3600
    assert np.mean(order[matched(many, near)] == np.arange(20_000)) > 0.999
