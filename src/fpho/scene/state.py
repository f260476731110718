"""The state of a scene as a file: FITS, whole or absent."""

from functools import lru_cache
from pathlib import Path

import numpy as np

from .. import __version__
from ..errors import InputError
from ..files import atomic, verify
from ..fitstext import escaped, escaped_table, keep_descriptions, unescaped, unescaped_cells
from ..parameters import DESCRIPTIONS, FLUX_UNIT, UNITS, error_col, scene_dtype
from .catalog.formats import CONVENTION

SMALL = 1 << 20  # bytes of a state that is remembered


def write_scene(path, rows, bands, meta: dict | None = None, more: dict | None = None) -> None:
    """Write scene rows (S,) with units and descriptions; also a catalog that `read_catalog` takes.

    more : further columns by name: (values (S,), unit, description)
    """
    from astropy.io import fits
    from astropy.table import Table

    table = Table(rows, copy=False)
    table.meta = {**(meta or {}), "FILTERS": ",".join(bands), CONVENTION: "internal", "FPHOVER": __version__}
    for name in table.colnames:
        table[name].unit = UNITS.get(name) or None
        table[name].description = DESCRIPTIONS.get(name)
    for band in bands:
        table[band].unit = table[error_col(band)].unit = FLUX_UNIT
        table[band].description = f"flux in {band}"
        table[error_col(band)].description = f"1-sigma uncertainty of the flux in {band}"
    for name, (values, unit, text) in (more or {}).items():
        table[name] = values
        table[name].unit, table[name].description = unit, text
    table = escaped_table(table)
    hdu = fits.table_to_hdu(table)
    keep_descriptions(table, hdu)
    with atomic(path, seal=True) as temporary:
        fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(temporary, overwrite=True)


def read_scene(path) -> tuple[np.ndarray, list[str], dict]:
    """Rows (S,), bands and header of a scene state; a small one is read once in a process."""
    path = Path(path)
    if not path.is_file():
        raise InputError(path, "no such scene state", "Run the stage before this one")
    state = path.stat()
    if state.st_size > SMALL:
        return _read(path)
    rows, bands, header = _remembered(path.absolute(), (state.st_size, state.st_mtime_ns, state.st_ino))
    return rows.copy(), list(bands), dict(header)


@lru_cache(maxsize=16)
def _remembered(path: Path, state: tuple) -> tuple[np.ndarray, list[str], dict]:
    return _read(path)


def _read(path: Path) -> tuple[np.ndarray, list[str], dict]:
    from astropy.io import fits

    verify(path)
    with fits.open(path, memmap=False) as hdus:
        header, data = dict(hdus[1].header), hdus[1].data
        bands = [name for name in unescaped(header.get("FILTERS", "")).split(",") if name]
        dtype = scene_dtype(bands)
        missing = [name for name in dtype.names if escaped(name) not in data.names]
        if not bands or missing:
            found = f"not a scene state: it lacks {', '.join(missing) or 'FILTERS'}"
            raise InputError(path, found, "Give a file that fpho wrote, or read it as a catalog")
        rows = np.zeros(len(data), dtype)
        for name in dtype.names:
            rows[name] = unescaped_cells(data[name]) if name == "id" else data[escaped(name)]
    return rows, bands, header
