"""Stage `psf`: PSF images to the store of mixtures, with figures of merit and pictures."""

import logging
import shutil
import warnings

import h5py
import numpy as np
from astropy.table import Table

from ..config import Config
from ..files import atomic
from ..layout import Layout
from ..psf import PSFStore, fit_locations, write_store
from ..psf.inputs import images_by_key, read_psf_table
from .inputs import resolve

LOG = logging.getLogger("fpho")


def run(config: Config, layout: Layout) -> None:
    """Write `layout.psf_store`, `layout.psf_quality` and the pictures in `layout.psf_plots`."""
    source = resolve(config, layout).psfs
    layout.psf_plots.mkdir(parents=True, exist_ok=True)
    if source.is_file() and h5py.is_hdf5(source):
        _copy(source, layout)
        return
    options = config.psf
    groups = {}
    for key, images in images_by_key(read_psf_table(source), options.center).items():
        fits = fit_locations(images, options.n_components, options.max_components)
        locations = [image.location for image in images] if len(images) > 1 else None
        groups[key] = np.stack([fit.mixture for fit in fits]), locations, [fit.quality for fit in fits]
        _report(key, fits)
    write_store(layout.psf_store, groups)
    _write_quality(layout.psf_quality, groups)


def _copy(source, layout):
    """A store given by the user: validated by reading it, and copied as it is."""
    PSFStore(source)
    with atomic(layout.psf_store) as temporary:
        shutil.copyfile(source, temporary)
    _write_quality(layout.psf_quality, {})


def _report(key, fits):
    for fit in fits:
        q = fit.quality
        text = ", ".join(
            f"{name} {q[name]:+.4f}" for name in ("encircled_energy", "point_flux", "galaxy_flux")
        )
        LOG.info("PSF %s: %d components, %s", key, len(fit.mixture), text)
        if q["poor"]:
            warnings.warn(f"PSF {key}: the mixture misses its limits ({text})", stacklevel=2)


def _write_quality(path, groups):
    rows = [
        {"key": key, "location": i} | quality
        for key, (_, _, all_q) in groups.items()
        for i, quality in enumerate(all_q)
    ]
    with atomic(path) as temporary:
        Table(rows).write(temporary, format="ascii.ecsv", overwrite=True)
