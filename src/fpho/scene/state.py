"""The state of a scene as a file: FITS, whole or absent."""

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .. import __version__
from ..errors import InputError
from ..files import atomic, verify
from ..fitstext import escaped, escaped_table, keep_descriptions, unescaped, unescaped_cells
from ..parameters import DESCRIPTIONS, FLUX_UNIT, UNITS, error_col, scene_dtype
from .catalog.formats import CONVENTION

SMALL = 1 << 20  # bytes of a state that is remembered
MANY = 16  # states, and headers, that are remembered
BLOCK = 2880  # bytes in which FITS files grow
CELLS = {"|b1": "S1", "<i8": ">i8", "<f8": ">f8"}  # of FITS, by the type of a column of a scene; and texts
_states: dict[Path, tuple] = {}  # (time and size of the file, rows, bands, header)
_layouts: dict[tuple, "StateLayout"] = {}  # by all that a header depends on


@dataclass(frozen=True)
class StateLayout:
    """What files of states have in common that differ in their data alone."""

    head: bytes  # before the data
    header: dict
    cells: np.dtype  # a row in the file


def write_scene(path, rows, bands, meta: dict | None = None, more: dict | None = None) -> None:
    """Write scene rows (S,) with units and descriptions; also a catalog that `read_catalog` takes.

    more : further columns by name: (values (S,), unit, description)
    """
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
    with atomic(path, seal=True) as temporary:
        with open(temporary, "wb") as stream:
            stream.writelines(_content(escaped_table(table)))


def _content(table) -> list:
    """The FITS file of a table, in pieces; astropy makes a header of one row: states differ in data alone."""
    columns = [(each.name, each.dtype, each.unit, each.description) for each in table.itercols()]
    kinds = [each.dtype.kind if each.dtype.str not in CELLS else "" for each in table.itercols()]
    vectors = any(each.ndim > 1 for each in table.itercols())
    if vectors or set(kinds) - {"U", ""} or table.has_masked_columns:
        return [_made_by_astropy(table)[0]]
    key, cells = (len(table), str(columns), str(table.meta)), _cells(table)
    layout = _layouts.get(key) or _layout(table, cells.dtype)
    if len(_layouts) < MANY:
        _layouts[key] = layout
    return [layout.head, memoryview(cells.view("u1")), bytes(-cells.nbytes % BLOCK)]


def _layout(table, cells: np.dtype) -> StateLayout:
    """What the file of a table has before its data, which is that of its first row but for their number."""
    made, header = _made_by_astropy(table[:1])
    room = -(-len(table[:1]) * cells.itemsize // BLOCK) * BLOCK
    head, few, n = made[: len(made) - room], len(table[:1]), len(table)
    one, all_rows = (b"NAXIS2  = %20d" % count for count in (few, n))
    if head.count(one) != 1:
        raise RuntimeError("the header of a FITS table has not one NAXIS2")
    return StateLayout(head.replace(one, all_rows), header | {"NAXIS2": n}, cells)


def _made_by_astropy(table) -> tuple[bytes, dict]:
    from astropy.io import fits

    hdu = fits.table_to_hdu(table)
    keep_descriptions(table, hdu)
    file = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(file)
    return file.getvalue(), dict(hdu.header)


def _cells(table) -> np.ndarray:
    """Rows of a table as FITS has them: big-endian, texts of one byte a character, T and F."""
    types = [(name, table[name].dtype) for name in table.colnames]
    texts = {name: f"S{of.itemsize // 4}" for name, of in types if of.kind == "U"}
    cells = np.empty(len(table), [(name, texts.get(name) or CELLS[of.str]) for name, of in types])
    for name, of in types:
        values = np.asarray(table[name])
        values = np.char.rstrip(values) if of.kind == "U" else values  # FITS has no blanks at the end
        cells[name] = np.where(values, b"T", b"F") if of.kind == "b" else values
    return cells


def read_scene(path) -> tuple[np.ndarray, list[str], dict]:
    """Rows (S,), bands and header of a scene state; a small one is read once in a process."""
    path = Path(path)
    if not path.is_file():
        raise InputError(path, "no such scene state", "Run the stage before this one")
    now, path = path.stat(), path.absolute()
    if now.st_size > SMALL:
        return _read(path)
    known = (now.st_size, now.st_mtime_ns, now.st_ino)
    if _states.get(path, (None,))[0] != known:
        if len(_states) >= MANY:
            _states.pop(next(iter(_states)))
        _states[path] = (known, *_read(path))
    _, rows, bands, header = _states[path]
    return rows.copy(), list(bands), dict(header)


def _read(path: Path) -> tuple[np.ndarray, list[str], dict]:
    verify(path)
    header, data = _known(path) or _by_astropy(path)
    bands = [name for name in unescaped(header.get("FILTERS", "")).split(",") if name]
    dtype = scene_dtype(bands)
    missing = [name for name in dtype.names if escaped(name) not in data.dtype.names]
    if not bands or missing:
        found = f"not a scene state: it lacks {', '.join(missing) or 'FILTERS'}"
        raise InputError(path, found, "Give a file that fpho wrote, or read it as a catalog")
    rows = np.zeros(len(data), dtype)
    for name in dtype.names:
        cells = data[escaped(name)]
        if cells.dtype.kind == "S":
            cells = b"T" == cells if dtype[name].kind == "b" else np.char.rstrip(cells).astype(str)
        rows[name] = unescaped_cells(cells) if name == "id" else cells
    return rows, bands, header


def _known(path: Path):
    """(header, rows) of a file with a header that was made in this process; None for others."""
    if path.stat().st_size > SMALL:
        return None
    content = path.read_bytes()
    for known in _layouts.values():
        if content.startswith(known.head):
            n, start = known.header["NAXIS2"], len(known.head)
            return known.header, np.frombuffer(content, known.cells, n, start)
    return None


def _by_astropy(path: Path):
    from astropy.io import fits

    with fits.open(path, memmap=False) as hdus:
        return dict(hdus[1].header), hdus[1].data
