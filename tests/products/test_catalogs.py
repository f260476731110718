"""Tables against the draws they summarise."""

import numpy as np
import pytest
from astropy.table import Table
from PIL import Image

from fpho.parameters import from_ellipticity
from fpho.products import chain_catalog, postsample_catalog
from fpho.products.columns import unwrapped
from fpho.products.medians import convergence, median_row
from fpho.products.report import value_text, write_summary

from .conftest import BANDS, SPREAD


def test_percentiles_are_those_of_the_draws(results, tmp_path):
    table = postsample_catalog(results, tmp_path / "cat.fits", percentiles=(2.5, 16, 84))
    draws = results.sources[0].draws
    row = table[0]
    assert row["g"] == np.median(draws["g"])
    assert row["g_err"] == pytest.approx(SPREAD["g"], rel=0.1)
    assert row["rhalf_p2_5"] == pytest.approx(np.percentile(draws["rhalf"], 2.5))
    assert row["axis_ratio"] == pytest.approx(np.median(draws["q"] ** 2))
    assert row["rhalf_major"] == pytest.approx(np.median(draws["rhalf"] / draws["q"]))
    # on the sky: 2e-6 degrees at dec 60 are 3.6 mas
    assert row["ra_err"] == pytest.approx(SPREAD["ra"] * 3600 * 0.5, rel=0.1)
    assert row["rhat"] == 1.001 and np.isnan(table["rhalf"][2]) and table["is_point"][2]


def test_position_angle_is_circular(results):
    """Draws about north lie on both sides of 0 = 180 degrees: a plain mean would say 90."""
    row = postsample_catalog(results)[0]
    assert min(row["position_angle"], 180 - row["position_angle"]) < 1.0
    assert row["position_angle_err"] == pytest.approx(np.degrees(SPREAD["pa"]), rel=0.1)
    assert row["position_angle_p84"] - row["position_angle_p16"] == pytest.approx(2 * 5.73, rel=0.15)


def test_unwrapped_keeps_the_axis():
    angles = np.array([178.0, 2.0, 359.0, -3.0])
    out = unwrapped(angles)
    assert np.allclose(np.mod(out - angles + 90, 180), 90) and np.ptp(out) < 10


def test_right_ascension_across_zero(results):
    draws = results.sources[0].draws
    draws["ra"] = np.mod(draws["ra"] + 1e-5, 360.0)  # half of them beyond 360 degrees
    row = postsample_catalog(results)[0]
    median = median_row(results.sources[0].row, draws, BANDS)
    assert abs((row["ra"] + 180) % 360 - 180) < 1e-6 and abs((median["ra"] + 180) % 360 - 180) < 1e-6
    assert row["ra_err"] == pytest.approx(SPREAD["ra"] * 3600 * 0.5, rel=0.1)


@pytest.mark.parametrize("suffix", [".fits", ".ecsv"])
def test_all_columns_have_descriptions_and_units_survive(results, tmp_path, suffix):
    postsample_catalog(results, tmp_path / "cat.fits")
    chain_catalog(results, tmp_path / "chains.fits", n_draws=40)
    for name in ("cat", "chains") if suffix == ".fits" else ("cat",):
        table = Table.read((tmp_path / name).with_suffix(suffix))
        assert all(table[column].description for column in table.colnames)
        assert str(table["g"].unit) == "nJy" and str(table["rhalf"].unit) == "arcsec"
    assert table.meta["FILTERS"] == "g,r"
    if suffix == ".fits":
        assert table["g"].shape == (3, 40) and not (tmp_path / "chains.ecsv").exists()


def test_medians_as_scene_rows(results):
    rows = results.rows
    e = np.median(
        [(1 - d["q"] ** 2) / (1 + d["q"] ** 2) * np.cos(2 * d["pa"]) for d in [results.sources[0].draws]]
    )
    assert rows["rhalf"][0] == pytest.approx(0.3, abs=0.002) and rows["id"][1] == "s1"
    assert rows["q"][0] == pytest.approx(from_ellipticity(e, 0)[0], abs=0.01)
    assert abs(abs(rows["pa"][0]) - np.pi / 2) < 0.02


def test_summary_is_one_whole_page(results, tmp_path):
    table = postsample_catalog(results)
    table["flags"][1] = 8
    write_summary(tmp_path / "summary.html", results, table, {"g1": 1.01}, seed=3)
    text = (tmp_path / "summary.html").read_text()
    assert (
        "<td>not converged</td>" in text
        and "NOT_CONVERGED" in text
        and "1.010" in text
        and text.rstrip().endswith("</html>")
    )
    assert all(band in text for band in BANDS)


def test_values_are_written_to_two_digits_of_their_error():
    assert value_text(1234.5678, 12.3) == "1235 ± 12"
    assert value_text(0.123456, 0.0123) == "0.123 ± 0.012"
    assert value_text(np.nan, 1.0) == "–"


def test_convergence_is_that_of_arviz_and_does_not_mind_the_angle(results):
    """A position angle that wraps is no sign of chains that disagree; ArviZ is the referee for the rest."""
    import arviz

    draws = results.sources[0].draws.copy()
    draws["pa"] = np.where(np.arange(len(draws)) < len(draws) // 2, draws["pa"], draws["pa"] - np.pi)
    worst, ess = convergence(draws, BANDS, 4)
    assert worst < 1.02 and ess > 500
    draws["g"][:250] += 30.0
    worst, ess = convergence(draws, BANDS, 4)
    assert worst == pytest.approx(float(arviz.rhat(draws["g"].reshape(4, -1))), rel=1e-3)
    assert ess == pytest.approx(float(arviz.ess(draws["g"].reshape(4, -1))), rel=0.1)


def test_a_survey_does_not_swamp_the_page(results, tmp_path, monkeypatch):
    monkeypatch.setattr("fpho.products.report.MOST_ROWS", 2)
    write_summary(tmp_path / "s.html", results, postsample_catalog(results), {})
    text = (tmp_path / "s.html").read_text(encoding="utf-8")
    assert "0 s0" in text and "2 s2" not in text and "1 more are not shown" in text


def test_a_large_picture_does_not_swamp_the_page(results, tmp_path):
    """One of a wide field is noise in each pixel: megabytes that a report of Snakemake would hold."""
    noise = np.random.default_rng(1).integers(0, 255, (1000, 2000, 3), dtype="u1")
    Image.fromarray(noise).save(tmp_path / "colour.png")
    assert (tmp_path / "colour.png").stat().st_size > 5e6
    write_summary(tmp_path / "s.html", results, postsample_catalog(results), {}, [tmp_path / "colour.png"])
    text = (tmp_path / "s.html").read_text(encoding="utf-8")
    assert "data:image/jpeg;base64" in text and len(text) < 1.2e6
