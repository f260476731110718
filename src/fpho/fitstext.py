"""Any text in FITS, which holds printable ASCII only: other characters stand there as \\uXXXX.

Used for keywords, column names and cells alike, and reversible: a Greek band comes back as it was given.
"""

import re

OTHER = re.compile(r"[^ -~]|\\(?=u[0-9a-f]{4}|U[0-9a-f]{8})")  # the backslash of what looks escaped, too
ESCAPED = re.compile(r"\\u([0-9a-f]{4})|\\U([0-9a-f]{8})")


def escaped(text) -> str:
    """Text in printable ASCII."""
    return OTHER.sub(_code, str(text))


def unescaped(text) -> str:
    """The text that `escaped` was given."""
    return ESCAPED.sub(lambda found: chr(int(found[1] or found[2], 16)), str(text))


def escaped_table(table):
    """A copy of an astropy table whose names, cells, descriptions and meta FITS can hold."""
    return _converted(table, escaped)


def unescaped_table(table):
    """A copy of a table read from FITS, with the texts that `escaped_table` was given."""
    return _converted(table, unescaped)


def unescaped_cells(cells):
    """An array (numpy) of texts from FITS as they were given."""
    import numpy as np  # only here, since reading a configuration comes this way

    return np.array([unescaped(cell) for cell in np.asarray(cells).astype(str)], dtype=str)


def keep_descriptions(table, hdu) -> None:
    """Write the descriptions of a table's columns into the header of its FITS extension, as TCOMM cards."""
    for number, name in enumerate(table.colnames, 1):
        hdu.header[f"TCOMM{number}"] = table[name].description or ""


def _converted(table, convert):
    import numpy as np

    out = table.copy(copy_data=False)
    for name in table.colnames:
        column = table[name]
        if column.dtype.kind in "SU":
            before = np.ma.getdata(column).astype(str)
            cells = np.array([convert(cell) for cell in before], dtype=str)
            if not np.array_equal(cells, before):
                out[name] = np.ma.array(cells, mask=column.mask) if np.ma.isMA(column) else cells
        out[name].description = column.description and convert(column.description)
        if convert(name) != name:
            out.rename_column(name, convert(name))
    out.meta = {key: convert(v) if isinstance(v, str) else v for key, v in table.meta.items()}
    return out


def _code(found) -> str:
    point = ord(found[0])
    return f"\\u{point:04x}" if point < 0x10000 else f"\\U{point:08x}"
