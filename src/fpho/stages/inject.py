"""Stage `inject`: simulated sources into the run's images, the chosen stages again, and a report."""

import logging
import shutil
from dataclasses import replace

from ..config import Config
from ..errors import InputError
from ..files import atomic
from ..inject import read_injected, source_table, write_catalog, write_images, write_report
from ..layout import Layout
from ..scene import read_scene
from .inputs import from_stars, resolve
from .registry import STAGES
from .running import run_stage
from .scene import bands_of

log = logging.getLogger("fpho")


def run(config: Config, layout: Layout, cores: int = 1) -> None:
    """Write images, tables and catalog under `layout.injection`, run the stages in its folder `run`, report.

    Raises
    ------
    InputError
        If a stage is not known, or the inputs lack something.
    """
    stages = config.inject.stages
    known = [stage.name for stage in STAGES.values() if stage.measures]
    unknown = [name for name in stages if name not in known]
    if unknown or not any(STAGES[name].is_pass for name in stages):
        found = f"unknown stage {unknown[0]!r}" if unknown else "none of them measures anything"
        raise InputError("inject.stages", found, f"Known: {', '.join(known)}; at least `optimize`")
    folder, inputs = layout.injection, resolve(config, layout)
    bands = bands_of(config, inputs.images)
    rows = read_injected(config, bands)
    if from_stars(config):
        inputs = replace(inputs, psfs=layout.star_psfs / "psfs.tsv")
    snr = write_images(config, inputs.images, inputs.psfs, rows, folder)
    if inputs.catalog is not None:
        write_catalog(config, inputs.catalog, rows, bands, folder / "catalog.fits")
    inner, inside = derived(config, layout, bands, inputs)
    prepare(layout, inside, inner, cores)
    for name in stages:
        log.info("inject: %s", name)
        run_stage(name, inner, inside, cores)
    last = next(name for name in ("sample", "reoptimize", "optimize") if name in stages)
    found, _, _ = read_scene(inside.scene(last))
    table = source_table(rows, snr, found, bands, config.inject)
    print(write_report(folder, table, bands, config.inject, stages))


def derived(config: Config, layout: Layout, bands, inputs) -> tuple[Config, Layout]:
    """Configuration and layout of the run on the images with simulated sources."""
    folder = layout.injection
    catalog = {"path": str(folder / "catalog.fits"), "convention": None, "columns": {}}
    catalog |= {"flux_columns": "{band}", "flux_unit": "nJy"}
    if inputs.catalog is None:
        catalog = {}
    changes = {
        "outdir": str(folder / "run"),
        "bands": list(bands),
        "images": str(folder / "exposures.tsv"),
        "psfs": str(inputs.psfs),
        "psf": config.psf.model_copy(update={"from": "files"}),
        "catalog": config.catalog.model_copy(update=catalog),
        "simulate": config.simulate.model_copy(update={"scene": "none"}),
    }
    return config.model_copy(update=changes), Layout(folder / "run")


def prepare(layout: Layout, inside: Layout, inner: Config, cores: int) -> None:
    """PSF and Sersic mixtures: those of the run on the untouched images where they are, else made."""
    pairs = {
        "psf": (layout.psf_store, inside.psf_store),
        "sersic": (layout.sersic_table, inside.sersic_table),
    }
    for stage, (source, target) in pairs.items():
        if source.is_file():
            with atomic(target, seal=True) as temporary:
                shutil.copyfile(source, temporary)
        elif not target.is_file():
            run_stage(stage, inner, inside, cores)
