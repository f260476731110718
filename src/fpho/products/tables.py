"""Tables of sources, built row by row from results, and written whole."""

import io
import warnings

import numpy as np
from astropy.io.votable.exceptions import VOTableSpecWarning

from ..files import atomic, verify
from ..fitstext import escaped_table, keep_descriptions, unescaped_table


def table_of(sources, make_row, meta: dict):
    """astropy Table of one row per source.

    sources : in the order of the rows; they are asked patch by patch, as their draws lie in files of these.
    make_row : gives the columns of a source: `Cell` by name.
    """
    from astropy.table import Table

    order = sorted(range(len(sources)), key=lambda i: sources[i].patch)
    values, first = None, {}
    for place in order:
        row = make_row(sources[place])
        if values is None:
            width = max(len(str(source.row["id"])) for source in sources)
            values, first = np.zeros(len(sources), _dtype(row, width)), row
        for name, cell in row.items():
            values[name][place] = cell.value
    table = Table(values, copy=False) if values is not None else Table()
    table.meta = meta
    for name, cell in first.items():
        table[name].unit, table[name].description = cell.unit or None, cell.text
        table[name].meta["ucd"] = cell.ucd
    return table


def _dtype(row: dict, width: int) -> np.dtype:
    kinds = {name: np.asarray(cell.value) for name, cell in row.items()}
    return np.dtype(
        [(n, f"U{max(width, 1)}" if a.dtype.kind == "U" else a.dtype, a.shape) for n, a in kinds.items()]
    )


def read_fits_table(path):
    """A table that `write_fits_tables` wrote (astropy Table), its parts joined."""
    from astropy.io import fits
    from astropy.table import Table, vstack

    verify(path)
    with fits.open(path, memmap=False) as hdus:
        parts = [Table.read(hdu) for hdu in hdus[1:]]
    joined = parts[0] if len(parts) == 1 else vstack(parts, metadata_conflicts="silent")
    return unescaped_table(joined)


def write_fits_tables(tables, path, name: str) -> None:
    """Tables as extensions of one FITS file, written whole; `tables` may be made while they are written.

    The first is called `name`, the others `name`2, ... Descriptions stand in TCOMM cards and in the form that
    astropy reads back.
    """
    from astropy.io import fits

    with atomic(path, seal=True) as temporary:
        fits.PrimaryHDU().writeto(temporary, overwrite=True)
        for number, table in enumerate(tables, 1):
            hdu = _table_hdu(escaped_table(table))
            hdu.name = name if number == 1 else f"{name}{number}"
            fits.append(temporary, hdu.data, hdu.header, verify=False)


def write_ecsv(table, path) -> None:
    """A table as ECSV, written whole."""
    with atomic(path, seal=True) as temporary:
        table.write(temporary, format="ascii.ecsv", overwrite=True)


def write_votable(table, path) -> None:
    """A table as VOTable 1.4, written whole."""
    with atomic(path, seal=True) as temporary, warnings.catch_warnings():
        warnings.simplefilter("ignore", VOTableSpecWarning)  # XML identifiers of names that are not ASCII
        table.write(temporary, format="votable", overwrite=True)


def write_parquet(table, path) -> None:
    """A table as parquet, written whole; matrices are lists, row after row. Needs pyarrow."""
    with atomic(path, seal=True) as temporary:
        table.write(temporary, format="parquet", overwrite=True)


FORMS = {
    "ecsv": (".ecsv", write_ecsv),
    "votable": (".vot", write_votable),
    "parquet": (".parquet", write_parquet),
}


def _table_hdu(table):
    from astropy.io import fits

    stream = io.BytesIO()
    table.write(stream, format="fits")
    hdu = fits.open(io.BytesIO(stream.getvalue()))[1]
    keep_descriptions(table, hdu)
    for number, name in enumerate(table.colnames, 1):
        hdu.header[f"TUCD{number}"] = table[name].meta.get("ucd", "")
    return hdu
