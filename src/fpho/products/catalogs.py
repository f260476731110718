"""Catalogs of the posterior: percentiles, and draws; units and descriptions on all columns."""

from pathlib import Path

import numpy as np

from .. import __version__
from ..config import load_config
from ..flags import Flag
from ..layout import Layout
from .collecting import Results, SourceResult, collect
from .columns import quantities, summarise, unsampled
from .tables import read_fits_table, table_of, write_ecsv, write_fits_tables

PERCENTILES = (2.5, 16.0, 50.0, 84.0, 97.5)
SHARD = 1000  # sources of one extension of the file of draws


def postsample_catalog(root, catname=None, percentiles=None):
    """Catalog of percentiles of a sampled run, one row per source (astropy Table).

    A source without draws (flag NO_DRAWS) has the values and flux errors of its optimum.

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
    meta = _meta(results, "median, standard deviation and percentiles of the posterior draws")
    table = table_of(results.sources, lambda source: _row(source, results.bands, percentiles), meta)
    path = _target(root, catname)
    if path is not None:
        write_fits_tables([table], path, "POSTERIOR")
        write_ecsv(table, path.with_suffix(".ecsv"))
    return table


def chain_catalog(root, catname=None, n_draws: int | None = None):
    """Catalog of draws, one row per source, each quantity a vector column (astropy Table).

    n_draws : draws kept, evenly spaced over the chains; all sources have the same number, at most that
    of the shortest chain; NaN where a source has none. Other arguments as in `postsample_catalog`, but
    there is no ECSV file.
    """
    results, path = _results(root), _target(root, catname)
    if path is not None:
        write_chains(path, results, n_draws)
        return read_fits_table(path)
    return _chains(results, results.sources, _kept(results, n_draws))


def write_chains(path, results: Results, n_draws: int | None = None) -> None:
    """The catalog of draws as FITS: an extension for each 1000 sources, which is all that memory holds."""
    count = _kept(results, n_draws)
    parts = [results.sources[i : i + SHARD] for i in range(0, len(results.sources), SHARD)]
    write_fits_tables((_chains(results, part, count) for part in parts or [[]]), path, "CHAINS")


def _kept(results: Results, n_draws: int | None) -> int:
    shortest = min((source.n_draws for source in results.sources if source.n_draws), default=0)
    return min(n_draws or shortest, shortest)


def _chains(results: Results, sources: list[SourceResult], count: int):
    meta = _meta(results, f"{count} posterior draws of each source, chain after chain")
    return table_of(sources, lambda source: _draws_row(source, results.bands, count), meta)


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
    row, draws = _identity(source), source.draws
    for quantity in quantities(bands):
        sampled = source.n_draws > 0
        columns = (
            summarise(quantity, draws, percentiles)
            if sampled
            else unsampled(quantity, source.row, percentiles)
        )
        if quantity.shape and source.row["is_point"]:
            columns = {name: (np.nan, unit, text) for name, (_, unit, text) in columns.items()}
        row.update(columns)
    meaning = ", ".join(f"{flag.value} {flag.name}" for flag in Flag)
    row["n_draws"] = (source.n_draws, "", "posterior draws, all chains")
    row["rhat"] = (source.rhat, "", "largest R-hat of the source's parameters (rank-normalised, split)")
    row["ess"] = (source.ess, "", "smallest bulk or tail effective sample size of its parameters")
    row["chi2"] = (source.chi2, "", "mean squared residual (sigma^2) within 2 rhalf, over all images")
    row["chi2_pixels"] = (source.chi2_pixels, "", "pixels that chi2 is the mean of, over all images")
    row["flags"] = (int(source.row["flags"]), "", f"quality flags: {meaning}")
    return row


def _draws_row(source, bands, count: int) -> dict:
    row, draws = _identity(source), source.draws
    keep = np.linspace(0, source.n_draws - 1, count).round().astype(int)
    for quantity in quantities(bands):
        if not source.n_draws or (quantity.shape and source.row["is_point"]):
            values = np.full(count, np.nan)
        else:
            values = np.asarray(quantity.values(draws[keep]), "f8")
        row[quantity.name] = (values, quantity.unit, f"{quantity.text}: draws")
    row["n_chains"] = (source.n_chains, "", "chains that the draws come from, one after the other")
    return row


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
