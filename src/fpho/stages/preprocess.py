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
from .inputs import image_groups, images_of
from .mapping import grouped, of_bands, read_records, write_record

log = logging.getLogger("fpho")


def run(config: Config, layout: Layout, cores: int = 1) -> None:
    """Write a file for each image, and the index of each kind; a kind without images gets an empty one.

    Images are read by `cores` processes. A file that an earlier run has made of the same stays.
    """
    specs = chosen(config, layout)
    _write_indices(config, layout, prepared(config, layout, specs, cores))


def images(config: Config, layout: Layout, group: int = 0, cores: int = 1, only: str | None = None) -> None:
    """Write the files of the images of a group, and what the index says of them; `only`: of one image."""
    if only is not None:
        prepared(config, layout, [spec for spec in chosen(config, layout) if spec.id == only], cores)
        return
    some = _groups(config, layout)[group]
    entries = [asdict(entry) for entry in prepared(config, layout, some, cores)]
    path = layout.image_group("preprocess", group, image_groups(config, layout))
    write_record(path, [spec.id for spec in some], entries)


def gather(config: Config, layout: Layout) -> None:
    """Write the index of each kind from what all groups say."""
    names = [spec.id for spec in chosen(config, layout)]
    groups = [[spec.id for spec in some] for some in _groups(config, layout)]
    trees = read_records(layout, "preprocess", names, groups)
    _write_indices(config, layout, [ExposureEntry.of(tree) for tree in trees])


def _write_indices(config: Config, layout: Layout, entries: list[ExposureEntry]) -> None:
    for kind in KINDS:
        some = [entry for entry in entries if entry.kind == kind]
        log.info("%d images of kind %s", len(some), kind)
        write_index(layout.pixels(kind), layout.meta(kind), some, {"table": str(images_of(config, layout))})


def chosen(config: Config, layout: Layout) -> list[ExposureSpec]:
    """Rows of the table of exposures that the run uses."""
    return of_bands(read_table(images_of(config, layout)), config)


def _groups(config: Config, layout: Layout) -> list[list[ExposureSpec]]:
    """Those of each group."""
    return grouped(chosen(config, layout), config, layout)


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
