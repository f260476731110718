"""Residual background: its table, its subtraction, and its fit to residual images."""

from .first import changed, continued, first_sky
from .fit import Sky, fit_background, sky_table
from .table import apply_background, background_value, check_exposures, read_tweakbg, write_tweakbg

__all__ = [
    "Sky",
    "apply_background",
    "background_value",
    "changed",
    "check_exposures",
    "continued",
    "first_sky",
    "fit_background",
    "read_tweakbg",
    "sky_table",
    "write_tweakbg",
]
