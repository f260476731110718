"""Stage `preprocess`: images to stores, a file for each; mosaics and exposures apart."""

import logging
from dataclasses import asdict
from pathlib import Path

from ..codehash import code_hash
from ..config import Config
from ..files import checksum
from ..images import (
    ExposureEntry,
    ExposureSpec,
    file_of,
    kept_exposure,
    read_exposure,
    read_table,
    write_exposure,
    write_index,
)
from ..layout import KINDS, Layout
from ..workers import results
from .inputs import images_of

log = logging.getLogger("fpho")


def run(config: Config, layout: Layout, cores: int = 1) -> None:
    """Write a file for each image, and the index of each kind; a kind without images gets an empty one.

    Images are read by `cores` processes. A file that an earlier run has made of the same stays.
    """
    specs = chosen(config, layout)
    entries = prepared(config, layout, specs, cores)
    for kind in KINDS:
        some = [entry for entry in entries if entry.kind == kind]
        log.info("%d images of kind %s", len(some), kind)
        write_index(layout.pixels(kind), layout.meta(kind), some, {"table": str(images_of(config, layout))})


def chosen(config: Config, layout: Layout) -> list[ExposureSpec]:
    """Rows of the table of exposures that the run uses."""
    specs = read_table(images_of(config, layout))
    return [spec for spec in specs if not config.bands or spec.band in config.bands]


def prepared(config: Config, layout: Layout, specs: list[ExposureSpec], cores: int) -> list[ExposureEntry]:
    """What the index says of each image, once its file is there."""
    code, options = code_hash(__name__), config.preprocess.model_dump(mode="json")
    work = [
        (file_of(layout.pixels(spec.kind), spec.id), spec, config.preprocess, code, options) for spec in specs
    ]
    found: dict[int, ExposureEntry] = {}
    names = [f"image {spec.id}" for spec in specs]
    for key, entry in results(prepare, work, cores, names=names, preload=[__name__]):
        found[key] = entry
        size = entry.shape[::-1]
        text = "%s: %s, %d x %d pixels, %.1f%% good, noise scale %.3f"
        log.info(text, entry.id, entry.band, *size, 100 * entry.good, entry.noise_scale)
    return [found[key] for key in range(len(specs))]


def prepare(path: Path, spec: ExposureSpec, options, code: str, values: dict) -> ExposureEntry:
    """What the index says of an image; its file is written, unless it is there and made of the same."""
    provenance = {
        "row": {name: str(value) for name, value in asdict(spec).items()},
        "config": values,
        "code": code,
        "sha256": {str(one): checksum(one) for one in _files(spec)},
    }
    known = kept_exposure(path, provenance)
    return known or write_exposure(path, read_exposure(spec, options), provenance)


def _files(spec: ExposureSpec) -> list[Path]:
    """All files that a row names, once each."""
    paths = {path for path in (spec.path, spec.unc_path, spec.mask_path, spec.background_path) if path}
    return sorted(path for path in paths if path.is_file())
