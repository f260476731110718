"""Stage `learn`: the field's own population from its posteriors, and the catalog under it."""

import logging

import numpy as np

from ..config import Config
from ..layout import Layout
from ..products.collecting import collect
from ..products.learned import ENOUGH, ESS, learned_catalog, write_learned

log = logging.getLogger("fpho")


def run(config: Config, layout: Layout) -> None:
    """`layout.learned` and `layout.population` from the samples of a finished run."""
    learned, table = learned_catalog(collect(layout.outdir), config.priors.population, config.seed)
    write_learned(learned, table, layout.learned, layout.population)
    for name, value in learned.law:
        if name in learned.errors:
            log.info("%s: %.3f +- %.3f", name, value, learned.errors[name])
    few = int(np.sum(table[ESS] < ENOUGH))
    text = "%d of %d sources have fewer than %d effective draws: sample them again with the options in %s"
    log.info(text, few, len(table), ENOUGH, layout.population)
