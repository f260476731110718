"""Catalogs of sources as users have them, to scene rows: file, names, units, values, rows.

`formats` reads the file into a table; `columns` finds the column of each quantity (`programs` lists the
names that other programs use) and gives its numbers in our unit (`units`, `values`); `shapes` and `fluxes`
make scene rows of them; `checks` says what cannot be; `reading` is the whole way.
"""

from .formats import CONVENTION
from .reading import OF_POINT, START, read_catalog

__all__ = ["CONVENTION", "OF_POINT", "START", "read_catalog"]
