"""Stage `preprocess`: images to pixel and meta stores, mosaics and exposures apart."""

import logging

from ..config import Config
from ..images import ExposureSpec, read_exposure, read_table, write_store
from ..images.table import KINDS
from ..layout import Layout
from .inputs import resolve

log = logging.getLogger("fpho")


def run(config: Config, layout: Layout, kinds=KINDS) -> None:
    """Read the exposures of each kind and write its stores; a kind without images gets empty ones."""
    table = resolve(config, layout).images
    specs = [spec for spec in read_table(table) if not config.bands or spec.band in config.bands]
    for kind in kinds:
        chosen = [spec for spec in specs if spec.kind == kind]
        log.info("%d images of kind %s", len(chosen), kind)
        provenance = {"config": config.preprocess.model_dump(mode="json"), "table": str(table)}
        write_store(layout.pixels(kind), layout.meta(kind), _read(chosen, config), provenance)


def _read(specs: list[ExposureSpec], config: Config):
    for spec in specs:
        exposure = read_exposure(spec, config.preprocess)
        good = (exposure.ierr > 0).mean()
        log.info(
            "%s: %s, %d x %d pixels, %.1f%% good, noise scale %.3f",
            spec.id,
            spec.band,
            *exposure.data.shape[::-1],
            100 * good,
            exposure.noise_scale,
        )
        yield exposure
