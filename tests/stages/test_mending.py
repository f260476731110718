"""Damaged files of a run are made again by the stage that wrote them, within the same command."""

import logging
import os
import random
from pathlib import Path

import h5py
import numpy as np
import pytest

from benchmarks.damages import DAMAGES, damage
from fpho.background.table import DTYPE, read_tweakbg, write_tweakbg
from fpho.config import make_config
from fpho.errors import DamagedError, InputError
from fpho.files import verify, write_text
from fpho.hdf5 import create, reading
from fpho.layout import Layout
from fpho.passes.files import flattened
from fpho.stages import mending, running
from fpho.stages.registry import STAGES
from fpho.stages.stage import ConfiguredRun
from tests.passes.toy import plan_of

PASSES = ("optimize", "reoptimize", "sample")
WRITTEN_BY_SIMULATE = ("images/F814W_1.fits", "truth.fits", "exposures.tsv")


def run_in(folder, batches=1) -> ConfiguredRun:
    config = make_config(
        {"outdir": str(folder) or ".", "simulate.scene": "tiny", "workflow.batches": batches}
    )
    return ConfiguredRun(config, Layout(folder))


def write_store(path):
    with create(path) as file:
        file["data"] = np.arange(500.0)


def write_state(path):
    write_text(path, "a state of the scene " * 40, seal=True)


def write_background(path):
    rows = np.zeros(3, DTYPE)
    rows["exposure"] = list("abc")
    write_tweakbg(path, rows)


def read_store(path):
    with reading(path, "Make it again") as file:
        return file["data"][:].tobytes()


def read_state(path):
    verify(path)
    return path.read_text()


# what is damaged, how it is written and read, and which job writes it
FILES = {
    "psf_store": (write_store, read_store, "psf", {}),
    "postop": (write_state, read_state, "postop", {}),
    "background": (write_background, lambda path: read_tweakbg(path).tobytes(), "background", {}),
}


@pytest.mark.parametrize("how", DAMAGES)
@pytest.mark.parametrize("name", FILES)
def test_a_damaged_file_is_made_again(tmp_path, name, how, rng, caplog):
    """What reads it gets what was there; its time is as before, and nothing else is left."""
    write, read, stage, which = FILES[name]
    run = run_in(tmp_path)
    path, made, found = getattr(run.layout, name), [], []
    write(path)
    good, names = path.read_bytes(), sorted(path.parent.iterdir())
    time = path.stat().st_mtime_ns
    damage(path, how, rng)

    def again(*job, **parts):
        made.append((*job, parts))
        write(path)

    with caplog.at_level(logging.WARNING):
        mending.with_mending(lambda: found.append(read(path)), run, again)
    assert made == [(stage, which)] and path.name in caplog.text
    assert path.read_bytes() == good and path.stat().st_mtime_ns == time
    assert sorted(path.parent.iterdir()) == names


@pytest.fixture
def rng():
    return random.Random(5)


def test_what_is_damaged_again_stops_the_job(tmp_path):
    run = run_in(tmp_path)
    path = run.layout.scene("optimize")

    def again(stage, **which):
        write_state(path)
        path.write_text("no")

    write_state(path)
    path.write_text("no")
    with pytest.raises(DamagedError):
        mending.with_mending(lambda: verify(path), run, again)


def test_bad_input_is_not_taken_for_damage(tmp_path):
    """A table that was edited and is wrong is the user's."""
    run = run_in(tmp_path)
    path = run.layout.background
    write_background(path)
    path.write_text("exposure\tconstant\na\tmuch\n")
    with pytest.raises(InputError, match="much"):
        mending.with_mending(lambda: read_tweakbg(path), run, lambda *a, **b: pytest.fail("made again"))
    path.write_text("exposure\tconstant\na\t2.5\n")
    assert read_tweakbg(path)["constant"].tolist() == [2.5]


@pytest.mark.parametrize("batches", [1, 3])
def test_every_file_has_its_writer(tmp_path, monkeypatch, batches):
    """Whatever a stage or a part of a pass writes is found to be written by it."""
    run = run_in(tmp_path, batches)
    plan_of([(0, 0), (1, 0), (1, 1)]).write(run.layout.plan("sample"))
    for name, stage in STAGES.items():
        for path in flattened(stage.writes(run)):
            assert mending.writer_of(path, run)[0] == name, path
    colour = "all" if batches == 1 else 1
    layout = run.layout
    for path, part in (
        (layout.plan("sample"), "plan"),
        (layout.batch("sample", colour, 0), "batch"),
        (layout.state_after("sample", colour), "gather"),
        (layout.patch_log("sample", colour), "gather"),
        (layout.scene("sample"), "finish"),
    ):
        stage, which = mending.writer_of(path, run)
        assert (stage, which["part"]) == ("sample", part)
        assert which.get("colour", colour) in (colour, None)
    for name in ("optimize", "sample"):
        assert mending.writer_of(layout.records(name, 5), run) == (name, {})
    monkeypatch.chdir(tmp_path)  # however a folder is called
    assert mending.writer_of(layout.postop, run_in("", batches)) == ("postop", {})
    assert mending.writer_of(Path("patches") / "sample_batch1.records", run) == ("sample", {})
    only = {"part": "images", "only": "m"}
    assert mending.writer_of(layout.pixels("mosaic") / "m.h5", run) == ("preprocess", only)
    for name in WRITTEN_BY_SIMULATE:
        assert mending.writer_of(layout.simulation / name, run) == ("simulate", {})
    assert mending.writer_of(tmp_path / "mine.fits", run) is None


def test_plans_that_are_gone_or_cannot_be_read_are_made_again(tmp_path, rng):
    """Of finished passes that are divided; others find it themselves, and mend it as all that they read."""
    run, made = run_in(tmp_path, batches=3), []
    whole, hurt, older = (run.layout.plan(name) for name in PASSES)

    def again(stage, part):
        made.append((stage, part))
        plan_of([(0, 0)]).write(run.layout.plan(stage))

    def cannot(stage, part):
        raise InputError("stores", "of an older version", "Make them again")

    for name in PASSES:
        write_state(run.layout.state_before(name))
    plan_of([(0, 0)]).write(whole)
    for finished in (False, True):
        plan_of([(0, 0)]).write(hurt)
        damage(hurt, "cut off", rng)
        write_store(older)  # of a version that wrote something else
        mending.mend_plans(run_in(tmp_path), again)
        assert hurt.is_file() and older.is_file() and made == []
        if finished:
            write_state(run.layout.scene("sample"))
        mending.mend_plans(run, again)
        assert whole.is_file() and not hurt.exists() and older.exists() == finished
    assert made == [("sample", "plan")]
    assert older.stat().st_mtime_ns == run.layout.state_before("sample").stat().st_mtime_ns
    older.unlink()
    mending.mend_plans(run, cannot)
    assert not older.exists(), "the workflow does what is to be done, and says what is wrong"
    again("sample", "plan")
    mending.mend_plans(run, cannot)


def test_damaged_products_are_made_again_and_edited_ones_stay(tmp_path, rng):
    layout = Layout(tmp_path)
    texts = [layout.posterior, layout.chains, layout.posterior.with_suffix(".ecsv"), layout.config]
    for path in [*texts, layout.postop]:
        write_state(path)
    mending.remove_damaged_products(layout)
    assert all(path.is_file() for path in texts)
    layout.config.write_text("edited: true")
    damage(layout.chains, "cut off", rng)
    mending.remove_damaged_products(layout)
    assert not layout.chains.exists() and not layout.posterior.exists()  # one stage makes both
    assert layout.config.read_text() == "edited: true" and layout.postop.is_file()


def test_damage_to_an_empty_file_is_found(tmp_path):
    """An HDF5 file that lost the mark of its checksum counts as damaged where it is the run's."""
    run = run_in(tmp_path)
    path = run.layout.meta("exposure")
    write_store(path)
    with h5py.File(path, "r") as file:
        assert "seal" in file.attrs
    path.write_bytes(b"")
    seen = []

    def again(stage, **which):
        seen.append(stage)
        write_store(path)

    mending.with_mending(lambda: read_store(path), run, again)
    assert seen == ["preprocess"]


@pytest.mark.parametrize(
    ("words", "looks"),
    [
        ("--cores 2", False),
        ("-c2 --configfile my.yaml --config sample__warmup=7 -- sample", False),
        ("-j 4 -k --rerun-incomplete", False),
        ("-n --cores 2", True),
        ("-np", True),
        ("--dry-run", True),
        ("--report=page.html", True),
        ("--rulegraph", True),
        ("--list-rules", True),
        ("--unlock", True),
    ],
)
def test_a_call_that_only_looks_removes_nothing(words, looks):
    assert mending.only_looks(words.split()) == looks


def test_a_time_that_snakemake_sets_is_no_edit(tmp_path, rng):
    """It touches what a job has made. Whoever sees the file whole afterwards writes its new time down."""
    layout = Layout(tmp_path)
    write_background(layout.background)
    write_state(layout.posterior)
    for path in (layout.background, layout.posterior):
        os.utime(path, ns=(10**18, 10**18))
    read_tweakbg(layout.background)
    mending.remove_damaged_products(layout)
    damage(layout.background, "cut off", rng)
    damage(layout.posterior, "cut off", rng)
    with pytest.raises(DamagedError):
        read_tweakbg(layout.background)
    mending.remove_damaged_products(layout)
    assert not layout.posterior.exists()


@pytest.mark.parametrize("batches", [1, 3])
def test_a_whole_pass_leaves_nothing_in_a_divided_run(tmp_path, monkeypatch, batches):
    """As when damaged draws are made again; a run that is not divided has these files."""
    run = run_in(tmp_path, batches)

    def write(part, config, layout, stage, colour, batch, **more):
        for path in flattened(part.writes(run, colour="all", batch=0) if "batch" in part.function else {}):
            write_text(path, "rows", seal=True)
        for path in (layout.state_after(stage, "all"), layout.patch_log(stage, "all"), layout.scene(stage)):
            write_text(path, "rows", seal=True)

    monkeypatch.setattr(running, "_call", write)
    running.run_stage("sample", run.config, run.layout)
    left = [path.name for path in (tmp_path / "batches").iterdir()]
    assert run.layout.scene("sample").is_file() and bool(left) == (batches == 1), left
