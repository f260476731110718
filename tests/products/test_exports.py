"""Fluxes for other programs, read back in the way that they do."""

import dataclasses

import numpy as np
import pytest
from astropy.table import Table

from fpho.errors import InputError
from fpho.layout import Layout
from fpho.products import export, postsample_catalog

from ..needs import needed

FILTERS = {"g": "101", "r": "102"}


@pytest.fixture
def run(results, tmp_path):
    """A run's folder with a catalog, in which the second source has no flux error in r; and the catalog."""
    median = results.sources[1].median.copy()
    empty = results.sources[1].draws[:0].copy()
    median["g_err"], median["r_err"] = 5.0, np.nan
    lost = dataclasses.replace(results.sources[1], row=median, median=median, load=empty.copy, n_draws=0)
    results.sources[1] = lost
    table = postsample_catalog(results, Layout(tmp_path).posterior)
    assert np.isnan(table["r_err"][1])
    return tmp_path, table


def test_eazy(run):
    """Fluxes and errors go by the filter's number; what is missing lies below the threshold."""
    root, table = run
    paths = export(root, "eazy", filters=FILTERS)
    options = dict(line.split() for line in paths[2].read_text().splitlines())
    catalog = Table.read(paths[0].parent / options["CATALOG_FILE"], format=options["CATALOG_FORMAT"])
    trans = dict(line.split() for line in paths[1].read_text().splitlines())
    assert trans == {"f_g": "F101", "e_g": "E101", "f_r": "F102", "e_r": "E102"}
    assert np.allclose(catalog["f_g"], 1e-3 * table["g"]) and list(catalog["id"]) == [0, 1, 2]
    assert (
        max(catalog["f_r"][1], catalog["e_r"][1]) < float(options["NOT_OBS_THRESHOLD"]) < catalog["f_g"].min()
    )
    # a source of AB = 25 has this flux at the zeropoint
    assert 10 ** (0.4 * (float(options["PRIOR_ABZP"]) - 25)) == pytest.approx(3631e6 * 10**-10, rel=1e-3)


def test_eazy_itself_reads_it(run, monkeypatch):
    """By the reader of the program (0.8), which wants two filters and no templates for that."""
    photoz = needed("eazy.photoz")
    from eazy.filters import FilterDefinition
    from eazy.param import EazyParam, TranslateFile

    root, table = run
    paths = export(root, "eazy", filters=FILTERS)
    monkeypatch.chdir(paths[0].parent)
    wave = np.linspace(4000.0, 5000.0, 50)
    known = {n: FilterDefinition(name=f"filter {n}", wave=wave, throughput=np.ones(50)) for n in (101, 102)}
    reader = photoz.PhotoZ.__new__(photoz.PhotoZ)
    reader.param = EazyParam(verbose=False)
    for name, value in EazyParam(paths[2].name, verbose=False).params.items():
        reader.param[name] = value
    reader.translate, reader.RES = TranslateFile(paths[1].name), known
    reader.zgrid = np.array([0.1, 1.0])
    reader.read_catalog(verbose=False)
    assert list(reader.flux_columns) == ["f_g", "f_r"] and list(reader.f_numbers) == [101, 102]
    assert np.allclose(reader.fnu[:, 0], 1e-3 * table["g"])
    assert np.allclose(reader.efnu_orig[[0, 2], 1], 1e-3 * table["r_err"][[0, 2]])
    assert reader.ok_data.tolist() == [[True, True], [True, False], [True, True]]
    assert float(reader.param["PRIOR_ABZP"]) == 23.9


def test_bagpipes(run):
    root, table = run
    catalog = Table.read(export(root, "bagpipes", root / "out")[0], format="ascii.commented_header")
    assert np.allclose(catalog["f_r"][[0, 2]], 1e-3 * table["r"][[0, 2]])
    assert catalog["f_r"][1] == 0 and catalog["e_r"][1] > 1e9


def test_prospector(run):
    root, table = run
    catalog = Table.read(export(root, "prospector", filters={"g": "sdss_g0", "r": "sdss_r0"})[0])
    assert catalog.meta["filternames"] == ["sdss_g0", "sdss_r0"]
    assert catalog["maggies"].shape == (3, 2) and catalog["phot_mask"].tolist()[1] == [True, False]
    assert -2.5 * np.log10(catalog["maggies"][0, 0]) == pytest.approx(table["g_mag"][0], abs=3e-4)


@pytest.mark.parametrize(
    "form, filters, word",
    [
        ("eazy", {"g": "1"}, "none for r"),
        ("eazy", {"g": "1", "r": "two"}, "r=two"),
        ("prospector", {**FILTERS, "i": "3"}, "no band i"),
        ("lephare", {}, "lephare"),
    ],
)
def test_what_is_missing_is_said(run, form, filters, word):
    with pytest.raises(InputError, match=word):
        export(run[0], form, filters=filters)


def test_a_run_without_catalog(tmp_path):
    with pytest.raises(InputError, match="postprocess"):
        export(tmp_path, "bagpipes")
