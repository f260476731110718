"""Stage `background`: the residual background of each image, from the optimized scene."""

import logging

import numpy as np

from ..background import (
    check_exposures,
    continued,
    read_tweakbg,
    sky_table,
    write_tweakbg,
)
from ..background.table import DTYPE
from ..config import Config
from ..errors import InputError
from ..images import open_chosen
from ..layout import Layout
from . import register
from .imagewise import measures_sky
from .skies import LATER, gathered, image_names, measure_group, measure_skies, skies_of
from .sky_inputs import read_first

log = logging.getLogger("fpho")
WHY_NOT = {
    "off": "background.mode: off; no background was fitted",
    "in_fit": "background.mode: in_fit; a constant of each exposure is fitted together with the sources",
}


def run(config: Config, layout: Layout, cores: int = 1) -> None:
    """Write `layout.background` and `layout.registration`: a row for each image that optimization or
    sampling uses. Images are shared by `cores` processes.

    With `background.tweakbg` that table is checked and copied, and nothing is fitted.

    Raises
    ------
    InputError
        If the given table names an unknown image, or a plane is asked for per band.
    """
    start(config, layout)
    if not measures_sky(config):
        _write_unfitted(config, layout)
        return
    names = image_names(config, layout, LATER)
    _write_fitted(config, layout, measure_skies(config, layout, LATER, names, cores))


def start(config: Config, layout: Layout) -> None:
    """Write `layout.registration`, which backgrounds are fitted with."""
    if config.background.mode == "plane" and config.background.per == "band" and measures_sky(config):
        cure = "Set background.per: exposure, or background.mode: constant"
        raise InputError("configuration", "a plane belongs to one exposure, not to a band", cure)
    register.run(config, layout, (config.optimize.on, config.sample.on))


def images(config: Config, layout: Layout, group: int, cores: int = 1) -> None:
    """Fit the backgrounds of a group of images."""
    measure_group(config, layout, "background", LATER, group, cores)


def gather(config: Config, layout: Layout) -> None:
    """Write `layout.background` from what all groups of images gave."""
    _write_fitted(config, layout, gathered(config, layout, "background", LATER))


def _write_unfitted(config: Config, layout: Layout) -> None:
    options = config.background
    if options.tweakbg:
        table, comment = given(layout, options.tweakbg), f"copied from {options.tweakbg}"
    else:
        on = (config.optimize.on, config.sample.on)
        table, comment = unused(layout, on), WHY_NOT[options.mode]
    write_tweakbg(layout.background, table, comment)
    report(table, comment)


def _write_fitted(config: Config, layout: Layout, values: list[dict]) -> None:
    """Backgrounds from the residuals of all images on top of the first sky.

    Those below the threshold are not used; where nothing can be fitted, the first sky stays.
    """
    options = config.background
    table = sky_table(skies_of(values), options.nsigma, options.per)
    table = continued(read_first(layout), table)
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


def report(table: np.ndarray, comment: str) -> None:
    """Log the table."""
    log.info("background: %s", comment)
    for row in table:
        log.info(
            "%s (%s): %.4g +- %.2g nJy per pixel, %.1f sigma, %s",
            *(row[name] for name in ("exposure", "band", "constant", "error", "significance")),
            "subtracted" if row["used"] else "not used",
        )
