"""Inputs of the run on images with simulated sources: images, tables, peak catalog."""

import logging
from dataclasses import fields
from pathlib import Path

import numpy as np

from ..config import Catalog, Config
from ..errors import InputError
from ..images import ExposureSpec, read_table
from ..scene import read_catalog
from ..simulate import perturbed, write_table
from ..simulate.writing import CATALOG_COLS
from ..tables import write_tsv
from .sources import TruePSFs, inject_image

log = logging.getLogger("fpho")
PREFIX = "inj-"


def read_injected(config: Config, bands) -> np.ndarray:
    """Scene rows (S,) of the catalog to inject: fluxes in nJy, shapes as in any catalog of fpho.

    Raises
    ------
    InputError
        If none is given.
    """
    if not config.inject.catalog:
        cure = "Give a catalog of sources (ra, dec, fluxes, rhalf, sersic, axis_ratio, position_angle)"
        raise InputError("inject.catalog", "no catalog is given", cure)
    options = Catalog(convention=config.catalog.convention)
    rows = read_catalog(config.inject.catalog, bands, options, config.patches.default_roi)
    if len(rows) and max(map(len, rows["id"])) + len(PREFIX) > 32:
        raise InputError(config.inject.catalog, "an id has more than 28 characters", "Shorten it")
    rows["id"] = np.char.add(PREFIX, rows["id"])
    return rows


def write_images(config: Config, images, psfs, rows, folder) -> np.ndarray:
    """Write the images and their table; S/N (S, B) of each source in all images of a band together."""
    options, folder = config.inject, Path(folder)
    specs = [spec for spec in read_table(images) if not config.bands or spec.band in config.bands]
    bands = list(config.bands) or list(dict.fromkeys(spec.band for spec in specs))
    true_psfs = TruePSFs(psfs, config.psf.center)
    snr2, cells = np.zeros((len(rows), len(bands))), []
    for number, spec in enumerate(specs):
        if options.on not in ("all", spec.kind):
            cells.append(_cells(spec))
            continue
        rng = np.random.default_rng([config.seed, 2000, number])
        added = inject_image(spec, rows, true_psfs, options, config.preprocess, folder / "images", rng)
        log.info("%s: %d sources added", spec.id, np.count_nonzero(added.snr2))
        snr2[:, bands.index(spec.band)] += added.snr2
        cells.append(_cells(added.spec))
    write_tsv(folder / "exposures.tsv", cells)
    return np.sqrt(snr2)


def _cells(spec: ExposureSpec) -> dict:
    """A row of the table as text, paths absolute."""
    out = {}
    for field in fields(ExposureSpec):
        value = getattr(spec, field.name)
        value = value.resolve() if isinstance(value, Path) else value
        value = ",".join(map(str, value)) if isinstance(value, tuple) else value  # name and EXTVER
        out[field.name] = "" if value is None else str(value)
    return out


def write_catalog(config: Config, catalog, rows, bands, path) -> None:
    """The peak catalog: the user's, and the simulated sources as a detection would list them."""
    base = read_catalog(catalog, bands, config.catalog, config.patches.default_roi, complete=False)
    if config.inject.listed:
        rng = np.random.default_rng([config.seed, 2001])
        peaks = perturbed(rows, bands, rng, config.inject.position_scatter, config.inject.flux_scatter)
        base = np.concatenate([base, peaks])
    write_table(path, base, list(bands), {"SEED": config.seed}, columns=CATALOG_COLS)
