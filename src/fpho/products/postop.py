"""The catalog of the optimum: what sampling starts from, and a catalog in the input format."""

from pathlib import Path

from ..layout import Layout
from ..passes.results import last_optima, optimum_apertures
from ..scene import read_scene, write_scene
from .apertures import optimum_columns

BOOKKEEPING = ("n_iter", "n_patch")  # of the optimization; sampling counts anew


def postop_catalog(root, catname=None, optima=None):
    """Write the optimized scene of a run in the input format, with flux uncertainties; its rows.

    Columns: ids, positions, `q` = sqrt(b/a) and `pa` (rad from east to north), sersic, rhalf, roi, flux and
    `<band>_err` (nJy) of each band, fluxes within circles (see `products.apertures`). The header keyword
    CONVENT says `internal`, FILTERS the bands.

    Parameters
    ----------
    root : folder of a run. catname : the file; `catalogs/postop_catalog.fits` in that folder when absent.
    optima : of `passes.results.last_optima`, where they are read already
    """
    layout = Layout(Path(root))
    rows, bands, header = read_scene(optimized(layout))
    rows = rows.copy()
    for name in BOOKKEEPING:
        rows[name] = 0
    rows["is_active"] = False
    seed = {"SEED": header["SEED"]} if "SEED" in header else {}
    optima = last_optima(layout) if optima is None else optima
    more = optimum_columns(optimum_apertures(optima), len(rows), bands)
    write_scene(layout.postop if catname is None else catname, rows, bands, seed, more)
    return rows


def optimized(layout: Layout) -> Path:
    """The last state that was optimized: `reoptimize`, or `optimize` where there is none yet."""
    last = layout.scene("reoptimize")
    return last if last.is_file() else layout.scene("optimize")
