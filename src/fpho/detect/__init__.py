"""New sources: significant peaks in images with the known sources subtracted; starts of known ones."""

from .gaps import fill_gaps, has_gaps
from .ground import uneven_sky
from .locus import ALONE, stars_and_others, usable_stars
from .peaks import find_peaks
from .rows import add_new, detect_catalog, find_new
from .width import widest_core

__all__ = [
    "ALONE",
    "add_new",
    "detect_catalog",
    "fill_gaps",
    "find_new",
    "find_peaks",
    "has_gaps",
    "stars_and_others",
    "uneven_sky",
    "usable_stars",
    "widest_core",
]
