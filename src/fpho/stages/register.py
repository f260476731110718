"""Part of the stage `background`: the shift of each exposure's WCS, from the optimized scene."""

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..config import Config
from ..files import write_text
from ..layout import Layout
from ..patch import render
from ..psf import PSFStore
from ..registration import measure_shift, read_shifts, shift_table, write_shifts
from ..scene import read_scene
from ..sersic import load_table
from .sky_inputs import images, read_first

log = logging.getLogger("fpho")


def run(config: Config, layout: Layout, on: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Write `layout.registration`; the shifts (pixels) of the exposures that are to be moved."""
    options = config.registration
    if options.table:
        shifts = read_shifts(options.table)
        write_text(layout.registration, Path(options.table).read_text(), seal=True)
        return shifts
    rows = measured(config, layout, on) if options.mode == "measure" else []
    comment = (
        f"mode {options.mode}, used from {options.nsigma:g} sigma on; pixel = pixel of the WCS + (dx, dy)"
    )
    write_shifts(layout.registration, rows, comment)
    for row in rows:
        state = "used" if row["used"] else "not used"
        log.info("%s: moved by (%.3f, %.3f) pixel, %.1f sigma, %s", *_values(row), state)
    return read_shifts(layout.registration)


def measured(config: Config, layout: Layout, on: tuple[str, ...]) -> list[dict]:
    """Shifts of all images that optimization or sampling uses."""
    rows, bands, _ = read_scene(layout.scene("optimize"))
    psfs, table = PSFStore(layout.psf_store), load_table(layout.sersic_table)
    found = []
    for exposure in images(layout, bands, on, read_first(layout)):

        def draw(wcs, exposure=exposure):
            moved = replace(exposure, wcs=wcs)
            return render(rows, moved, psfs, table, bands, config.psf.interpolation)

        found.append((exposure, *measure_shift(exposure, draw, largest=config.registration.largest)))
    centre = np.median(rows["ra"]), np.median(rows["dec"])
    return shift_table(found, *centre, config.registration.nsigma)


def _values(row: dict):
    return tuple(row[name] for name in ("exposure", "dx", "dy", "significance"))
