"""Stage `psf`: PSF images to the store of mixtures, with figures of merit and pictures."""

import logging
import re
import warnings
from functools import partial
from pathlib import Path

import h5py
import numpy as np
from astropy.table import Table

from .. import hdf5
from ..config import Config
from ..extras import installed
from ..files import atomic
from ..images import read_table
from ..layout import Layout
from ..psf import PSFStore, fit_locations, write_store
from ..psf.build import as_group
from ..psf.inputs import as_row, images_by_key, read_psf_table
from ..workers import mapped
from .inputs import from_stars, images_of, psfs_of

REPORTED = ("pixel", "quadrant", "ring", "centroid", "point_flux", "galaxy_flux_1")
LOG = logging.getLogger("fpho")


def run(config: Config, layout: Layout, cores: int = 1) -> None:
    """Write `layout.psf_store`, `layout.psf_quality` and the pictures in `layout.psf_plots`.

    PSFs are fitted in `cores` processes; each mixture depends on its own images alone.
    """
    source = _of_stars(config, layout, cores) if from_stars(config) else psfs_of(config, layout)
    layout.psf_plots.mkdir(parents=True, exist_ok=True)
    if source.is_file() and h5py.is_hdf5(source):
        _copy(source, layout)
        return
    options, groups = config.psf, {}
    images = images_by_key(read_psf_table(source, options.center))
    names = ("n_components", "max_components", "remainder")
    fit = partial(fit_locations, **{name: getattr(options, name) for name in names})
    for key, fits in zip(images, mapped(fit, zip(images.values()), cores), strict=True):
        groups[key] = as_group(fits)
        _report(key, fits, layout)
    write_store(layout.psf_store, groups)
    rows = [
        {"key": key, "location": i} | q
        for key, (_, _, all_q, *_) in groups.items()
        for i, q in enumerate(all_q)
    ]
    _write_quality(layout, rows)


def _of_stars(config: Config, layout: Layout, cores: int) -> Path:
    """Table of PSFs made from the stars of the images that have none; pictures beside it."""
    from ..stars import groups_without_psf, make_psfs

    given = (
        []
        if config.psfs is None
        else [as_row(*row) for row in read_psf_table(config.psfs, config.psf.center)]
    )
    specs = [
        spec
        for spec in read_table(images_of(config, layout))
        if spec.band in config.bands or not config.bands
    ]
    groups = groups_without_psf(specs, [row["key"] for row in given], config.psf.per)

    def each(function, items):
        return mapped(function, zip(items), cores)

    return make_psfs(groups, config.psf, config.preprocess, given, layout.star_psfs, each)


def _copy(source, layout):
    """A store given by the user: validated by reading it, and copied."""
    store = PSFStore(source)
    _write_quality(layout, [{"key": key, "location": 0} | store.quality(key) for key in store.keys()])
    hdf5.copy(source, layout.psf_store, "Give the path of a PSF store (HDF5)")


def _report(key, fits, layout):
    """Say how well each location does, and draw it where there is something to draw with."""
    from ..psf.plots import plot_psf

    for i, fit in enumerate(fits):
        place = "" if len(fits) == 1 else " at ({:g}, {:g})".format(*fit.image.location)
        name, q = f"{key}{place}", fit.quality
        text = ", ".join(f"{part} {q[part]:+.4f}" for part in REPORTED)
        LOG.info("PSF %s: %d components, %s", name, len(fit.mixture), text)
        if q["poor"]:
            warnings.warn(f"PSF {name}: the mixture misses its limits ({text})", stacklevel=2)
        if installed("matplotlib"):
            plot_psf(layout.psf_plots / f"{re.sub(r'[^A-Za-z0-9_.-]+', '_', key)}_{i}.png", name, fit)


def _write_quality(layout, rows):
    """Figures of merit as ECSV, a row per PSF and location."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    table = Table({name: [row.get(name, np.nan) for row in rows] for name in names})
    with atomic(layout.psf_quality) as temporary:
        table.write(temporary, format="ascii.ecsv", overwrite=True)
