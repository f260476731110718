"""Figures of simulated fields on catalogs whose errors are known to be right, too small, or biased."""

import numpy as np
import pytest
from astropy.table import Table

from fpho.calibrate import fieldfigures as figures
from fpho.calibrate.fieldreport import write_products
from fpho.calibrate.fields import field_table, nearest
from fpho.config import Config
from fpho.flags import Flag
from fpho.layout import Layout
from fpho.stages import calibrate_field

BANDS = ["g", "r"]
ERRORS = {"ra": 1e-6, "dec": 1e-6, "axis_ratio": 0.05, "rhalf": 0.02, "sersic": 0.2}
QUANTILES = {"p2_5": -1.96, "p16": -0.994458, "p50": 0.0, "p84": 0.994458, "p97_5": 1.96}


def catalogs(n=1500, seed=1, shrink=1.0, bias=0.0):
    """(posterior, optimum, truth): Gaussian errors of size ERRORS times 1, stated as `shrink` times that."""
    rng = np.random.default_rng(seed)
    side = 0.002 * int(np.ceil(np.sqrt(n)))
    ra, dec = (part.ravel()[:n] for part in np.meshgrid(*2 * [np.arange(0, side, 0.002)]))
    truth = Table(
        {"ra": 10 + ra, "dec": dec, "id": [f"s{i}" for i in range(n)], "is_point": np.zeros(n, bool)}
    )
    truth["axis_ratio"], truth["rhalf"], truth["sersic"] = 0.6, 0.3, 1.5
    truth["position_angle"] = 40.0
    truth["in_catalog"] = True
    snr = np.exp(rng.uniform(np.log(4), np.log(300), n))
    for band in BANDS:
        truth[band], truth[f"{band}_snr"] = 10 * snr, snr
    truth["snr"] = snr
    posterior = Table({"source_index": np.arange(n), "flags": np.zeros(n, int)})
    errors = {
        **{name: np.full(n, value) for name, value in ERRORS.items()},
        **dict.fromkeys(BANDS, np.full(n, 10.0)),
    }
    for name, sigma in errors.items():
        value = truth[name] + sigma * (rng.standard_normal(n) + bias)
        in_degrees = name in ("ra", "dec")
        posterior[name] = value
        posterior[f"{name}_err"] = shrink * sigma * (3600 if in_degrees else 1)
        for quantile, z in QUANTILES.items():
            posterior[f"{name}_{quantile}"] = value + z * shrink * sigma
    posterior["position_angle"], posterior["position_angle_err"] = 40.0, 5.0
    error = 1.0857 * np.sqrt(sum((10 / truth[band]) ** 2 for band in BANDS))
    posterior["colour_g_r"] = -2.5 * np.log10(posterior["g"] / posterior["r"])
    posterior["colour_g_r_err"] = shrink * error
    optimum = posterior["ra", "dec", *BANDS, *(f"{band}_err" for band in BANDS)].copy()
    return posterior, optimum, truth


def fluxes(rows):
    return [row for row in rows if row["quantity"] == "flux" and row["n"] > 100]


def test_right_errors_pass_and_wrong_ones_do_not():
    right = field_table(*catalogs(), BANDS, 100.0)
    chosen = fluxes(figures.by_snr(right))
    assert len(chosen) >= 4 and all(row["met"] for row in chosen if row["from"] >= 10)
    narrow = field_table(*catalogs(shrink=0.7), BANDS, 100.0)
    assert not any(row["met"] for row in fluxes(figures.by_snr(narrow)))
    assert all(row["excess"] == 0 for row in chosen if row["from"] >= 10)
    assert fluxes(figures.by_snr(narrow))[2]["excess"] > 3
    assert fluxes(figures.by_snr(narrow))[2]["pull_sd"] == pytest.approx(1 / 0.7, rel=0.1)
    biased = field_table(*catalogs(bias=0.5), BANDS, 100.0)
    assert not any(row["met"] for row in fluxes(figures.by_snr(biased)))
    above = [row for row in figures.optimum_pulls(biased) if row["from"] == 3 and np.isinf(row["to"])]
    assert above[0]["n"] > 2500 and above[0]["pull_mean"] == pytest.approx(0.5, abs=0.1)


def test_galaxies_of_some_brightness_have_colours_too():
    rows = {row["quantity"]: row for row in figures.bright_galaxies(field_table(*catalogs(), BANDS, 100.0))}
    assert set(rows) == {*figures.GROUPS, "colour"} and rows["colour"]["n"] > 800
    assert rows["colour"]["cover68"] == pytest.approx(0.68, abs=0.05)


def test_pulls_are_those_of_means():
    """Skewed posteriors: medians lie to one side of the truth though nothing is wrong, means do not."""
    posterior, optimum, truth = catalogs()
    rng, scatter = np.random.default_rng(5), 0.5
    middle = np.log(0.3) + scatter * rng.standard_normal(len(posterior))
    mean = np.exp(middle + scatter**2 / 2)
    posterior["rhalf"] = np.exp(middle)
    posterior["rhalf_err"] = mean * np.sqrt(np.expm1(scatter**2))
    truth["rhalf"] = np.exp(middle + scatter * rng.standard_normal(len(posterior)))
    medians = field_table(posterior, optimum, truth, BANDS, 100.0)
    means = {name: np.asarray(posterior[name]) for name in (*BANDS, *ERRORS)} | {"rhalf": mean}
    right = field_table(posterior, optimum, truth, BANDS, 100.0, means)
    assert np.mean(medians["rhalf_pull"]) < -0.15
    assert abs(np.mean(right["rhalf_pull"])) < 0.1 and 0.9 < np.std(right["rhalf_pull"]) < 1.1


def test_lost_and_spurious_sources_count():
    posterior, optimum, truth = catalogs(n=200)
    posterior["ra"][:20] += 1.0  # twenty elsewhere: lost there, spurious here
    table = field_table(posterior, optimum, truth, BANDS, 100.0)
    assert table["found"].sum() == 180
    assert figures.purity(table) == pytest.approx(0.9)
    rows = figures.completeness(table)
    assert sum(row["n"] * row["completeness"] for row in rows if row["n"]) == pytest.approx(180)


def test_flags_have_a_share_and_a_precision():
    posterior, optimum, truth = catalogs(n=400)
    posterior["flags"][:40] = int(Flag.POOR_FIT)
    posterior["g"][:30] += 100.0  # ten sigma
    table = field_table(posterior, optimum, truth, BANDS, 100.0)
    rows = {row["flag"]: row for row in figures.by_flag(table)}
    assert rows["POOR_FIT"]["share"] == pytest.approx(0.1)
    assert 0.7 < rows["POOR_FIT"]["wrong"] < 0.85
    assert rows["none"]["wrong"] < 0.05
    assert rows["POOR_FIT"]["found_wrong"] > 0.7


def test_nearest_neighbours():
    ra, dec = np.array([10.0, 10.0, 10.001]), np.array([0.0, 1 / 3600, 0.0])
    assert nearest(ra, dec) == pytest.approx([1.0, 1.0, 3.6], rel=1e-3)


def test_products_are_written(tmp_path):
    tables = [field_table(*catalogs(n=60, seed=seed), BANDS, 100.0) for seed in (1, 2)]
    text = write_products(tables, ["a fact"], tmp_path)
    assert "120 sources in 2 fields, 120 found" in text and "By measured S/N" in text
    for name in (
        "fields.fits",
        "fields.md",
        "fields.html",
        "fields.png",
        "by_measured_s_n.ecsv",
        "flags.ecsv",
    ):
        assert (tmp_path / name).stat().st_size > 100, name


def test_galaxies_without_an_index_have_products_too(tmp_path):
    table = field_table(*catalogs(n=60), BANDS, 100.0)
    table["sersic_true"] = table["sersic_pull"] = np.nan
    write_products([table], [], tmp_path)
    assert (tmp_path / "fields.png").stat().st_size > 10_000


def test_finished_fields_are_not_done_again(tmp_path, monkeypatch):
    """And a changed option of a fit makes them anew."""
    done = []

    def measured(config, folder, start, density, cores):
        done.append((config.seed, start, density))
        folder.mkdir(parents=True)
        return field_table(*catalogs(n=60, seed=config.seed), BANDS, density)

    monkeypatch.setattr(calibrate_field, "measure_field", measured)
    options = Config().calibrate.field.model_copy(update={"fields": 2, "starts": ["rough", "detect"]})
    config = Config().model_copy(
        update={"calibrate": Config().calibrate.model_copy(update={"field": options})}
    )
    for _ in range(2):
        calibrate_field.run(config, Layout(tmp_path))
    assert done == [(1, "rough", 50.0), (1, "detect", 50.0), (2, "rough", 150.0), (2, "detect", 150.0)]
    other = config.model_copy(update={"optimize": config.optimize.model_copy(update={"gtol": 0.02})})
    calibrate_field.run(other, Layout(tmp_path))
    assert len(done) == 8


def test_a_field_from_end_to_end(tmp_path):
    """Drawn, measured from a rough catalog by all stages, sampled and compared; its table is kept."""
    field = {"bands": ["g"], "pixel_scale": [0.05], "exposures": 1, "mosaic": False, "depth": 30.0}
    config = Config.model_validate(
        {
            "outdir": str(tmp_path),
            "seed": 3,
            "simulate": {"field": field},
            "psf": {"n_components": 4},
            "optimize": {"on": "exposure"},
            "sample": {"sampling_draws": 64, "warmup": 32, "min_ess": 20, "max_extensions": 0},
            "calibrate": {"field": {"fields": 1, "sources": 6, "densities": [150.0]}},
        }
    )
    layout = Layout(tmp_path)
    calibrate_field.run(config, layout)
    (path,) = (layout.field_calibration / "tables").glob("*.fits")
    table, before = Table.read(path), path.stat().st_mtime_ns
    assert len(table) == 6 and table["found"].sum() >= 4
    assert (layout.field_calibration / "fields.html").is_file()
    assert not (layout.field_calibration / "runs").exists() or not list(
        (layout.field_calibration / "runs").iterdir()
    )
    calibrate_field.run(config, layout)
    assert path.stat().st_mtime_ns == before
