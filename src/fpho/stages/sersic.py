"""Stage `sersic`: the run's table of Sersic mixtures, shipped, given, or made again."""

from .. import __version__, hdf5
from ..config import Config
from ..layout import Layout
from ..sersic import DEFAULT_PATH, check_bounds, load_table, write_table


def run(config: Config, layout: Layout) -> None:
    """Write `layout.sersic_table`, which spans the bounds of the configuration."""
    options = config.sersic
    if options.remake and options.table == "default":
        from ..sersic.compact import fit_compact
        from ..sersic.fit import fit_table

        table = fit_compact(fit_table(options.n_components))
        write_table(layout.sersic_table, table, fpho_version=__version__)
    else:
        table = DEFAULT_PATH if options.table == "default" else options.table
        hdf5.copy(table, layout.sersic_table, "Give `default`, or the path of a Sersic table (HDF5)")
    check_bounds(load_table(layout.sersic_table), config.bounds.sersic_range, config.bounds.rhalf_range)
