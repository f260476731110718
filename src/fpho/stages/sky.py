"""Part of the stage `scene`: a first sky of each image, before any source is fitted."""

import logging

import numpy as np

from ..background import sky_table, write_tweakbg
from ..background.table import DTYPE
from ..config import Config
from ..layout import Layout
from .imagewise import measures_sky
from .skies import skies_of

log = logging.getLogger("fpho")


def write_first(config: Config, layout: Layout, values: list[dict]) -> None:
    """Write `layout.first_sky`, a row for each image that optimization or sampling uses; empty without any.

    values : what `skies.measure` gives
    """
    options = config.background
    table, why = np.zeros(0, DTYPE), "not measured: background.tweakbg is given or background.mode is another"
    if measures_sky(config):
        table = sky_table(skies_of(values), options.nsigma)
        why = f"first sky, used from {options.nsigma:g} sigma on"
    write_tweakbg(layout.first_sky, table, why)
    for row in table[table["used"]]:
        log.info(
            "%s (%s): first sky %.4g +- %.2g nJy per pixel, %.1f sigma, subtracted",
            *(row[name] for name in ("exposure", "band", "constant", "error", "significance")),
        )
