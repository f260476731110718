"""Stage `calibrate_field`: whole runs on simulated deep fields against their truth."""

import hashlib
import json
import logging
import shutil
from pathlib import Path

from ..calibrate.fieldreport import write_products
from ..calibrate.fields import draw_means, field_table
from ..codehash import code_hash
from ..config import Config
from ..files import atomic
from ..layout import Layout
from ..products.collecting import collect
from .inputs import from_stars
from .registry import STAGES
from .running import run_stage

log = logging.getLogger("fpho")
AROUND = ("check", "postprocess")  # stages of a run on a field beside those that measure
OWN = (
    "outdir",
    "workflow",
    "postprocess",
    "calibrate",
    "inject",
)  # options that do not change a field's table


def run(config: Config, layout: Layout, cores: int = 1) -> None:
    """Simulate and measure all fields; tables, pictures and a page under `layout.field_calibration`.

    Finished fields are taken from earlier runs; a field that was interrupted goes on patch by patch.
    """
    options, folder = config.calibrate.field, layout.field_calibration
    tables = []
    for number in range(options.fields):
        for start in options.starts:
            density = options.densities[number % len(options.densities)]
            tables.append(_field(config, folder, number, start, density, cores))
            log.info("calibrate: field %d of %d, %s", number + 1, options.fields, start)
    simulated = config.simulate.field
    facts = [
        f"Seed {config.seed}; {options.fields} fields of {options.sources} sources, densities "
        f"{', '.join(f'{d:g}' for d in options.densities)} per square arcmin, starting from "
        f"{' and '.join(options.starts)}; all options of fits as configured.",
        f"Bands {', '.join(simulated.bands)}; {simulated.exposures} exposures each, point sources of S/N 5 "
        f"at AB {simulated.depth:g}; up to {simulated.sky:g} sigma per pixel of sky left in; galaxies "
        f"{simulated.structure}; PSFs: {simulated.psfs or 'a 6.5 m telescope with struts'}.",
    ]
    print(write_products(tables, facts, folder))


def _field(config: Config, folder: Path, number: int, start: str, density: float, cores: int):
    """Table of one field, from its file where it is finished."""
    from astropy.table import Table

    drawn = config.simulate.field.model_copy(
        update={"sources": config.calibrate.field.sources, "density": density}
    )
    simulate = config.simulate.model_copy(update={"scene": "field", "field": drawn})
    inner = config.model_copy(update={"simulate": simulate, "seed": config.seed + number})
    name = f"field{number:03d}_{start}_{_mark(inner, start)}"
    path = folder / "tables" / f"{name}.fits"
    if path.is_file():
        return Table.read(path)
    table = measure_field(inner, folder / "runs" / name, start, density, cores)
    with atomic(path) as temporary:
        table.write(temporary, format="fits", overwrite=True)
    if not config.calibrate.field.keep:
        shutil.rmtree(folder / "runs" / name)
    return table


def measure_field(config: Config, folder: Path, start: str, density: float, cores: int):
    """Draw a field under `folder`, run all stages on it, compare with the truth: `fields.field_table`."""
    from astropy.table import Table

    layout = Layout(folder)
    run_stage("simulate", config.model_copy(update={"outdir": str(folder)}), layout, cores)
    inner = on_field(config, layout, start)
    for stage in STAGES.values():
        if (stage.measures or stage.name in AROUND) and stage.exists(inner):
            log.info("calibrate: %s", stage.name)
            run_stage(stage.name, inner, layout, cores)
    posterior, optimum = Table.read(layout.posterior, hdu=1), Table.read(layout.postop, hdu=1)
    truth = Table.read(layout.truth, hdu=1)
    bands = config.simulate.field.bands
    means = draw_means(collect(folder), posterior, bands)
    return field_table(posterior, optimum, truth, bands, density, means)


def on_field(config: Config, layout: Layout, start: str) -> Config:
    """The configuration of a run on the files of a field, as a user with such files would write it."""
    drawn = layout.simulation
    catalog = {"path": str(drawn / "catalog.fits"), "detect": start == "detect"}
    changes = {
        "outdir": str(layout.outdir),
        "bands": list(config.simulate.field.bands),
        "images": str(drawn / "exposures.tsv"),
        "psfs": None if from_stars(config) else str(drawn / "psfs.tsv"),
        "catalog": config.catalog.model_copy(update=catalog),
        "simulate": config.simulate.model_copy(update={"scene": "none"}),
        "postprocess": config.postprocess.model_copy(
            update={"plots": False, "images": False, "regions": False}
        ),
    }
    return config.model_copy(update=changes)


def _mark(config: Config, start: str) -> str:
    """Short hash of all that a field's table depends on."""
    tree = json.loads(config.model_dump_json())
    values = {name: value for name, value in tree.items() if name not in OWN}
    modules = sorted(
        {stage.module for stage in STAGES.values() if stage.measures or stage.name == "simulate"}
    )
    text = json.dumps([values, start]) + code_hash(*modules, "fpho.calibrate.fields")
    return hashlib.sha256(text.encode()).hexdigest()[:12]
