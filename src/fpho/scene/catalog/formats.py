"""Files that hold catalogs, to tables: FITS, ECSV, VOTable, parquet, SExtractor's text, other delimited text.

The format is told by the content, not by the name. Delimited text is kept as text, cell by cell, so that an
id of 20 digits or with leading zeros stays what it is.
"""

import csv
import gzip
import io
import re
import warnings
from pathlib import Path

from ...errors import InputError
from ...files import verify
from ...fitstext import unescaped_table
from ...texts import decode

CONVENTION = "CONVENT"  # header keyword that fpho writes into its own catalogs
HEADS = (  # how files begin
    (b"SIMPLE  =", "fits"),
    (b"PAR1", "parquet"),
    (b"\x89HDF", "hdf5"),
    (b"<?xml", "votable"),
    (b"<VOTABLE", "votable"),
    (b"# %ECSV", "ecsv"),
)
SEXTRACTOR = re.compile(r"#\s*1\s+[A-Z]\w+")  # first line of ASCII_HEAD
IPAC = re.compile(
    r"^\|[^\n]*\|\s*\n\|\s*(i|int|l|long|d|double|r|real|f|float|c|char|date)\s*\|", re.MULTILINE
)
FORMATS = (
    "a FITS binary table, ECSV, CSV (or other delimited text), VOTable, parquet, IPAC or SExtractor table"
)
NOT_SOURCES = ("LDAC_IMHEAD",)  # tables beside the sources
DELIMITERS = "\t;|,"
BLANK = ("", "-", "--", "nan", "na", "n/a", "none", "null", "<na>")  # cells of text tables without a value


def read_table(path, ext=None):
    """The table of a file, one row for each source; headers (also the primary one) in its `meta`.

    Parameters
    ----------
    ext : extension of a FITS file, by name or number; None: the only one with sources

    Raises
    ------
    InputError
        If there is no such file, or no table can be read from it.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(
            path, "no such catalog", "Give its path as catalog.path, or set catalog.detect: true"
        )
    verify(path, editable=True)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.filterwarnings("error", message=".*truncated.*")
            table = _without_mixins(_read(path, ext))
    except InputError:
        raise
    except Exception as error:  # the libraries' readers raise all kinds on damaged files
        reason = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        raise InputError(path, f"no table can be read ({reason})", f"Give {FORMATS}") from None
    return _plain(table, path)


def _read(path: Path, ext):
    from astropy.table import Table

    content = path.read_bytes()
    if content.startswith(b"\x1f\x8b"):
        content = gzip.decompress(content)
    kind = next((name for head, name in HEADS if content.lstrip().startswith(head)), "text")
    if kind == "fits":
        return _from_fits(content, path, ext)
    if ext is not None:
        raise InputError(path, f"catalog.ext = {ext!r}, but this is no FITS file", "Leave catalog.ext out")
    if kind == "hdf5":
        raise InputError(path, "an HDF5 file", f"Give {FORMATS}")
    if kind == "parquet":
        return _from_parquet(path)
    if kind == "votable":
        return Table.read(io.BytesIO(content), format="votable")
    text = decode(content, path, legacy=True)
    if kind == "ecsv":
        return Table.read(text, format="ascii.ecsv")
    if IPAC.search(text):
        return Table.read(text, format="ascii.ipac")
    if SEXTRACTOR.match(text.lstrip()):
        return Table.read(text, format="ascii.sextractor")
    return _from_text(text, path)


def _from_fits(content: bytes, path, ext):
    from astropy.io import fits
    from astropy.table import Table

    with fits.open(io.BytesIO(content)) as hdus:
        table = Table.read(hdus[_extension(hdus, path, ext)])
        table.meta = {**dict(hdus[0].header), **table.meta}
    return unescaped_table(_without_mixins(table))


def _extension(hdus, path, ext) -> int:
    """Number of the extension that holds the sources."""
    from astropy.io import fits

    kinds = (fits.BinTableHDU, fits.TableHDU)
    tables = {i: hdu.name for i, hdu in enumerate(hdus) if type(hdu) in kinds}
    listed = ", ".join(f"{i} {name}".strip() for i, name in tables.items()) or "none"
    if ext is not None:
        named = [i for i, name in tables.items() if ext == i or str(ext).upper() in (name.upper(), str(i))]
        if not named:
            raise InputError(path, f"no table catalog.ext = {ext!r}", f"Tables are: {listed}")
        return named[0]
    sources = [i for i, name in tables.items() if name not in NOT_SOURCES]
    if len(sources) > 1:  # such as a table of the run beside that of the sources
        sources = [i for i in sources if _has_positions(hdus[i].columns.names)] or sources[:1]
    if len(sources) != 1:
        found = "several tables of sources" if sources else "no table of sources"
        raise InputError(path, f"{found} (tables: {listed})", "Say which one: catalog.ext, a name or number")
    return sources[0]


def _has_positions(names) -> bool:
    from .programs import find

    return all(find(role, names) for role in ("ra", "dec"))


def _from_parquet(path):
    from astropy.table import Table

    try:
        import pandas
        import pyarrow  # noqa: F401
    except ImportError:
        cure = 'Install it with pip install "fpho[parquet]", or give another format'
        raise InputError(path, "parquet files need the package pyarrow", cure) from None
    try:
        return Table.read(path, format="parquet")  # with units, if astropy wrote it
    except (TypeError, ValueError):  # columns with missing values
        return Table.from_pandas(pandas.read_parquet(path))


def _from_text(text: str, path):
    """Delimited text with a header line, which may be a comment; all cells stay text."""
    from astropy.table import Table

    lines = [(i, line) for i, line in enumerate(text.split("\n"), 1) if line.strip()]
    body = [(i, line) for i, line in lines if not line.lstrip().startswith("#")]
    if not body:
        raise InputError(path, "no header line and no rows", f"Give {FORMATS}")
    comments = [line.lstrip("# ") for i, line in lines if line.lstrip().startswith("#") and i < body[0][0]]
    delimiter = next((mark for mark in DELIMITERS if mark in body[0][1]), " ")
    first = _cells(body[0][1], delimiter)
    if all(map(_is_number, first)):
        if not comments:
            raise InputError(path, "no line with the columns' names", "Write them into the first line")
        names = _cells(comments[-1], next((mark for mark in DELIMITERS if mark in comments[-1]), " "))
    else:
        names, body = first, body[1:]
    names = [name.strip() for name in names]
    if any(map(_is_number, names)) or len(set(names)) < len(names):
        twice = sorted({name for name in names if names.count(name) > 1 or _is_number(name)})
        raise InputError(path, f"columns {', '.join(twice)}", "Give each column one name of its own")
    rows = [_row(_cells(line, delimiter), names, path, number) for number, line in body]
    columns = list(zip(*rows, strict=True)) or [()] * len(names)
    cells = [[cell.strip() for cell in column] for column in columns]
    return Table(dict(zip((name or "column" for name in names), cells, strict=True)))


def _cells(line: str, delimiter: str) -> list[str]:
    return next(csv.reader([line.strip(" ")], delimiter=delimiter, skipinitialspace=True))


def _row(cells: list[str], names: list[str], path, number: int) -> list[str]:
    if len(cells) == len(names) + 1 and not cells[-1].strip():
        return cells[:-1]  # a delimiter at the end of the line
    if len(cells) != len(names):
        found = f"{len(cells)} cells, the header has {len(names)}"
        cure = "Mend that line; is the file cut off, or has a number a decimal comma?"
        raise InputError(f"{path}, line {number}", found, cure)
    return cells


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _plain(table, path):
    """Text columns as text, also those of bytes; names without blanks around them."""
    try:
        table.convert_bytestring_to_unicode()
    except UnicodeDecodeError:
        raise InputError(path, "a text column that is not in ASCII or UTF-8", "Write it in ASCII") from None
    for name in table.colnames:
        if name != name.strip() and name.strip() not in table.colnames:
            table.rename_column(name, name.strip())
    return table


def _without_mixins(table):
    """Plain columns only; sky coordinates (as of photutils) as `<name>.ra` and `<name>.dec`, ICRS degrees."""
    from astropy.coordinates import SkyCoord
    from astropy.table import Column

    for name in table.colnames:
        column = table[name]
        if isinstance(column, SkyCoord):
            table[f"{name}.ra"], table[f"{name}.dec"] = column.icrs.ra.deg, column.icrs.dec.deg
        elif name.lower().startswith("sky") and all(str(cell).count(",") == 1 for cell in column):
            pairs = [str(cell).split(",") for cell in column]  # as a text table holds them
            for axis, part in (("ra", 0), ("dec", 1)):
                table[f"{name}.{axis}"] = [pair[part] for pair in pairs]
        if not isinstance(column, Column):
            table.remove_column(name)
    return table
