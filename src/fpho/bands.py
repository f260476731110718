"""Names of bands: they become columns, keywords, and variables of files, so that some cannot be one."""

import re
from functools import cache

from .errors import InputError
from .fitstext import escaped

LONGEST = 26  # characters in FITS, where the name of a column, such as a colour's error, has 68
SUFFIX = re.compile(r"_(err|mag|mag_err|p\d[\d_]*|aper_.*)")  # of columns that tables derive from a flux
CURE = "Rename it in the table of exposures, the table of PSFs and the catalog"


def check_bands(bands, where) -> None:
    """Stop at a name that is no band's, before anything is measured.

    Raises
    ------
    InputError
        With the name and what is wrong with it.
    """
    for band in bands:
        fault = _fault(band, set(bands))
        if fault:
            raise InputError(where, f"band {band[:60]!r} {fault}", CURE)


def _fault(band: str, bands: set[str]) -> str:
    if len(escaped(band)) > LONGEST:
        return f"is longer than {LONGEST} characters (an accented or Greek one counts as 6)"
    if not band.isprintable() or any(sign in band for sign in ",/") or band in (".", ".."):
        return "holds a comma, a slash or a character that is not printable"
    if band in _reserved() or band.startswith("colour_"):
        return "is also the name of a column of the results"
    shared = [other for other in bands if band.startswith(other) and SUFFIX.fullmatch(band[len(other) :])]
    return f"is also the name of a column of band {shared[0]!r}" if shared else ""


@cache
def _reserved() -> set[str]:
    """Columns of the results. Names are imported only now: a configuration without bands needs no numpy."""
    from .parameters import BOOKKEEPING, POSITION_COLS, SHAPE_COLS

    return {
        *(name for name, _ in BOOKKEEPING),
        *(*POSITION_COLS, *SHAPE_COLS, "axis_ratio", "position_angle", "rhalf_major", "type"),
        *("patch", "n_draws", "n_chains", "rhat", "ess", "chi2", "chi2_pixels", "misfit", "flux_cov"),
        *("chain", "draw", "source", "background", "exposure"),
    }
