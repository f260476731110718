"""Stage `background`: the residual background of each image, from the optimized scene."""

import logging

import numpy as np

from ..background import (
    check_exposures,
    continued,
    fit_background,
    read_tweakbg,
    sky_table,
    write_tweakbg,
)
from ..background.table import DTYPE
from ..config import Config
from ..errors import InputError
from ..images import open_chosen
from ..layout import Layout
from ..scene import read_scene
from . import register
from .sky import read_first
from .sky_inputs import images_with_models

log = logging.getLogger("fpho")
WHY_NOT = {
    "off": "background.mode: off; no background was fitted",
    "in_fit": "background.mode: in_fit; a constant of each exposure is fitted together with the sources",
}


def run(config: Config, layout: Layout) -> None:
    """Write `layout.background` and `layout.registration`: a row for each image that optimization or
    sampling uses.

    With `background.tweakbg` that table is checked and copied, and nothing is fitted.

    Raises
    ------
    InputError
        If the given table names an unknown image, or a plane is asked for per band.
    """
    options = config.background
    on = (config.optimize.on, config.sample.on)
    shifts = register.run(config, layout, on)
    if options.tweakbg:
        table, comment = given(layout, options.tweakbg), f"copied from {options.tweakbg}"
    elif options.mode in WHY_NOT:
        table, comment = unused(layout, on), WHY_NOT[options.mode]
    else:
        table = fitted(config, layout, on, shifts)
        comment = f"mode {options.mode}, per {options.per}, used from {options.nsigma:g} sigma on"
    write_tweakbg(layout.background, table, comment)
    report(table, comment)


def given(layout: Layout, path) -> np.ndarray:
    """A user's table, checked against the images of this run."""
    table = read_tweakbg(path)
    check_exposures(table, [name for store in open_chosen(layout, "all") for name in store.ids], path)
    return table


def unused(layout: Layout, on) -> np.ndarray:
    """A table in which no image has a background."""
    names = [(name, store.band(name)) for store in open_chosen(layout, *on) for name in store.ids]
    table = np.zeros(len(names), DTYPE)
    table["error"] = np.nan
    for row, (name, band) in zip(table, names, strict=True):
        row["exposure"], row["band"] = name, band
    return table


def fitted(config: Config, layout: Layout, on, shifts=None) -> np.ndarray:
    """Backgrounds from the residuals of all images on top of the first sky.

    Those below the threshold are not used; where nothing can be fitted, the first sky stays.
    """
    options = config.background
    if options.mode == "plane" and options.per == "band":
        cure = "Set background.per: exposure, or background.mode: constant"
        raise InputError("configuration", "a plane belongs to one exposure, not to a band", cure)
    rows, bands, _ = read_scene(layout.scene("optimize"))
    first = read_first(layout)
    pairs = images_with_models(config, layout, rows, bands, on, first, shifts)
    skies = [fit_background(exposure, model, options.mode) for exposure, model in pairs]
    return continued(first, sky_table(skies, options.nsigma, options.per))


def report(table: np.ndarray, comment: str) -> None:
    """Log the table."""
    log.info("background: %s", comment)
    for row in table:
        log.info(
            "%s (%s): %.4g +- %.2g nJy per pixel, %.1f sigma, %s",
            *(row[name] for name in ("exposure", "band", "constant", "error", "significance")),
            "subtracted" if row["used"] else "not used",
        )
