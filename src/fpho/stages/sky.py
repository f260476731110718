"""Part of the stage `scene`: a first sky of each image, before any source is fitted."""

import logging

import numpy as np

from ..background import first_sky, read_tweakbg, sky_table, write_tweakbg
from ..background.table import DTYPE
from ..config import Config
from ..layout import Layout
from .sky_inputs import images_with_models

log = logging.getLogger("fpho")
MODES = ("constant", "plane")  # of `background.mode`, in which the sky is measured apart from the sources


def run(config: Config, layout: Layout, rows: np.ndarray, bands) -> None:
    """Write `layout.first_sky`, a row for each image that optimization or sampling uses.

    Nothing is measured, and the table is empty, where a table of backgrounds is given or the mode is another.
    """
    options = config.background
    table, why = np.zeros(0, DTYPE), "not measured: background.tweakbg is given or background.mode is another"
    if options.mode in MODES and not options.tweakbg:
        on = (config.optimize.on, config.sample.on)
        valid = rows[rows["is_valid"]]
        images = images_with_models(config, layout, valid, bands, on)
        skies = [first_sky(exposure, model, valid) for exposure, model in images]
        table, why = sky_table(skies, options.nsigma), f"first sky, used from {options.nsigma:g} sigma on"
    write_tweakbg(layout.first_sky, table, why)
    for row in table[table["used"]]:
        log.info(
            "%s (%s): first sky %.4g +- %.2g nJy per pixel, %.1f sigma, subtracted",
            *(row[name] for name in ("exposure", "band", "constant", "error", "significance")),
        )


def read_first(layout: Layout) -> np.ndarray:
    """The first sky of a run; empty where none was measured."""
    return read_tweakbg(layout.first_sky) if layout.first_sky.is_file() else np.zeros(0, DTYPE)
