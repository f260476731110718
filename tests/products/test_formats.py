"""Catalogs as other programs read them: FITS, ECSV, VOTable, parquet; units, UCDs, photometry."""

import dataclasses
import io
import json

import numpy as np
import pandas
import pytest
from astropy.io import fits
from astropy.io.votable import parse, validate
from astropy.io.votable.ucd import check_ucd
from astropy.table import Table

from fpho.config import load_config
from fpho.errors import InputError
from fpho.parameters import q_names
from fpho.products import chain_catalog, postsample_catalog
from fpho.products.catalogs import SHARD, write_chains
from fpho.products.tables import FORMS, read_fits_table

from .conftest import BANDS, SPREAD


@pytest.fixture
def written(results, tmp_path):
    """The catalog as made, and where it is written in every form."""
    return postsample_catalog(results, tmp_path / "cat.fits", formats=FORMS), tmp_path / "cat"


def same(table, other) -> None:
    assert other.colnames == table.colnames
    for name in table.colnames:
        mine, theirs = np.asarray(table[name]), np.asarray(other[name])
        if mine.dtype.kind == "U":
            assert list(mine) == list(theirs.astype(str))
        else:
            assert np.array_equal(mine, theirs.reshape(mine.shape), equal_nan=mine.dtype.kind == "f"), name
        assert table[name].unit == other[name].unit, name


@pytest.mark.parametrize("suffix", [".fits", ".ecsv", ".vot", ".parquet"])
def test_astropy_reads_what_was_written(written, suffix):
    table, path = written
    other = Table.read(path.with_suffix(suffix))
    same(table, other)
    texts = [[" ".join(one[name].description.split()) for name in table.colnames] for one in (table, other)]
    assert texts[0] == texts[1]  # VOTable breaks lines
    assert all(other[name].meta["ucd"] == table[name].meta["ucd"] for name in table.colnames)


def test_pandas_reads_what_was_written(written):
    table, path = written
    frame = pandas.read_parquet(path.with_suffix(".parquet"))
    assert list(frame.columns) == table.colnames and list(frame["id"]) == list(table["id"])
    assert np.array_equal(frame["g_mag"], table["g_mag"])
    assert np.array_equal(np.stack(frame["flux_cov"]).reshape(-1, 2, 2), table["flux_cov"])
    frame = pandas.read_csv(path.with_suffix(".ecsv"), comment="#", sep=" ")
    assert np.array_equal(frame["rhalf"], table["rhalf"], equal_nan=True)
    assert np.array_equal(json.loads(frame["flux_cov"][0]), table["flux_cov"][0])
    with fits.open(path.with_suffix(".fits")) as hdus:
        one = Table(hdus["POSTERIOR"].data)
    flat = [name for name in one.colnames if one[name].ndim == 1]
    assert np.array_equal(one[flat].to_pandas()["r_err"], table["r_err"])


def test_votable_is_valid(written):
    _, path = written
    report = io.StringIO()
    assert validate(path.with_suffix(".vot"), output=report), report.getvalue()
    parse(path.with_suffix(".vot"), verify="exception")


def test_every_column_has_a_ucd_of_the_vocabulary_and_no_twin(results, written):
    table, path = written
    for one in (table, chain_catalog(results)):
        for name in one.colnames:
            assert check_ucd(one[name].meta["ucd"], check_controlled_vocabulary=True), name
    plain = [name for name in table.colnames if table[name].dtype.kind == "f" and table[name].ndim == 1]
    values = [tuple(table[name]) for name in plain if np.isfinite(table[name]).all()]
    assert len(set(values)) == len(values)
    header = fits.getheader(path.with_suffix(".fits"), "POSTERIOR")
    place = 1 + table.colnames.index("g")
    assert header[f"TUCD{place}"] == "phot.flux.density" and header[f"TUNIT{place}"] == "nJy"


def test_photometry_follows_from_the_draws(results):
    draws = results.sources[0].draws
    draws["r"] += 0.5 * (draws["g"] - 100.0)
    row = postsample_catalog(results)[0]
    assert row["g_mag"] == pytest.approx(-2.5 * np.log10(np.median(draws["g"]) * 1e-9 / 3631), abs=3e-4)
    assert row["g_mag_err"] == pytest.approx(1.0857 * row["g_err"] / row["g"], rel=1e-3)
    colour = -2.5 * np.log10(draws["g"] / draws["r"])
    assert row["colour_g_r"] == pytest.approx(np.median(colour))
    assert row["colour_g_r_err"] == pytest.approx(np.std(colour))
    assert np.allclose(row["flux_cov"], np.cov(draws["g"], draws["r"]))
    assert np.linalg.eigvalsh(row["flux_cov"]).min() > 0
    assert row["flux_cov"][0, 1] == pytest.approx(0.5 * SPREAD["g"] ** 2, rel=0.25)


def test_no_magnitude_without_flux(results):
    results.sources[0].draws["g"] -= 150.0
    results.sources[1].draws["g"][7] = -1.0
    median = results.sources[0].median.copy()
    median["g"] -= 150.0
    results.sources[0] = dataclasses.replace(results.sources[0], median=median)
    table = postsample_catalog(results)
    assert np.isnan(table["g_mag"][0]) and np.isnan(table["g_mag_err"][0]) and table["g"][0] < 0
    assert np.isfinite(table["g_mag"][1]) and np.isnan(table["colour_g_r"][:2]).all()
    assert np.isfinite(table["colour_g_r"][2]) and np.isfinite(table["r_mag"]).all()
    assert np.isfinite(table["flux_cov"]).all()


def test_one_band_has_no_colour(results):
    one = dataclasses.replace(results, bands=["g"])
    table = postsample_catalog(one)
    assert table["flux_cov"].shape == (3, 1, 1)
    assert not any(name.startswith("colour") for name in table.colnames)
    assert table["flux_cov"][0, 0, 0] == pytest.approx(table["g_err"][0] ** 2, rel=2e-3)


def test_draws_are_written_in_parts(results, tmp_path, monkeypatch):
    monkeypatch.setattr("fpho.products.catalogs.SHARD", 2)
    write_chains(tmp_path / "chains.fits", results, 50)
    with fits.open(tmp_path / "chains.fits") as hdus:
        assert [hdu.name for hdu in hdus[1:]] == ["CHAINS", "CHAINS2"]
        assert [len(hdu.data) for hdu in hdus[1:]] == [2, 1]
    same(chain_catalog(results, n_draws=50), read_fits_table(tmp_path / "chains.fits"))
    assert SHARD * len(q_names(BANDS)) * 400 * 8 < 50e6


def test_parquet_without_pyarrow_is_refused_before_the_run(monkeypatch):
    assert load_config(None, ["postprocess.tables=[parquet]"]).postprocess.tables == ["parquet"]
    monkeypatch.setattr("fpho.config.products.find_spec", lambda name: None)
    with pytest.raises(InputError, match="pyarrow"):
        load_config(None, ["postprocess.tables=[parquet]"])
