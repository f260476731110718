"""The whole workflow on the tiny scene: run, run again, change an option, kill, divide, report.

All of it in folders whose names a shell would take apart or execute, and the first run without a home, with
files that nobody else may read.
"""

import itertools
import os
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pytest
import yaml
from astropy.table import Table

from benchmarks.damages import DAMAGES, damage
from fpho.layout import Layout
from fpho.passes.needs import planned_jobs
from fpho.records import records_in
from tests.conftest import TOP
from tests.stages.reruns import expected
from tests.workflow import running
from tests.workflow.running import environment, fpho, planned, started, without_home

PLACE = "a  b; $(touch executed) 'é'"
PASSES = ("optimize", "reoptimize", "sample")
APART = {"calibrate", "calibrate_field", "inject", "learn"}  # stages that are no part of `all`
OUTDIR = 'it\'s $(touch executed); `touch executed` é "q" & 100% #1'


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A folder in which the tiny scene has been run."""
    folder = made_for(tmp_path_factory.mktemp("tiny"))
    done = snakemake(folder, env=without_home(), umask=0o077)
    assert done.returncode == 0, done.text
    return folder


def made_for(place: Path) -> Path:
    """A user's folder inside `place`, with the configuration of the tiny scene."""
    folder = place / PLACE
    folder.mkdir()
    options = yaml.safe_load((TOP / "config" / "tiny.yaml").read_text()) | {"outdir": OUTDIR}
    (folder / "tiny.yaml").write_text(yaml.safe_dump(options))
    return folder


def snakemake(folder: Path, *arguments, **options):
    """As `running.snakemake`, with the configuration in that folder."""
    return running.snakemake(folder, *arguments, config=folder / "tiny.yaml", **options)


def results(folder) -> Path:
    return folder / OUTDIR


def same_catalog(one: Path, other: Path) -> bool:
    """Whether two catalogs hold the same rows, bit for bit."""
    first, second = (Table.read(path, hdu=1).as_array() for path in (one, other))
    return first.dtype == second.dtype and first.tobytes() == second.tobytes()


def test_everything_is_made(folder):
    made = results(folder)
    for name in (
        "config.yaml",
        "config.json",
        "inputs.json",
        "psf/psfs.h5",
        "background/tweakbg.tsv",
        "scene/sample.fits",
        "catalogs/postop_catalog.fits",
        "catalogs/posterior.fits",
        "catalogs/chains.fits",
        "comparison/comparison.ecsv",
        "page/index.html",
        "page/data/sources.js",
    ):
        assert (made / name).is_file(), name
    for name in ("images", "regions", "plots", "patches", "logs", "benchmarks"):
        assert any((made / name).iterdir()), name
    temporary = [path for path in made.rglob(".*") if path.suffix in (".fits", ".h5", ".tsv")]
    assert temporary == []


def test_results_match_the_truth(folder):
    """Fluxes of catalogued sources within 5 sigma: a coarse net, calibration is tested elsewhere."""
    found = Table.read(results(folder) / "catalogs" / "posterior.fits", hdu=1)
    truth = Table.read(results(folder) / "simulation" / "truth.fits", hdu=1)
    truth = truth[truth["in_catalog"]]
    for row in truth:
        match = found[found["id"] == row["id"]]
        assert len(match) == 1, row["id"]
        for band in ("F814W", "F125W"):
            pull = (match[band][0] - row[band]) / match[f"{band}_err"][0]
            assert abs(pull) < 5, (row["id"], band, pull)


def test_a_second_run_does_nothing(folder):
    done = snakemake(folder)
    assert done.returncode == 0
    assert "Nothing to be done" in done.text


def test_nothing_of_a_name_is_executed(folder):
    assert list(folder.parent.rglob("executed")) == []


def test_nobody_else_may_read_the_results(folder):
    assert [path for path in results(folder).rglob("*") if path.stat().st_mode & 0o077] == []


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("sample.warmup", "70"),
        ("postprocess.max_plots", "1"),
        ("registration.table", "tweakwcs.tsv"),
        ("optimize.on", "all"),
        ("background.reoptimize", "false"),
        ("sersic.remake", "true"),
    ],
)
def test_what_an_option_reruns(folder, option, value):
    """Those of all options are in `test_options.py`, where no run is needed."""
    if option == "registration.table":
        shutil.copyfile(results(folder) / "background" / value, folder / value)
    done = snakemake(folder, "-n", "--config", f"{option.replace('.', '__')}={value}")
    assert set(planned(done.text)) == expected(option) - APART | {"all"}, done.text


def test_stages_are_targets(folder):
    jobs = planned(snakemake(folder, "-n", "--config", "psf__max_components=3", "--", "optimize").text)
    assert {"psf", "optimize"} <= set(jobs)
    assert not {"background", "sample", "postprocess"} & set(jobs)


def test_killed_in_sampling_it_goes_on(folder, tmp_path):
    """After SIGKILL the next run takes finished patches as they are, and ends with the same catalog."""
    again = made_for(tmp_path)
    kept = results(again)
    shutil.copytree(results(folder), kept, symlinks=True)
    shutil.copytree(folder / ".snakemake", again / ".snakemake")
    records = kept / "patches" / "sample_batch0.records"
    for path in (kept / "scene" / "sample.fits", records):
        path.unlink()

    # one core, so that patches finish one after the other
    run = subprocess.Popen(
        running.command("--cores", 1, "--", "sample", config=again / "tiny.yaml"),
        cwd=again,
        env=environment(),
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    wait_for_patch(records, run)
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()
    assert not (kept / "scene" / "sample.fits").exists()
    finished = {key: one.read() for key, one in records_in(records).items()}

    assert list((again / ".snakemake" / "locks").glob("*.lock"))
    done = snakemake(again, "sample")
    assert done.returncode == 0, done.text
    after = records_in(records)
    assert len(after) > len(finished) and all(after[key].read() == finished[key] for key in finished)
    assert same_catalog(kept / "scene" / "sample.fits", results(folder) / "scene" / "sample.fits")


def test_damaged_files_cost_one_ordinary_command(folder, tmp_path):
    """Files of each kind that a stage reads, and a catalog that none reads; nothing else is made again."""
    again = made_for(tmp_path)
    kept = results(again)
    shutil.copytree(results(folder), kept, symlinks=True)
    shutil.copytree(folder / ".snakemake", again / ".snakemake")
    catalog = kept / "catalogs" / "posterior.fits"
    hurt = [
        "stores/mosaic_pixels/F814W_mosaic.h5",
        "sersic/mixtures.h5",
        "background/tweakbg.tsv",
        "scene/sample.fits",
        "plans/sample.h5",
        "patches/sample_batch0.records",
        "catalogs/posterior.fits",
    ]
    for name, how in zip(hurt, itertools.cycle(DAMAGES)):
        damage(kept / name, how, random.Random(name))
    done = snakemake(again)
    assert done.returncode == 0, done.text
    assert set(planned(done.text)) == {"postprocess", "compare", "view", "all"}, done.text
    for name in ("scene/sample.fits", "catalogs/posterior.fits", "catalogs/chains.fits"):
        assert same_catalog(kept / name, results(folder) / name)
    assert catalog.is_file() and list(kept.rglob("*.damaged")) == []
    assert "Nothing to be done" in snakemake(again).text


def wait_for_patch(records: Path, run, seconds=300) -> None:
    """Until a patch is kept in a file."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        assert run.poll() is None, "the run ended before it could be killed"
        if records_in(records):
            return
        time.sleep(0.05)
    pytest.fail("no patch was finished in time")


def test_results_do_not_depend_on_batches(folder, tmp_path):
    """One core, two batches and colours as jobs of their own give the states of two cores, bit for bit."""
    again = made_for(tmp_path)
    shutil.copytree(results(folder) / "simulation", results(again) / "simulation")
    options = "--config", "workflow={batches: 2, job_seconds: 0}"
    done = snakemake(again, *options, "--", "sample", cores=1)
    assert done.returncode == 0, done.text
    jobs = [planned_jobs(Layout(results(again)).plan(stage)) for stage in PASSES]
    assert started(done.text)["batch"] == sum(map(len, jobs)) > 3
    assert started(done.text)["gather"] == sum(len({step for step, _ in some}) for some in jobs)
    for stage in PASSES:
        name = Path("scene") / f"{stage}.fits"
        assert same_catalog(results(again) / name, results(folder) / name)
    assert "Nothing to be done" in snakemake(again, *options, "--", "sample", cores=1).text
    for division in ("{batches: 3, job_seconds: 0}", "{batches: 2, job_seconds: 1}"):
        other = "--config", f"workflow={division}", "--", "sample"
        jobs = planned(snakemake(again, "-n", *other, cores=1).text)
        assert jobs["plan"] == 3, "plans are for a number of jobs"
    plans_that_are_gone(again, options)


def plans_that_are_gone(folder, options):
    """Of a finished run they are made again, and nothing else; a damaged one is told by who only looks."""
    first, second, third = (Layout(results(folder)).plan(stage) for stage in PASSES)
    first.unlink()
    damage(third, "cut off", random.Random(1))
    looked = snakemake(folder, "-n", *options, "--", "sample", cores=1)
    assert looked.returncode != 0 and f"{OUTDIR}/plans/sample.h5: damaged" in looked.text, looked.text
    done = snakemake(folder, *options, "--", "sample", cores=1)
    assert done.returncode == 0 and first.is_file() and second.is_file() and third.is_file(), done.text
    assert "Nothing to be done" in done.text, done.text
    other = "--config", options[1], "sample__warmup=40", "--", "sample"
    assert planned(snakemake(folder, "-n", *other, cores=1).text)["batch"] > 0


def test_report_shows_the_results(folder):
    done = snakemake(folder, "--report", "report.html", cores=None)
    assert done.returncode == 0, done.text
    text = (folder / "report.html").read_text()
    assert f"{quote(OUTDIR)}/page/index.html" in text and len(text) < 5e6


def test_postop_from_the_command_line(folder):
    done = fpho(folder, "postprocess", "--root", OUTDIR, "--mode", "postop", "--catname", "again.fits")
    assert done.returncode == 0, done.text
    again = Table.read(results(folder) / "again.fits", hdu=1)
    first = Table.read(results(folder) / "catalogs" / "postop_catalog.fits", hdu=1)
    assert np.array_equal(again["F814W"], first["F814W"])
