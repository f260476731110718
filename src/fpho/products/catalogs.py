"""Catalogs of the posterior: percentiles, and draws; FITS and ECSV, units and descriptions on all columns."""

from pathlib import Path

import numpy as np

from .. import __version__
from ..config import load_config
from ..files import atomic
from ..fitstext import escaped_table, unescaped_table
from ..flags import Flag
from ..layout import Layout
from .collecting import Results, collect
from .columns import quantities, summarise

PERCENTILES = (2.5, 16.0, 50.0, 84.0, 97.5)


def postsample_catalog(root, catname=None, percentiles=None):
    """Catalog of percentiles of a sampled run, one row per source (astropy Table).

    Parameters
    ----------
    root : folder of a run, a list of samples files, or `Results`.
    catname : FITS file to write, and the same as ECSV beside it; none: only the table is returned.
        A bare name lies in the run's folder of catalogs.
    percentiles : in per cent; those of the run's configuration, or 2.5, 16, 50, 84 and 97.5.
    """
    results = _results(root)
    if percentiles is None:
        percentiles = _configured(root)
    rows = [_row(source, results.bands, percentiles) for source in results.sources]
    table = _table(rows, _meta(results, "median, standard deviation and percentiles of the posterior draws"))
    _write(table, _target(root, catname))
    return table


def chain_catalog(root, catname=None, n_draws: int | None = None):
    """Catalog of draws, one row per source, each quantity a vector column (astropy Table).

    n_draws : draws kept, evenly spaced over the chains; all sources have the same number, at most that
    of the shortest chain. Other arguments as in `postsample_catalog`.
    """
    results = _results(root)
    shortest = min((len(source.draws) for source in results.sources), default=0)
    count = min(n_draws or shortest, shortest)
    rows = [_draws_row(source, results.bands, count) for source in results.sources]
    table = _table(rows, _meta(results, f"{count} posterior draws of each source, chain after chain"))
    _write(table, _target(root, catname))
    return table


def _results(root) -> Results:
    return root if isinstance(root, Results) else collect(root)


def _configured(root):
    if isinstance(root, Results | list | tuple):
        return PERCENTILES
    path = Layout(Path(root)).config
    return load_config(path).postprocess.percentiles if path.is_file() else PERCENTILES


def _identity(source) -> dict:
    row = source.row
    return {
        "source_index": (int(row["source_index"]), "", "row of the source in the scene"),
        "id": (str(row["id"]), "", "identifier given in the input catalog"),
        "patch": (source.patch, "", "patch whose draws these are"),
        "is_point": (bool(row["is_point"]), "", "modelled as a point source: its shape columns are NaN"),
    }


def _row(source, bands, percentiles) -> dict:
    """Columns of one source: name to (value, unit, description)."""
    row = _identity(source)
    for quantity in quantities(bands):
        columns = summarise(quantity, source.draws, percentiles)
        if quantity.shape and source.row["is_point"]:
            columns = {name: (np.nan, unit, text) for name, (_, unit, text) in columns.items()}
        row.update(columns)
    meaning = ", ".join(f"{flag.value} {flag.name}" for flag in Flag)
    row["n_draws"] = (len(source.draws), "", "posterior draws, all chains")
    row["rhat"] = (source.rhat, "", "largest R-hat of the source's parameters (rank-normalised, split)")
    row["ess"] = (source.ess, "", "smallest bulk or tail effective sample size of its parameters")
    row["chi2"] = (source.chi2, "", "mean squared residual (sigma^2) within 2 rhalf, over all images")
    row["chi2_pixels"] = (source.chi2_pixels, "", "pixels that chi2 is the mean of, over all images")
    row["flags"] = (int(source.row["flags"]), "", f"quality flags: {meaning}")
    return row


def _draws_row(source, bands, count: int) -> dict:
    row = _identity(source)
    keep = np.linspace(0, len(source.draws) - 1, count).round().astype(int)
    for quantity in quantities(bands):
        values = np.asarray(quantity.values(source.draws[keep]), "f8")
        if quantity.shape and source.row["is_point"]:
            values = np.full(count, np.nan)
        row[quantity.name] = (values, quantity.unit, f"{quantity.text}: draws")
    row["n_chains"] = (source.n_chains, "", "chains that the draws come from, one after the other")
    return row


def _table(rows: list[dict], meta: dict):
    from astropy.table import Table

    table = Table(meta=meta)
    for name, (_, unit, text) in (rows[0] if rows else {}).items():
        table[name] = np.array([row[name][0] for row in rows])
        table[name].unit = unit or None
        table[name].description = text
    return table


def _meta(results: Results, content: str) -> dict:
    return {"FILTERS": ",".join(results.bands), "FPHOVER": __version__, "CONTENT": content}


def _target(root, catname) -> Path | None:
    if catname is None:
        return None
    path = Path(catname)
    bare = path.parent == Path(".") and not path.is_absolute()
    if bare and not isinstance(root, Results | list | tuple):
        return Layout(Path(root)).catalogs / path
    return path


def _write(table, path: Path | None) -> None:
    """As FITS (descriptions become TCOMM cards) and as ECSV."""
    if path is None:
        return
    write_fits_table(table, path)
    with atomic(path.with_suffix(".ecsv")) as temporary:
        table.write(temporary, format="ascii.ecsv", overwrite=True)


def read_fits_table(path):
    """A table that `write_fits_table` wrote (astropy Table)."""
    from astropy.table import Table

    return unescaped_table(Table.read(path, hdu=1))


def write_fits_table(table, path) -> None:
    """A table as FITS, written whole; descriptions as TCOMM cards and in the form that astropy reads back."""
    from astropy.io import fits

    table = escaped_table(table)
    with atomic(path) as temporary:
        table.write(temporary, format="fits", overwrite=True)
        with fits.open(temporary, mode="update") as hdus:
            for number, name in enumerate(table.colnames, 1):
                hdus[1].header[f"TCOMM{number}"] = table[name].description or ""
