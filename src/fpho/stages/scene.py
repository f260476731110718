"""Stage `scene`: the catalog of peaks becomes the first state of the scene; a first sky is measured on it."""

import logging

import numpy as np

from ..config import Config
from ..detect import has_gaps
from ..images import read_table
from ..layout import Layout
from ..scene import group, read_catalog, write_scene
from .detect import detect_initial, least_roi, measure_gaps
from .imagewise import measures_sky
from .inputs import catalog_of, images_of
from .skies import FIRST, gathered, image_names, measure_group, measure_skies
from .sky import write_first

log = logging.getLogger("fpho")


def bands_of(config: Config, images) -> list[str]:
    """Bands of a run, in order: the configuration's, or those of the table of exposures."""
    return list(config.bands) or list(dict.fromkeys(spec.band for spec in read_table(images)))


def run(config: Config, layout: Layout, cores: int = 1) -> None:
    """Write the initial scene, from the catalog or by detection in the images, and the first sky.

    The sky is measured by `cores` processes.
    """
    start(config, layout)
    names = image_names(config, layout, FIRST) if measures_sky(config) else []
    write_first(config, layout, measure_skies(config, layout, FIRST, names, cores))


def images(config: Config, layout: Layout, group: int, cores: int = 1) -> None:
    """Measure the first sky of a group of images."""
    measure_group(config, layout, "scene", FIRST, group, cores)


def gather(config: Config, layout: Layout) -> None:
    """Write the first sky from what all groups of images gave."""
    write_first(config, layout, gathered(config, layout, "scene", FIRST))


def start(config: Config, layout: Layout) -> None:
    """Write the initial scene, from the catalog or by detection in the images."""
    bands, catalog = bands_of(config, images_of(config, layout)), catalog_of(config, layout)
    if catalog is None:
        rows = detect_initial(config, layout, bands)
    else:
        options = config.catalog, least_roi(config, layout, bands)
        rows = read_catalog(catalog, bands, *options, complete=False)
        if np.any(has_gaps(rows, bands)):
            rows = measure_gaps(config, layout, rows, bands)
    valid = rows[rows["is_valid"]]
    sizes = np.bincount(group(valid["ra"], valid["dec"], valid["roi"]))
    log.info("%d sources in %d groups, the largest of %d", len(valid), len(sizes), max(sizes))
    write_scene(layout.scene("initial"), rows, bands)
