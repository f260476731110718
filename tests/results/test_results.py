"""What a sampled patch leaves: final rows, flags, files, and that ArviZ opens them."""

import warnings
from types import SimpleNamespace

import numpy as np
import pytest

from fpho.config import make_config
from fpho.errors import InputError
from fpho.flags import Flag
from fpho.geometry import CircularRegion
from fpho.optimize import run_opt
from fpho.parameters import ellipticity, source_vector
from fpho.posterior import Posterior
from fpho.records import RecordFile
from fpho.results import Residuals, Samples, optimum_rows, write_to_disk
from fpho.results.fit import fit_quality
from fpho.results.reading import read_draws
from fpho.results.writing import write_samples
from fpho.sampling import run_lmc

from ..posterior.scenes import DEC, RA, TABLE, make_arrays, make_rows, wide_bounds

BANDS = ("g", "r")
SOURCES = (
    {"g": 300.0, "r": 500.0, "pa": 1.2, "id": "galaxy é"},
    {"g": 60.0, "r": 90.0, "is_point": True, "rhalf": 0.0, "offset": (0.6, 0.4)},
)
REGION = CircularRegion(RA, DEC, 2.0)
NOISE = ("energy", "model_logp", "mean_tree_accept")
FLOAT32, PLACE = (
    6e-8,
    1e-13,
)  # what is lost of draws in a file: half a digit of float32; of positions, degrees


@pytest.fixture(scope="module")
def model():
    rows = make_rows(BANDS, *SOURCES)
    arrays = make_arrays(rows, BANDS, size=40, sigma=0.5)
    bounds = wide_bounds(rows, BANDS)
    return Posterior(arrays, rows, BANDS, TABLE, bounds, reference=(RA, DEC), in_fit_background=True)


@pytest.fixture(scope="module")
def filled(model):
    q = np.concatenate([source_vector(model.rows, BANDS, (RA, DEC)), np.zeros(2)])
    out, step, stats = run_lmc(model, q, n_draws=100, chains=2, seed=4)
    final, covs = out.fill(
        REGION, model.rows, model.rows[:0], model, bounds=model.bounds, step=step, stats=stats, patchID=7
    )
    return out, final, covs


@pytest.fixture(scope="module")
def written(tmp_path_factory, model, filled):
    folder = tmp_path_factory.mktemp("run")
    return write_to_disk(filled[0], folder, model, {"seed": 1})


def test_final_rows_are_the_truth_within_errors(model, filled):
    _, final, covs = filled
    for band in BANDS:
        assert np.all(np.abs(final[band] - model.rows[band]) < 4.5 * final[f"{band}_err"])
    assert np.all(final["flags"] & ~int(Flag.NOT_CONVERGED) == 0)  # the chains here are short
    assert covs.shape == (model.ndim, model.ndim)
    e = np.array(ellipticity(final["q"], final["pa"])) - ellipticity(model.rows["q"], model.rows["pa"])
    assert np.abs(e[:, 0]).max() < 0.1


def test_samples_file(model, filled, written):
    out, final, _ = filled
    samples = Samples(written[0])
    assert written[0].name == "patch7_samples.h5" and samples.n_chains == 2
    assert np.array_equal(samples.final, final) and samples.active["id"][0] == "galaxy é"
    assert np.allclose(samples.chain, out.chain, rtol=FLOAT32, atol=PLACE) and samples.n_draws == 200
    assert np.array_equal(samples.z, out.z), "from which a later round goes on"
    assert samples.samples.shape == (2, 200) and samples.exposures == ["0", "1"]
    width = len(model.plan.columns)
    assert np.allclose(samples.samples["dec"][1], DEC + out.chain[:, width + 3])
    assert samples.summary.min_bulk_ess == out.summary.min_bulk_ess
    assert samples.chains["rhalf"].shape == (2, 100, 2) and samples.chains["background"].shape == (2, 100, 2)
    assert np.allclose(samples.chi2 / samples.n_pix, 1, atol=0.15)
    assert samples.reference == (RA, DEC) and samples.region == REGION
    assert Samples(written[0]).final.dtype is samples.final.dtype, "rows of many files share what names them"


def test_arviz_opens_the_samples(filled, written):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        import arviz
    data = arviz.from_netcdf(written[0])
    assert data.posterior.rhalf.dims == ("chain", "draw", "source")
    assert np.array_equal(data.sample_stats.energy, filled[0].stats["energy"].astype("f4"))
    assert data.posterior.ra.dtype == "f8" and data.posterior.rhalf.dtype == "f4"


@pytest.mark.parametrize(("n_sources", "most"), [(1, 80_000), (2, 60_000)])
def test_draws_are_stored_once(tmp_path, n_sources, most):
    """So many bytes for each source with 1,024 draws of 9 parameters, noise to the last digit."""
    bands, rng, size = ("g", "r", "i"), np.random.default_rng(3), (4, 256)
    light = {"g": 300.0, "r": 500.0, "i": 400.0}
    rows = make_rows(bands, *({**light, "offset": (k, 0.0)} for k in range(n_sources)))
    arrays = make_arrays(rows, bands, size=40, sigma=0.5)
    model = Posterior(arrays, rows, bands, TABLE, wide_bounds(rows, bands), reference=(RA, DEC))
    out, *_ = run_lmc(model, source_vector(rows, bands, (RA, DEC)), n_draws=4, warmup=4, chains=4, seed=4)
    z = np.mean(out.z, axis=(0, 1)) + 0.1 * rng.normal(size=(*size, model.ndim))
    out.z, out.chain = z, model.transform.transform(z.reshape(1024, -1))
    for (
        name,
        kind,
    ) in out.stats.items():  # others are whole or stay the same
        out.stats[name] = rng.normal(size=size) if name in NOISE else np.resize(kind, size)
    out.fill(REGION, rows, rows[:0], model)
    write_samples(tmp_path / "s.h5", out, model, make_config({"simulate.scene": "tiny"}), goes_on=False)
    assert (tmp_path / "s.h5").stat().st_size < most * n_sources
    with RecordFile(tmp_path / "s.records") as file:
        (record,) = file.append({"samples": (tmp_path / "s.h5").read_bytes()}).values()
    assert record.size < 55_000 * n_sources, "as a pass keeps them"
    assert np.array_equal(Samples(record).chain, Samples(tmp_path / "s.h5").chain)
    samples = Samples(tmp_path / "s.h5")
    assert samples.z is None and np.allclose(samples.chain, out.chain, rtol=FLOAT32, atol=PLACE)
    assert samples.chain.shape == (1024, 9 * n_sources)
    assert np.array_equal(read_draws(tmp_path / "s.h5"), samples.samples)


def test_residuals_file(model, filled, written):
    residuals = Residuals(written[1])
    one = residuals[1]
    assert len(residuals) == 2 and one["band"] == "r"
    expected = model.residuals(filled[0].patch.final_q)[1]
    assert np.allclose(one["residual"], expected) and len(one["x"]) == 1600
    assert np.isclose(np.mean((one["residual"] * one["ierr"]) ** 2), 1, atol=0.2)


def test_a_missing_file_names_the_cure(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        Samples(tmp_path / "none.h5")


def flags_of(rows, drawn=None, bounds=None, weight=None, **scene):
    """Flags of the optimum of `rows`, fitted to an image of `drawn`."""
    arrays = make_arrays(rows if drawn is None else drawn, BANDS, size=40, **scene)
    if weight is not None:
        arrays.weight[:] *= weight
    model = Posterior(arrays, rows, BANDS, TABLE, bounds, reference=(RA, DEC))
    optimum, _ = run_opt(model, source_vector(rows, BANDS, (RA, DEC)))
    return Flag(int(optimum_rows(model, optimum, rows)["flags"][0])), model


def test_flags_say_what_is_wrong():
    bright = make_rows(BANDS, {"g": 3000.0, "r": 5000.0, "rhalf": 0.15})
    assert flags_of(bright)[0] == 0
    faint = make_rows(BANDS, {"g": 0.1, "r": 0.1})
    assert flags_of(faint)[0] & Flag.PRIOR_DOMINATED
    assert flags_of(bright, bounds=wide_bounds(bright, BANDS, rhalf=(0.01, 0.1)))[0] & Flag.AT_BOUND
    one_band = np.repeat([1.0, 0.0], 25)[:, None]
    assert flags_of(bright, weight=one_band)[0] == Flag.MISSING_BAND
    assert flags_of(bright, weight=0.0)[0] & Flag.NO_DATA
    wide = make_rows(BANDS, {"g": 3000.0, "r": 5000.0, "rhalf": 0.4})
    assert flags_of(wide)[0] == Flag.LIGHT_OUTSIDE
    double = make_rows(BANDS, {"g": 9000.0, "r": 9000.0, "offset": (0.3, 0.0)}, {"g": 9000.0, "r": 9000.0})
    arrays = make_arrays(double, BANDS, size=40)
    single = SimpleNamespace(rows=double[:1], arrays=arrays)
    for name in ("position", "scale", "gain", "psf_index"):
        object.__setattr__(arrays, name, np.ascontiguousarray(getattr(arrays, name)[:, :1]))
    model = Posterior(arrays, single.rows, BANDS, TABLE, reference=(RA, DEC))
    quality = fit_quality(model, source_vector(single.rows, BANDS, (RA, DEC)))
    assert quality.chi2[0] > 1.5 * quality.n_pix[0]
    optimum, _ = run_opt(model, source_vector(single.rows, BANDS, (RA, DEC)))
    assert optimum_rows(model, optimum, single.rows)["flags"][0] & Flag.POOR_FIT


def test_records_come_back_from_a_file_as_they_were(filled, written):
    samples = Samples(written[0])
    assert samples.summary == filled[0].summary and samples.settings == filled[0].settings
    assert samples.halo is None
    assert type(samples.summary.accepted) is bool and type(samples.settings.n_draws) is int


def test_what_users_hold_shows_itself(filled, written):
    """One line each, with the figures one asks for first; a table in a notebook."""
    out, samples, residuals = filled[0], Samples(written[0]), Residuals(written[1])
    assert "patch 7: 2 x 100 draws in" in repr(out)
    assert "2 sources in g, r, 2 x 100 draws" in repr(samples) and "2 exposures" in repr(residuals)
    for one in (out, samples, residuals):
        assert len(repr(one)) < 120 and "\n" not in repr(one)
    assert f"<th>max_rhat</th><td>{out.summary.max_rhat:.4g}</td>" in out._repr_html_()
    assert "<th>max_rhat</th>" in samples._repr_html_() and "1600 pixels" in residuals._repr_html_()
