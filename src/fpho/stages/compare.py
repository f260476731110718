"""Stage `compare`: results of a run against known truth."""

import logging
from pathlib import Path

from ..background import read_tweakbg
from ..config import Config
from ..errors import InputError
from ..files import verify
from ..layout import Layout
from ..products.comparison import compare, write_comparison
from ..products.plots.pulls import plot_background, plot_pulls, plot_recovery
from ..products.tables import read_fits_table

log = logging.getLogger("fpho")


def run(config: Config, layout: Layout, truth=None) -> None:
    """Tables and plots under `layout.comparison`.

    truth : FITS table of the truth (as the `simulate` stage writes it); that of the run when absent.
    """
    from astropy.table import Table

    path = Path(truth) if truth is not None else layout.truth
    for needed, cure in (
        (path, "Give a table of the truth"),
        (layout.posterior, "Run `fpho postprocess` first"),
    ):
        if not Path(needed).is_file():
            raise InputError(needed, "no such table", cure)
    verify(path)
    catalog = read_fits_table(layout.posterior)
    bands = catalog.meta["FILTERS"].split(",")
    tweakbg = read_tweakbg(layout.background) if layout.background.is_file() else None
    result = compare(catalog, Table.read(path, hdu=1), bands, true_backgrounds(path), tweakbg)
    write_comparison(layout.comparison, result)
    plot_pulls(layout.comparison / "comparison.png", result.table, bands)
    plot_recovery(layout.comparison / "recovery.png", result.table, bands)
    if result.background is not None and len(result.background):
        plot_background(layout.comparison / "background.png", result.background)
    for line in result.text.splitlines():
        log.info("%s", line)


def true_backgrounds(path):
    """The table of the extension BACKGROUND of a truth file; None where it has none."""
    from astropy.io import fits
    from astropy.table import Table

    with fits.open(path) as hdus:
        return Table.read(hdus["BACKGROUND"]) if "BACKGROUND" in hdus else None
