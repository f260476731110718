"""Catalogs of the posterior: percentiles, and draws; unit, description and UCD on all columns."""

from pathlib import Path

import numpy as np

from .. import __version__
from ..config import load_config
from ..flags import Flag
from ..layout import Layout
from .apertures import DRAWN, aperture_cells, fixed_radii
from .collecting import Results, SourceResult, collected
from .columns import Cell, quantities, summarise, unsampled
from .photometry import photometry
from .tables import FORMS, read_fits_table, table_of, write_fits_tables

PERCENTILES = (2.5, 16.0, 50.0, 84.0, 97.5)
SHARD = 1000  # sources of one extension of the file of draws


def postsample_catalog(root, catname=None, percentiles=None, formats=("ecsv",)):
    """Catalog of percentiles of a sampled run, one row per source (astropy Table).

    A source without draws (flag NO_DRAWS) has the values and flux errors of its optimum.

    Parameters
    ----------
    root : folder of a run, a list of samples files, or `Results`.
    catname : FITS file to write; none: only the table is returned. A bare name lies in the run's folder of
        catalogs.
    percentiles : in per cent; those of the run's configuration, or 2.5, 16, 50, 84 and 97.5. The median
        is the value itself and has no second column.
    formats : what is written beside the FITS file: `ecsv`, `votable`, `parquet`.
    """
    results = collected(root)
    if percentiles is None:
        percentiles = _configured(root)
    meta = _meta(results, "median, standard deviation and percentiles of the posterior draws")
    radii = fixed_radii(source.apertures for source in results.sources)
    table = table_of(results.sources, lambda source: _row(source, results.bands, percentiles, radii), meta)
    path = _target(root, catname)
    if path is not None:
        write_fits_tables([table], path, "POSTERIOR")
        for name in formats:
            suffix, write = FORMS[name]
            write(table, path.with_suffix(suffix))
    return table


def chain_catalog(root, catname=None, n_draws: int | None = None):
    """Catalog of draws, one row per source, each quantity a vector column (astropy Table).

    n_draws : draws kept, evenly spaced over the chains; all sources have the same number, at most that
    of the shortest chain; NaN where a source has none. Other arguments as in `postsample_catalog`, but
    there is no ECSV file.
    """
    results, path = collected(root), _target(root, catname)
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


def _configured(root):
    if isinstance(root, Results | list | tuple):
        return PERCENTILES
    path = Layout(Path(root)).config
    return load_config(path).postprocess.percentiles if path.is_file() else PERCENTILES


def _identity(source) -> dict[str, Cell]:
    row = source.row
    return {
        "source_index": Cell(int(row["source_index"]), "", "row of the source in the scene", "meta.record"),
        "id": Cell(str(row["id"]), "", "identifier given in the input catalog", "meta.id;meta.main"),
        "patch": Cell(source.patch, "", "patch whose draws these are", "meta.id.part"),
        "is_point": Cell(
            bool(row["is_point"]),
            "",
            "modelled as a point source: its shape columns are NaN",
            "src.class.starGalaxy",
        ),
    }


def _row(source, bands, percentiles, radii) -> dict[str, Cell]:
    """Columns of one source by name."""
    row, draws = _identity(source), source.draws
    for quantity in quantities(bands):
        if source.n_draws:
            columns = summarise(quantity, draws, percentiles)
        else:
            columns = unsampled(quantity, source.row, percentiles)
        if quantity.shape and source.row["is_point"]:
            columns = {name: cell._replace(value=np.nan) for name, cell in columns.items()}
        row.update(columns)
    row.update(photometry(source.median, draws, bands))
    row.update(aperture_cells(source.apertures, bands, radii, DRAWN))
    return row | _quality(source)


def _quality(source) -> dict[str, Cell]:
    meaning = ", ".join(f"{flag.value} {flag.name}" for flag in Flag)
    number, fit = "meta.number", "stat.fit.goodness"
    chi2 = "mean squared residual (sigma^2) within 2 rhalf, over all images"
    return {
        "n_draws": Cell(source.n_draws, "", "posterior draws, all chains", number),
        "rhat": Cell(
            source.rhat, "", "largest R-hat of the source's parameters (rank-normalised, split)", fit
        ),
        "ess": Cell(source.ess, "", "smallest bulk or tail effective sample size of its parameters", number),
        "chi2": Cell(source.chi2, "", chi2, "stat.fit.chi2"),
        "chi2_pixels": Cell(
            source.chi2_pixels, "", "pixels that chi2 is the mean of, over all images", number
        ),
        "misfit": Cell(
            source.misfit, "", "factor on variances for what the model leaves of the data; 1: none", fit
        ),
        "flags": Cell(int(source.row["flags"]), "", f"quality flags: {meaning}", "meta.code.qual"),
    }


def _draws_row(source, bands, count: int) -> dict[str, Cell]:
    row, draws = _identity(source), source.draws
    keep = np.linspace(0, source.n_draws - 1, count).round().astype(int)
    for quantity in quantities(bands):
        if not source.n_draws or (quantity.shape and source.row["is_point"]):
            values = np.full(count, np.nan)
        else:
            values = np.asarray(quantity.values(draws[keep]), "f8")
        row[quantity.name] = Cell(values, quantity.unit, f"{quantity.text}: draws", quantity.ucd)
    text = "chains that the draws come from, one after the other"
    row["n_chains"] = Cell(source.n_chains, "", text, "meta.number")
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
