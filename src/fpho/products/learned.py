"""The catalog under the field's own population, and that population as options of another run."""

from dataclasses import replace

import numpy as np
import yaml

from ..config import Population
from ..files import write_text
from ..learning import Learned, SourceDraws, drawn_sources, learn, reweighted
from .catalogs import postsample_catalog
from .collecting import Results, SourceResult
from .medians import median_row
from .tables import write_ecsv, write_fits_tables

ENOUGH = 50.0  # effective draws; with fewer a source keeps the draws that it has
ESS = "population_ess"


def learned_catalog(results: Results, start: Population, seed: int):
    """(`Learned`, astropy Table as `postsample_catalog` makes it, of the reweighted draws).

    The column `population_ess` says how many draws of equal weight would tell as much; a source with fewer
    than ENOUGH has its values under the prior that it was sampled with, and wants to be sampled again. Fluxes
    within circles are not reweighted.
    """
    paths = [patch.draws for patch in results.patches if patch.draws is not None]
    drawn = {source.source_index: source for path in paths for source in drawn_sources(path)}
    wanted = {int(source.row["source_index"]) for source in results.sources if source.n_draws}
    learned = learn([source for index, source in sorted(drawn.items()) if index in wanted], start)
    made = [_again(source, drawn, learned, results.bands, seed) for source in results.sources]
    table = postsample_catalog(replace(results, sources=[source for source, _ in made]))
    table[ESS] = [number for _, number in made]
    table[ESS].description = "draws of equal weight that tell as much as those reweighted by the population"
    table[ESS].meta["ucd"] = "meta.number"
    return learned, table


def _again(source: SourceResult, drawn: dict[int, SourceDraws], learned: Learned, bands, seed: int):
    """(the source with its draws chosen anew, effective number)."""
    index = int(source.row["source_index"])
    if not source.n_draws:
        return source, np.nan
    rng = np.random.default_rng([seed, 31, index])
    places, number = reweighted(drawn[index], learned.law, rng)
    if number < ENOUGH:
        return source, number
    median = median_row(source.row, source.draws[places], bands)
    return replace(source, median=median, load=_Chosen(source, places)), number


class _Chosen:
    """The draws of a source at some places, read when called."""

    def __init__(self, source: SourceResult, places):
        self.source, self.places = source, places

    def __call__(self) -> np.ndarray:
        return self.source.draws[self.places]


def write_learned(learned: Learned, table, catalog, options) -> None:
    """The catalog (FITS, and ECSV beside it), and the population as options (YAML) of another run."""
    write_fits_tables([table], catalog, "LEARNED")
    write_ecsv(table, catalog.with_suffix(".ecsv"))
    numbers = {name: round(value, 5) if isinstance(value, float) else value for name, value in learned.law}
    text = yaml.safe_dump({"priors": {"population": numbers}}, sort_keys=False)
    of_counts = f"counts from {learned.bright}" if learned.bright else "counts as before"
    errors = ", ".join(f"{name} {value:.3f}" for name, value in learned.errors.items())
    write_text(options, f"# Learned from {learned.sources} galaxies, {of_counts}; errors: {errors}\n{text}")
