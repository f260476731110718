"""Catalogs of a run from images, read by other programs: they say what the draws say, in every form."""

import numpy as np
import pandas
import pytest
from astropy import units
from astropy.io.votable import parse
from astropy.table import Table

from fpho.layout import Layout
from fpho.products import chain_catalog, export, postsample_catalog
from fpho.products.tables import FORMS

BAND, SHAPES = "F125W", ("rhalf", "sersic", "axis_ratio")
READERS = {
    "fits": lambda path: Table.read(path, hdu=1),
    "ecsv": Table.read,
    "vot": lambda path: parse(path, verify="exception").get_first_table().to_table(),
    "parquet": Table.read,
    "pandas": lambda path: Table.from_pandas(pandas.read_parquet(path.with_suffix(".parquet"))),
}


@pytest.fixture(scope="module")
def written(run, tmp_path_factory):
    """Path of the catalog in every form, and the draws (a table, a row each source)."""
    _, layout = run
    folder = tmp_path_factory.mktemp("catalogs")
    postsample_catalog(layout.outdir, folder / "cat.fits", formats=FORMS)
    chain_catalog(layout.outdir, folder / "chains.fits")
    return folder / "cat.fits", Table.read(folder / "chains.fits", hdu=1)


@pytest.mark.parametrize("form", READERS)
def test_medians_and_deviations_are_those_of_the_draws(written, form):
    path, draws = written
    table = READERS[form](path.with_suffix(f".{form}"))
    assert len(table) == len(draws) == 3 and list(table["id"]) == list(draws["id"])
    assert list(table["n_draws"]) == [draws[BAND].shape[1]] * 3
    galaxies = ~np.asarray(draws["is_point"], bool)
    assert galaxies.sum() == 2
    for name in (BAND, *SHAPES):
        rows = galaxies if name in SHAPES else slice(None)
        values = np.asarray(draws[name])[rows]
        assert np.allclose(np.asarray(table[name], "f8")[rows], np.median(values, axis=1), rtol=1e-6), name
        errors = np.asarray(table[f"{name}_err"], "f8")[rows]
        assert np.allclose(errors, np.std(values, axis=1), rtol=0.01) and np.all(errors > 0), name
    covariance = np.array([np.ravel(one) for one in table["flux_cov"]], "f8")[:, 0]
    assert np.all(covariance > 0)
    assert np.allclose(covariance, np.var(np.asarray(draws[BAND]), axis=1, ddof=1), rtol=1e-6)
    if form != "pandas":  # which knows no units
        assert table[BAND].unit == units.nJy and table["ra"].unit == units.deg
        assert table["rhalf"].unit == units.arcsec


def test_exports_are_the_catalog(run, written):
    """Bagpipes: a function of an id gives (bands, 2) in uJy. Prospector: maggies, their errors and a mask."""
    (_, layout), (path, _) = run, written
    catalog = Table.read(path, hdu=1)
    there = Layout(layout.outdir).posterior
    postsample_catalog(layout.outdir, there)
    folder = path.parent
    (bagpipes,) = export(layout.outdir, "bagpipes", folder)
    values = np.loadtxt(
        bagpipes
    )  # as the program's guide loads a catalog: columns of numbers under one header

    def load(number):
        row = values[values[:, 0] == number][0]
        return np.array([row[3:-1:2], row[4::2]]).T

    wanted = np.array([catalog[BAND], catalog[f"{BAND}_err"]]).T * 1e-3
    assert np.allclose([load(number)[0] for number in catalog["source_index"]], wanted)
    (prospector,) = export(layout.outdir, "prospector", folder, {BAND: "wfc3_ir_f125w"})
    table = Table.read(prospector)
    assert np.allclose(np.asarray(table["maggies"])[:, 0], 1e-9 * catalog[BAND] / 3631)
    assert np.allclose(np.asarray(table["maggies_unc"])[:, 0], 1e-9 * catalog[f"{BAND}_err"] / 3631)
    assert np.asarray(table["phot_mask"]).all() and np.asarray(table["maggies"]).shape == (3, 1)
