"""What cannot be in a catalog, named by the column and the source; and what is worth a word."""

import logging

import numpy as np

from ...errors import InputError
from ...geometry import unit_vectors
from ..grouping import chord
from .columns import Columns
from .shapes import Shape

log = logging.getLogger("fpho")
SAME_PLACE = 0.01  # arcsec


def check_positions(rows, columns: Columns) -> None:
    """Positions (deg) of `rows`, in place, also the first ones; right ascensions below 0 gain 360.

    Raises
    ------
    InputError
        For a valid source without a position, or out of range.
    """
    _check_frame(columns)
    for name in ("ra", "dec"):
        rows[name] = columns.numbers(name, "deg")
    valid, ra, dec = rows["is_valid"], rows["ra"], rows["dec"]
    for name, bad in (("ra", ~np.isfinite(ra)), ("dec", ~np.isfinite(dec))):
        _refuse(valid & bad, rows, f"column {columns.name(name)!r} is not finite", columns.path)
    if np.any(valid & (np.abs(dec) > 90)):
        found = f"a declination beyond 90 degrees in column {columns.name('dec')!r}"
        raise InputError(columns.path, found, "Columns ra and dec are in degrees")
    if np.any(valid & ((ra < -180) | (ra > 360))):
        found = f"a right ascension outside of 0 to 360 degrees in column {columns.name('ra')!r}"
        raise InputError(columns.path, found, "Columns ra and dec are in degrees")
    rows["ra"] = np.where(ra < 0, ra + 360, np.where(ra == 360, 0.0, ra))
    rows["ra0"], rows["dec0"] = rows["ra"], rows["dec"]


def _check_frame(columns: Columns) -> None:
    """Stop where the table's header says that its positions are of another equinox than 2000.

    Not where the columns' own names say J2000 or ICRS: then the header is that of an image.
    """
    name = str(columns.name("ra")).upper()
    meta = {str(key).upper(): value for key, value in columns.table.meta.items()}
    for key in ("RADESYS", "RADECSYS", "EQUINOX", "EPOCH"):
        said = str(meta.get(key, "")).strip().upper()
        if said.startswith("FK4") or said in ("1950", "1950.0", "B1950"):
            if "2000" not in name and "ICRS" not in name:
                cure = "Convert the positions to ICRS, or mend the header"
                raise InputError(columns.path, f"{key} = {meta[key]!r}: positions of equinox 1950", cure)


def check_shapes(shape: Shape, rows, path) -> None:
    """Stop where a galaxy's shape is known and cannot be.

    Raises
    ------
    InputError
        With the table's own name of the column.
    """
    galaxy = rows["is_valid"] & ~rows["is_point"]
    ranges = {"q": (0, 1), "rhalf": (0, np.inf), "sersic": (0, np.inf)}
    for name, (low, high) in ranges.items():
        values = getattr(shape, name)
        bad = galaxy & ((values <= low) | (values > high))
        if np.any(bad):
            value = values[bad][0] ** 2 if name == "q" and values[bad][0] > 0 else values[bad][0]
            what = "axis ratio" if name == "q" else name
            source = str(rows["id"][bad][0])
            found = f"column {shape.columns[name]!r}: {what} {value:.4g} of source {source!r} is out of range"
            cure = "Check the columns' meaning (catalog.convention) and units; a point source has type PSF"
            raise InputError(path, found, cure)


def check_values(rows, bands, path, complete: bool) -> None:
    """Stop where a valid source lacks a value that it must have.

    complete : fluxes and radii, too

    Raises
    ------
    InputError
        Naming the first source and how many there are.
    """
    for name in ("q", "pa", "sersic", *(("rhalf", *bands) if complete else ())):
        bad = rows["is_valid"] & ~np.isfinite(rows[name])
        _refuse(bad, rows, f"column {name!r} is not finite", path)


def _refuse(bad, rows, what: str, path) -> None:
    if np.any(bad):
        found = f"{what} for source {str(rows['id'][bad][0])!r}"
        raise InputError(path, f"{found} and {bad.sum() - 1} others", "Mend it, or set is_valid false")


def say_repeated(rows, path) -> None:
    """Warn of ids that stand several times, and of sources at the same place."""
    names, counts = np.unique(rows["id"], return_counts=True)
    if np.any(counts > 1):
        repeated = f"id {str(names[counts > 1][0])!r} stands {counts.max()} times"
        log.warning("%s: %s; sources are told apart by source_index", path, repeated)
    valid = rows[rows["is_valid"]]
    pairs = same_places(valid["ra"], valid["dec"])
    if len(pairs):
        first = " and ".join(repr(str(valid["id"][i])) for i in pairs[0])
        text = "%s: %d sources lie at the same place as another (%s): %s"
        log.warning(text, path, len(pairs), first, "their fluxes cannot be told apart, keep one of each")


def same_places(ra, dec) -> np.ndarray:
    """Sources with an earlier one within SAME_PLACE, (N, 2) indices: the earlier, and itself."""
    if len(ra) < 2:
        return np.zeros((0, 2), int)
    from scipy.spatial import cKDTree

    xyz = unit_vectors(ra, dec)
    apart, other = cKDTree(xyz).query(xyz, k=2)
    own = np.arange(len(xyz))
    other = np.where(other[:, 0] == own, other[:, 1], other[:, 0])
    pairs = np.stack([np.minimum(own, other), np.maximum(own, other)], axis=1)
    return np.unique(pairs[apart[:, 1] < chord(SAME_PLACE)], axis=0)
