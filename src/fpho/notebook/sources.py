"""Sources as people have them in a notebook, to a peak catalog."""

from pathlib import Path

import numpy as np
from astropy import units
from astropy.coordinates import SkyCoord
from astropy.table import Table

from ..errors import InputError
from ..files import atomic
from .images import is_path

MODELS = ("sersic", "point")
PIXELS = ("x", "y"), ("xcentroid", "ycentroid"), ("x_centroid", "y_centroid")  # photutils' names, too


def write_catalog(sources, model: str, wcs, folder: Path) -> Path | None:
    """The catalog of the given sources; None where they are to be detected.

    Parameters
    ----------
    sources : None, SkyCoord, pixels (x, y) or (N, 2), a table, or the path of one
    model : `sersic` or `point`, of all sources
    wcs : of the image that pixels are of

    Raises
    ------
    InputError
        For what is none of these.
    """
    if model not in MODELS:
        raise InputError(
            "model", repr(model), f"Use one of {', '.join(MODELS)}; or a table with a column `type`"
        )
    if sources is None and model == "point":
        raise InputError("model", "point, for sources that are still to be found", "Give the sources")
    if sources is None:
        return None
    if is_path(sources) and model == "sersic":
        return Path(sources).absolute()
    table = table_of(sources, wcs)
    if model == "point":
        table["type"] = "point"
    path = folder / "catalog.ecsv"
    with atomic(path) as temporary:
        table.write(temporary, format="ascii.ecsv", overwrite=True)
    return path


def table_of(sources, wcs) -> Table:
    """A table with `ra` and `dec` (deg, ICRS), and what else the user's has."""
    if is_path(sources):
        from ..scene.catalog.formats import read_table

        return read_table(Path(sources), None)
    if isinstance(sources, SkyCoord):
        return _on_sky(sources)
    if isinstance(sources, list | tuple) and sources and isinstance(sources[0], SkyCoord):
        return _on_sky(SkyCoord(list(sources)))
    if type(sources).__module__.startswith("pandas"):
        sources = Table.from_pandas(sources)
    if isinstance(sources, np.ndarray) and sources.dtype.names:
        sources = Table(sources)
    if isinstance(sources, Table):
        return _of_table(sources, wcs)
    return _of_pixels(sources, wcs)


def _on_sky(places: SkyCoord) -> Table:
    places = np.atleast_1d(places.icrs) if places.isscalar else places.icrs.ravel()
    return Table({"ra": places.ra.deg, "dec": places.dec.deg})


def _of_table(table: Table, wcs) -> Table:
    table = table.copy()
    for name in [name for name in table.colnames if isinstance(table[name], SkyCoord)]:
        places = _on_sky(table[name])
        table.remove_column(name)
        table["ra"], table["dec"] = places["ra"], places["dec"]
    names = {name.lower(): name for name in table.colnames}
    if {"ra", "dec"} <= set(names) or wcs is None:
        return Table(table)
    for pair in PIXELS:
        if set(pair) <= set(names):
            xy = [units.Quantity(table[names[name]], copy=True).value for name in pair]
            places = _of_pixels(np.stack(xy, axis=-1), wcs)
            table["ra"], table["dec"] = places["ra"], places["dec"]
            break
    return Table(table)


def _of_pixels(sources, wcs) -> Table:
    try:
        xy = np.atleast_2d(np.asarray(sources, "f8"))
    except (TypeError, ValueError):
        xy = np.zeros((0, 0))
    if xy.ndim != 2 or xy.shape[1] != 2 or not len(xy) or not np.isfinite(xy).all():
        found = f"a {type(sources).__name__}, which is neither places nor a table"
        cure = "Give a SkyCoord, pixels (x, y) of the first image from 0 on, a table, or None to detect them"
        raise InputError("sources", found, cure)
    ra, dec = wcs.pixel_to_world_values(*xy.T)
    return Table({"ra": np.asarray(ra, "f8"), "dec": np.asarray(dec, "f8")})
