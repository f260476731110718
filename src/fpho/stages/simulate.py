"""Stage `simulate`: draw a built-in scene with known truth."""

import logging

from ..config import Config
from ..errors import InputError
from ..layout import Layout
from ..simulate import write_field, write_scene


def run(config: Config, layout: Layout) -> None:
    """Write images, PSF images, tables, peak catalog and truth under `layout.simulation`."""
    if config.simulate.scene == "none":
        raise InputError(
            "simulate.scene", "no scene is chosen", "Set it to `example`, `isolated`, `tiny` or `field`"
        )
    if config.simulate.scene == "field":
        bands = config.simulate.field.bands
        truth, images = write_field(config.simulate.field, layout.simulation, config.seed)
    else:
        scene = write_scene(config.simulate.scene, layout.simulation, config.seed)
        truth, images, bands = scene.truth, scene.pointings, scene.bands
    logging.getLogger("fpho").info(
        "drew %d sources in %d images of %s", len(truth), len(images), ", ".join(bands)
    )
