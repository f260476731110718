"""Stage `sersic`: make the table of Sersic mixtures again."""

from .. import __version__
from ..config import Config
from ..layout import Layout
from ..sersic import write_table
from ..sersic.fit import fit_table


def run(config: Config, layout: Layout) -> None:
    """Fit the scale-free table and write it to `layout.sersic_table`; about a minute."""
    table = fit_table(config.sersic.n_components)
    write_table(layout.sersic_table, table, fpho_version=__version__)
