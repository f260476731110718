"""Each option in turn is changed, and Snakemake asked what it would run: what should, and nothing else.

The run that is there is none: files of all its names, which Snakemake is told (`--touch`) that these options,
this code and these inputs made. What it records of them is what it records of jobs that ran, as
`test_tiny.py` shows for some options and a run that did run.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from fpho.config import Config, make_config
from fpho.config.base import Section
from fpho.layout import Layout
from fpho.stages.registry import STAGES
from fpho.stages.stage import ConfiguredRun
from tests.conftest import TOP
from tests.passes.toy import plan_of
from tests.stages.reruns import FITS, expected, with_followers
from tests.workflow.running import environment, planned, snakemake

APART = ["learn", "calibrate", "calibrate_field", "inject"]  # stages that are no part of `all`
DRAWN = {"outdir": "out", "simulate": {"scene": "tiny"}}
GIVEN = {"outdir": "given", "images": "images.tsv", "psfs": "psfs.tsv", "catalog": {"path": "peaks.csv"}}
WALKED = {"outdir": "walked", "simulate": {"scene": "tiny"}, "optimize": {"method": "bfgs"}}
BASES = (DRAWN, GIVEN, WALKED)
BASE_OF = {  # a scene that is drawn has images of its own; two options are of one method
    "images": GIVEN,
    "psfs": GIVEN,
    "optimize.use_gradients": WALKED,
    "optimize.add_barriers": WALKED,
}
# Another value of each option whose next number, or whose opposite, is not one that is allowed.
VALUES = {
    "detect.enabled": True,
    "outdir": "elsewhere",
    "kernel": "gpu",
    "bands": ["F125W"],
    "images": "more.tsv",
    "psfs": "others.tsv",
    "background.mode": "plane",
    "background.per": "band",
    "background.tweakbg": "sky.tsv",
    "bounds.sqrtq_range": [0.3, 1.0],
    "bounds.pa_range": [-1.9, 1.9],
    "bounds.rhalf_range": [0.02, 9.0],
    "bounds.sersic_range": [0.4, 7.0],
    "bounds.dpos": 0.1,
    "bounds.pixscale": 0.05,
    "bounds.minflux": -1.0,
    "bounds.held": ["sersic"],
    "calibrate.psf": ["optical", "moffat"],
    "calibrate.pixel_scale": [0.04, 0.06],
    "calibrate.snr_range": [10.0, 70.0],
    "calibrate.flux_range": [0.5, 3.0],
    "calibrate.rhalf_range": [0.04, 0.8],
    "calibrate.separation": [0.3, 0.9],
    "calibrate.field": {"fields": 3},
    "catalog.path": "peaks.csv",
    "catalog.convention": "internal",
    "catalog.ext": 1,
    "catalog.flux_unit": "uJy",
    "catalog.pixel_scale": 0.04,
    "catalog.columns": {"rhalf": "RE"},
    "catalog.flux_columns": "f_{band}",
    "catalog.detect_bands": ["F125W"],
    "detect.bands": ["F125W"],
    "inject.catalog": "peaks.csv",
    "inject.on": "mosaic",
    "inject.stages": ["scene"],
    "inject.magnitude_bins": [20, 24, 28],
    "inject.size_bins": [0, 0.5, 1.0],
    "model.jitter": 0.1,
    "model.misfit": "off",
    "model.apertures": [0.3, 0.5],
    "optimize.on": "all",
    "optimize.method": "bfgs",
    "optimize.max_snr": 50.0,
    "patches.max_active_fraction": 0.5,
    "postprocess.percentiles": [50.0],
    "postprocess.tables": ["ecsv"],
    "preprocess.mask_planes": ["BAD"],
    "preprocess.max_snr": 50.0,
    "preprocess.errors": "as_given",
    "priors.population": {"size": 0.2},
    "priors.flux": {"name": "normal"},
    "priors.position": {"name": "uniform"},
    "priors.q": {"name": "uniform"},
    "priors.sersic": {"name": "uniform"},
    "priors.rhalf": {"name": "uniform"},
    "psf.from": "stars",
    "psf.stars": "peaks.csv",
    "psf.per": "exposure",
    "psf.n_components": 3,
    "psf.interpolation": "linear",
    "psf.center": "stamp",
    "registration.mode": "measure",
    "registration.table": "shifts.tsv",
    "sample.on": "all",
    "sample.sampler": "split",
    "sample.target_niter": 2000,
    "sample.max_snr": 50.0,
    "sersic.table": "other.h5",
    "simulate.scene": "example",
    "simulate.field": {"sources": 20},
}
NAMED = ("more.tsv", "others.tsv", "sky.tsv", "peaks.csv", "shifts.tsv", "other.h5", "images.tsv", "psfs.tsv")
PLAIN = Config()
OPTIONS = [
    f"{name}.{option}" if isinstance(value, Section) else name
    for name, value in PLAIN
    for option in (type(value).model_fields if isinstance(value, Section) else [None])
]


def with_option(base: dict, option: str, value) -> dict:
    """The options of a run, one of them another."""
    section, dot, name = option.partition(".")
    return base | {section: base.get(section, {}) | {name: value} if dot else value}


def another(option: str):
    """Another value: of the table, or the next number, or the opposite."""
    if option in VALUES:
        return VALUES[option]
    section, dot, name = option.partition(".")
    value = getattr(getattr(PLAIN, section), name) if dot else getattr(PLAIN, section)
    return not value if isinstance(value, bool) else value + type(value)(1)


def stages_of(base: dict) -> set[str]:
    return {name for name, stage in STAGES.items() if stage.exists(make_config(base))}


def pretend(base: dict) -> None:
    """Files of all names that a run writes, in the present folder."""
    run = ConfiguredRun(make_config(base), Layout(Path(base["outdir"])))
    for name in stages_of(base):
        stage, files = STAGES[name], {"benchmark": run.layout.benchmark(name)}
        for key, paths in (stage.writes(run) | files).items():
            for path in paths if isinstance(paths, list) else [paths]:
                path.parent.mkdir(parents=True, exist_ok=True)
                if key == "plan":
                    plan_of([(0, 0), (1, 0)]).write(path)
                else:
                    path.mkdir() if key in stage.folders else path.write_text(name)


@pytest.fixture(scope="module")
def said(tmp_path_factory):
    """What Snakemake says it would run, by option; of a base: where nothing has changed."""
    folder = tmp_path_factory.mktemp("options")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name in NAMED:
            Path(name).write_text("id\n")
        runs = {base["outdir"]: base for base in BASES}
        for name, base in runs.items():
            pretend(base)
            Path(f"{name}.yaml").write_text(yaml.safe_dump(base))
            done = snakemake(
                folder, "--touch", "--forceall", "all", *APART, config=folder / f"{name}.yaml", cores=1
            )
            assert done.returncode == 0, done.text
        runs |= {one: with_option(BASE_OF.get(one, DRAWN), one, another(one)) for one in OPTIONS}
        for name, options in runs.items():
            Path(f"{name}.yaml").write_text(yaml.safe_dump(options))
        done = subprocess.run(
            [sys.executable, "-m", "tests.workflow.dryruns", "all", *APART],
            input=json.dumps({name: str(folder / f"{name}.yaml") for name in runs}),
            cwd=folder,
            env=environment() | {"PYTHONPATH": os.pathsep.join([str(TOP), os.environ.get("PYTHONPATH", "")])},
            text=True,
            capture_output=True,
        )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("base", [base["outdir"] for base in BASES])
def test_nothing_runs_again_without_a_change(said, base):
    assert "Nothing to be done" in said[base]


@pytest.mark.parametrize("option", OPTIONS)
def test_what_runs_again(said, option):
    assert set(planned(said[option])) == jobs(option) | {"all"}, said[option]


def jobs(option: str) -> set[str]:
    """Rules of the stages that run again."""
    base = BASE_OF.get(option, DRAWN)
    if option == "outdir":  # a folder with nothing in it
        return stages_of(base)
    if (
        option == "workflow.batches"
    ):  # other jobs do what the passes did, and take finished patches as they are
        return (expected(option) | with_followers(FITS)) - FITS | {"plan", "batch", "gather", "finish"}
    if option == "workflow.image_groups":  # the same for images
        over = {"check", "preprocess", "scene", "background"}
        parts = {f"{name}_{part}" for name in over for part in STAGES[name].parts if part != "gather"}
        return expected(option) | with_followers(over) | parts
    return expected(option) & stages_of(base)
