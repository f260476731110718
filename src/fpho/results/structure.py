"""How much of the light of a field's galaxies no smooth profile describes, learnt from those where it shows.

Arms and knots leave patterns that grow with a galaxy's light: their mean square in units of the noise is that
of the light itself (`Patterns.leverage`) times a share, and that share is much alike from galaxy to galaxy.
Bright ones tell it; in faint ones the noise hides the patterns, but not what they did to fluxes and sizes. So
the share is taken from the bright ones, and counts as an expectation for all (empirical Bayes). It is 0 in a
field of smooth galaxies, and where too few are bright enough.
"""

from pathlib import Path

import numpy as np

from .. import tables
from ..files import write_text
from ..tables import Column, number
from .misfit import SCALES, Patterns

TELLING = 0.01  # standard error of a galaxy's share: those that tell
FEWEST = 8  # of them
STEP = 1.25  # shares are rounded to powers of it: a few more galaxies leave all draws of a field as they are
SMALLEST = 1e-5  # share that is taken for none
HEADER = """\
# Share of galaxies' light, squared, in patterns that their models leave, by band and scale (sigma of a
# Gaussian, pixels), and the number of galaxies that it was learnt from. Errors of all galaxies grow by what
# it makes expected.
"""
READ = [
    Column("band", needed=True),
    Column("scale", number, needed=True),
    Column("share", number, needed=True),
    Column("galaxies", number, default=0.0),
]


def telling(left: Patterns) -> tuple:
    """Of each of S sources (share, its standard error), lists (K, B), or nothing where all is noise."""
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(left.leverage > 0, left.excess / left.leverage, 0.0)
        error = np.where(left.leverage > 0, np.sqrt(left.chance) / left.leverage, np.inf)
    return tuple(
        (one.tolist(), np.minimum(its, 1e9).tolist()) if np.any(its < TELLING) else ()
        for one, its in zip(share, error, strict=True)
    )


def learnt(entries, n_bands: int) -> tuple[np.ndarray, np.ndarray]:
    """(shares (K, B), galaxies (K, B) that tell them) from what `telling` gave for the sources of a field.

    The median, less its standard error: half of the galaxies may have anything else in them.
    """
    known = [entry for entry in entries if len(entry)]
    shape = (len(known), len(SCALES), n_bands)
    share, error = (np.array([entry[k] for entry in known], "f8").reshape(shape) for k in (0, 1))
    out, count = np.zeros(shape[1:]), np.sum(error < TELLING, axis=0)
    for k, b in np.argwhere(count >= FEWEST):
        some = share[:, k, b][error[:, k, b] < TELLING]
        middle = np.median(some)
        spread = 1.4826 * np.median(np.abs(some - middle))
        out[k, b] = middle - 1.2533 * spread / np.sqrt(len(some))
    steps = np.round(np.log(np.maximum(out, SMALLEST)) / np.log(STEP))
    return np.where(out > SMALLEST, STEP**steps, 0.0), count


def write_structure(path, bands, shares: np.ndarray, counts: np.ndarray) -> None:
    """A table (TSV) of `learnt`; a user may edit it."""
    lines = ["\t".join(column.name for column in READ)]
    for b, band in enumerate(bands):
        lines += [f"{band}\t{scale}\t{shares[k, b]:.6g}\t{counts[k, b]}" for k, scale in enumerate(SCALES)]
    write_text(path, HEADER + "\n".join(lines) + "\n", seal=True)


def read_structure(path: str | Path, bands) -> np.ndarray | None:
    """Shares (K, B), 0 where the table says nothing; None if there is no table, or nothing in it.

    Raises
    ------
    InputError
        If a value is no number.
    DamagedError
        If the file is not what was written, and nobody edited it.
    """
    if not path or not Path(path).is_file():
        return None
    rows = tables.read_table(path, READ, "table of galaxies' structure", "Run `fpho postop` again")
    found = {(row["band"], row["scale"]): row["share"] for row in rows}
    shares = np.array([[found.get((band, scale), 0.0) for band in bands] for scale in SCALES])
    return shares if shares.any() else None
