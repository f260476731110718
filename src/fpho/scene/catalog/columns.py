"""A table of sources by what its columns mean: which column holds a quantity, its numbers in our unit."""

import difflib
import re

import numpy as np

from ...config import Catalog
from ...errors import InputError
from . import units, values
from .programs import NAMES, find

ELEMENT = re.compile(r"(.+)\[(\d+)\]")  # NAME[0]: one of the numbers that a cell of NAME holds
OTHERS = ("roi", "q", "pa", "type", "is_point", "is_valid", "source_index", "n_iter", "n_patch", "flags")


class Columns:
    """Columns of a table under our names: those of `catalog.columns`, else our own, else other programs'.

    Parameters
    ----------
    table : astropy Table with S rows
    path : file that messages name
    bands : bands of the run
    """

    def __init__(self, table, path, options: Catalog, bands=()):
        self.table, self.path, self.options = table, path, options
        self._mapped = self._resolve(bands)
        used = {ELEMENT.sub(r"\1", name) for name in self._mapped.values() if name}
        self._free = [name for name in table.colnames if name not in used]

    def __len__(self) -> int:
        return len(self.table)

    def name(self, role: str) -> str | None:
        """The table's own name of the column that holds `role`; None if there is none."""
        return self._mapped[role] if role in self._mapped else find(role, self._free)

    def own(self, role: str) -> str | None:
        """As `name`, but other programs' names are not tried."""
        return self._mapped.get(role, role if role in self._free else None)

    def has(self, name: str) -> bool:
        """Whether the table has a column of exactly this name, also NAME[k]."""
        names = self.table.colnames
        return name in names or bool((element := ELEMENT.fullmatch(name)) and element[1] in names)

    def cells(self, name: str):
        """A column of the table by its own name, or NAME[k] of one whose cells hold several numbers.

        Raises
        ------
        InputError
            If it holds several numbers for each source and none is chosen.
        """
        element = ELEMENT.fullmatch(name)
        if name in self.table.colnames or not element:
            column, chosen = self.table[name], None
        else:
            column, chosen = self.table[element[1]], int(element[2])
        size = column.shape[1] if column.ndim == 2 else 1
        if chosen is not None and column.ndim == 2 and chosen < size:
            return column[:, chosen]
        if column.ndim == 2 and size == 1:
            return column[:, 0]
        if column.ndim > 1 or (column.dtype.kind == "O" and any(np.ndim(cell) for cell in column)):
            found = f"column {name!r} holds several numbers for each source {column.shape[1:] or ''}".strip()
            raise InputError(self.path, found, f"Name one of them, the first as {name.split('[')[0]}[0]")
        return column

    def unit(self, name: str):
        """Unit that a column states; None without."""
        return units.parse(getattr(self.cells(name), "unit", None), name, self.path)

    def numbers(self, role: str, unit: str = "", default_unit: str = "", needed: bool = True) -> np.ndarray:
        """Values (S,) of `role` in `unit`, float64; NaN for masked cells.

        Parameters
        ----------
        default_unit : unit of a column that states none, if not `unit`
        needed : without the column an error, or all NaN

        Raises
        ------
        InputError
            If a needed column is missing, holds no numbers, or is in a unit that cannot be converted.
        """
        name = self.name(role)
        if name is None:
            if needed:
                raise self.missing(role)
            return np.full(len(self), np.nan)
        stated = self.unit(name)
        if stated is None and default_unit:
            stated = units.parse(default_unit, name, self.path)
        found = values.numbers(self.cells(name), name, self.path)
        return units.convert(found, stated, unit, name, self.path, self.options.pixel_scale)

    def missing(self, role: str) -> InputError:
        """The error of a column that is needed and not there."""
        have = ", ".join(self.table.colnames)
        cure = f"Add it, or name the column that has it in catalog.columns; there are {have}"
        return InputError(self.path, f"no column {role!r}", cure)

    def _resolve(self, bands) -> dict[str, str | None]:
        """`catalog.columns`, checked: our names, and columns that exist."""
        fluxes = [self.options.flux_columns.format(band=band) for band in bands]
        errors = [f"{name}_err" for name in (*fluxes, *bands)]
        ours = [*NAMES, *OTHERS, *fluxes, *bands, *errors]
        for role, theirs in self.options.columns.items():
            if bands and role not in ours:
                near = difflib.get_close_matches(role, ours, n=1, cutoff=0.5)
                cure = f"Did you mean {near[0]!r}?" if near else f"Known are {', '.join(ours)}"
                raise InputError(
                    self.path, f"catalog.columns names {role!r}, which is no column of ours", cure
                )
            if theirs and not self.has(theirs):
                found = f"no column {theirs!r}, which catalog.columns gives for {role!r}"
                raise InputError(self.path, found, f"It has {', '.join(self.table.colnames)}")
        return dict(self.options.columns)
