"""Stage `preprocess`: images to pixel and meta stores, mosaics and exposures apart."""

import logging
from pathlib import Path

from ..config import Config
from ..files import checksum
from ..images import ExposureSpec, read_exposure, read_table, write_store
from ..layout import KINDS, Layout
from .inputs import images_of

log = logging.getLogger("fpho")


def run(config: Config, layout: Layout, kinds=KINDS) -> None:
    """Read the exposures of each kind and write its stores; a kind without images gets empty ones."""
    table = images_of(config, layout)
    specs = [spec for spec in read_table(table) if not config.bands or spec.band in config.bands]
    for kind in kinds:
        chosen = [spec for spec in specs if spec.kind == kind]
        log.info("%d images of kind %s", len(chosen), kind)
        provenance = {
            "config": config.preprocess.model_dump(mode="json"),
            "table": str(table),
            "sha256": {str(path): checksum(path) for path in _files(chosen)},
        }
        write_store(layout.pixels(kind), layout.meta(kind), _read(chosen, config), provenance)


def _files(specs: list[ExposureSpec]) -> list[Path]:
    """All files that the rows name, once each."""
    paths = {path for s in specs for path in (s.path, s.unc_path, s.mask_path, s.background_path) if path}
    return sorted(path for path in paths if path.is_file())


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
