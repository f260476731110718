"""Stage `view`: the page on which a person looks at a run."""

import logging

from ..config import Config
from ..layout import Layout
from ..page import page_of_run

log = logging.getLogger("fpho")


def run(config: Config, layout: Layout, cores: int = 1) -> None:
    """The folder `layout.page`; its `index.html` opens in any browser, also from a disk and without a net."""
    made = page_of_run(layout.outdir, draws=config.page.draws, cores=cores)
    log.info("page: %s", made)
