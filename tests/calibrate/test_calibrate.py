"""A small calibration: the truth lies within the intervals of the fit; figures catch what is wrong."""

from dataclasses import replace

import numpy as np
import pytest
from astropy.table import Table

from fpho.bounds import make_bounds
from fpho.calibrate.camera import bands_of, make_store
from fpho.calibrate.figures import bias_table, coverage_table, covered, empty_table, joint_pit, uniform_ks
from fpho.calibrate.outcomes import Outcomes
from fpho.calibrate.priors import draw_truth
from fpho.calibrate.products import write_products
from fpho.calibrate.running import run_trials
from fpho.config import Config, make_config, view
from fpho.parameters import ellipticity, scene_dtype
from fpho.posterior import priors as law
from fpho.stages.registry import STAGES

SMALL = {
    "calibrate.isolated": 30,
    "calibrate.pairs": 5,
    "calibrate.empty": 2,
    "calibrate.psf": ["moffat"],
    "calibrate.pixel_scale": [0.05],
    "calibrate.size": 40,
    "calibrate.snr_range": [15.0, 60.0],
    "calibrate.rhalf_range": [0.06, 0.5],
    "psf.n_components": 4,
    "sample.chains": 2,
    "sample.sampling_draws": 64,
    "sample.warmup": 40,
    "sample.max_extensions": 0,
    "calibrate.draws": 39,
}


def small_config():
    """The options that the stage `calibrate` declares."""
    return view(make_config(SMALL), STAGES["calibrate"].options)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """(folder, paths of 37 trials with 42 sources, text) of a calibration in one band."""
    folder = tmp_path_factory.mktemp("calibrate")
    config = small_config()
    make_store(config, folder / "psfs.h5")
    paths = run_trials(config, folder / "psfs.h5", folder / "trials")
    return folder, paths, write_products(config, paths, folder)


def test_the_truth_is_covered(small):
    """40 sources of 7 quantities each: loose limits, which a width wrong by a third or a bias would miss."""
    folder, _, _ = small
    tables = [Table.read(folder / f"{kind}.fits") for kind in ("isolated", "pairs")]
    names = [name.removesuffix("_pit") for name in tables[0].colnames if name.endswith("_pit")]
    pit, pulls = (
        np.concatenate([np.stack([t[f"{n}_{what}"] for n in names], axis=-1) for t in tables])
        for what in ("pit", "pull")
    )
    assert pit.shape == (40, 7)
    assert 0.60 < np.mean(abs(pit - 0.5) < 0.34) < 0.76
    assert np.mean(abs(pit - 0.5) < 0.475) > 0.89
    assert abs(pulls.mean()) < 0.25
    assert 0.8 < pulls.std() < 1.2
    assert np.all(abs(pulls.mean(axis=0)) < 0.6)


def test_fluxes_are_right_at_high_snr(small):
    table = Table.read(small[0] / "isolated.fits")
    bright = table[table["snr_B1_moffat"] > 30]
    assert len(bright) > 5
    assert abs(np.median(bright["B1_moffat_mean"] / bright["B1_moffat_true"]) - 1) < 0.05


def test_finished_trials_are_kept_and_new_ones_added(small):
    """A second run makes only what is missing; the same seed gives the same trial, bit for bit."""
    folder, paths, _ = small
    times = {path: path.stat().st_mtime_ns for path in paths}
    known = dict(np.load(paths[0]))
    paths[0].unlink()
    config = small_config()
    again = run_trials(config, folder / "psfs.h5", folder / "trials")
    assert again == paths
    assert all(path.stat().st_mtime_ns == times[path] for path in paths[1:])
    remade = np.load(paths[0])
    for name in ("truth", "draws", "mean", "snr"):
        np.testing.assert_array_equal(remade[name], known[name])


def test_products(small):
    folder, _, text = small
    for name in ("isolated_coverage.ecsv", "pairs_bias.ecsv", "empty.ecsv", "isolated_pit.png"):
        assert (folder / name).is_file(), name
    assert "| all | 30 |" in text
    assert "data:image/png" in (folder / "calibration.html").read_text()


def test_truth_is_drawn_from_the_priors_of_the_fit():
    """Draws by scipy against the quantile tables that the fit uses; Kolmogorov-Smirnov."""
    from scipy.stats import kstest, norm

    config, rng = Config(), np.random.default_rng(3)
    bands = bands_of(config)
    rows = np.zeros(1500, scene_dtype(bands))
    rows["ra"], rows["dec"], rows["sersic"], rows["rhalf"], rows["q"] = 10.0, -30.0, 1.5, 0.3, 0.8
    for band in bands:
        rows[band], rows[f"{band}_err"] = 50.0, 1.0
    bounds = make_bounds(rows, bands, config.bounds, 0.05)
    truth = draw_truth(rows, bands, bounds, config.priors, rng)
    at = np.linspace(-4, 4, 801)
    for name in ("sersic", "rhalf"):
        low, high = map(float, bounds[name][0])
        frozen = law.distribution(name, getattr(config.priors, name), low, high)
        z = np.interp(truth[name], law.quantiles(frozen, low, high, at), at)
        assert kstest(z, norm.cdf).pvalue > 1e-3, name
    e1, e2 = ellipticity(truth["q"], truth["pa"])
    assert abs(np.corrcoef(e1, e2)[0, 1]) < 0.1
    assert np.all(truth["q"] >= config.bounds.sqrtq_range[0])
    flux = truth[bands[0]]
    low, high = bounds[bands[0]][0]
    outside = np.mean((flux < low) | (flux > high))
    assert outside == pytest.approx(1 - 1 / (1 + 0.1 * np.sqrt(np.pi / 2)), abs=0.03)


def made_up(widths=1.0, shift=0.0, n=600):
    """Outcomes of a Gaussian posterior that is right, or has a wrong width or a bias."""
    rng = np.random.default_rng(5)
    snr = np.exp(rng.uniform(np.log(5), np.log(200), (n, 1)))
    sd = np.concatenate([np.ones((n, 1)), np.full((n, 2), 0.3)], axis=1)
    truth = np.concatenate([snr, rng.normal(size=(n, 2))], axis=1)
    mean = truth + sd * (rng.normal(size=(n, 3)) + shift)
    draws = mean[:, None] + widths * sd[:, None] * rng.normal(size=(n, 99, 3))
    return Outcomes(
        kind="isolated", names=("B", "east", "north"), truth=truth, draws=draws, mean=mean, sd=widths * sd,
        optimum=mean, optimum_flux_err=sd[:, :1], snr=snr, trial=np.arange(n), meta=(),
    )  # fmt: skip


@pytest.mark.parametrize(("options", "good"), [({}, True), ({"widths": 0.8}, False), ({"shift": 0.3}, False)])
def test_figures_tell_right_from_wrong(options, good):
    outcomes = made_up(**options)
    table = coverage_table(outcomes)
    assert bool(table[-1]["met"]) is good
    assert bool(table["p_ks"][:3].min() > 0.01) is good
    if "widths" in options:
        assert uniform_ks(joint_pit(outcomes, np.random.default_rng(1))) < 0.01
    if good:
        assert uniform_ks(joint_pit(outcomes, np.random.default_rng(1))) > 0.01
        assert all(bias_table(outcomes)["consistent"])


@pytest.mark.parametrize("n_draws", [19, 99, 200])
def test_coverage_of_uniform_ranks_is_the_level(n_draws):
    """Every rank once, as under perfect calibration: no interval may gain or lose by its edges."""
    truth = np.arange(n_draws + 1)[:, None] - 0.5
    draws = np.tile(np.arange(n_draws), (n_draws + 1, 1))[:, :, None]
    base = made_up(n=1)
    outcomes = replace(base, truth=truth, draws=draws)
    level = np.array([0.01, 0.5, 0.68, 0.95, 0.99])
    np.testing.assert_allclose(covered(outcomes, level).mean(axis=(0, 1)), level, rtol=1e-12)
    assert covered(outcomes, 0.68).shape == (n_draws + 1, 1)


def test_figures_of_empty_places():
    rng = np.random.default_rng(6)
    n, sd = 200, np.full((200, 1), 3.0)
    mean = 3.0 * rng.normal(size=(n, 1))
    base = {"kind": "empty", "names": ("B",), "truth": 0 * mean, "draws": mean[:, None], "snr": 0 * mean}
    outcomes = Outcomes(
        **base, mean=mean, sd=sd, optimum=mean, optimum_flux_err=0.7 * sd, trial=np.arange(n), meta=()
    )
    table = empty_table(outcomes)
    met = {row["from"]: row["met"] for row in table if row["band"] == "all"}
    assert met == {"draws": True, "optimum": False}
