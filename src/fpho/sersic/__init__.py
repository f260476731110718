"""Sersic profiles as sums of Gaussians, with derivatives: the shipped table, and older ones."""

from pathlib import Path

import h5py

from ..errors import UNREADABLE, InputError
from ..hdf5 import verify
from .older import NAMES as OLDER_NAMES
from .older import FixedWidthTable, read_older
from .table import MixtureTable, read_table, write_table

__all__ = ["DEFAULT_PATH", "FixedWidthTable", "MixtureTable", "check_bounds", "load_table", "write_table"]

DEFAULT_PATH = Path(__file__).parent / "data" / "mixtures.h5"


def load_table(path="default"):
    """The table at `path`, or the shipped one: an object with `evaluate(n, rhalf, is_point)`.

    Raises
    ------
    InputError
        If there is no such file, or it has neither of the two layouts.
    """
    path = DEFAULT_PATH if str(path) == "default" else Path(path)
    if not path.is_file():
        raise InputError(path, "no such Sersic table", "Give `default`, or the path of a table (HDF5)")
    if not h5py.is_hdf5(path):
        raise InputError(path, "not an HDF5 file", "Give `default`, or the path of a Sersic table (HDF5)")
    verify(path)
    try:
        with h5py.File(path, "r") as file:
            older = all(name in file for name in OLDER_NAMES)
            ours = file.attrs.get("layout") == "scale-free"
            found = sorted(file)
    except UNREADABLE as error:
        cure = "Give `default`, or the path of a Sersic table (HDF5)"
        raise InputError(path, f"cannot be read ({error})", cure) from None
    if not (older or ours):
        cure = f"A table has weights and log_widths, or {', '.join(OLDER_NAMES)}"
        raise InputError(path, f"datasets {found}: not a Sersic table", cure)
    return read_older(path) if older else read_table(path)


def check_bounds(table, sersic_range, rhalf_range, where="configuration") -> None:
    """Stop when the allowed ranges of n or rhalf (arcsec) leave the table, where it has no derivative.

    Raises
    ------
    InputError
        Naming the range and what the table covers.
    """
    wanted = {"sersic_range": (sersic_range, table.n_range), "rhalf_range": (rhalf_range, table.rhalf_range)}
    for name, ((low, high), (first, last)) in wanted.items():
        if low < first - 1e-6 or high > last + 1e-6:
            found = f"bounds.{name} = ({low:g}, {high:g}) leaves the Sersic table's ({first:g}, {last:g})"
            raise InputError(where, found, "Narrow it, or use the table `default`")
