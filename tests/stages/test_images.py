"""Stages over images: by one process, by two, or as jobs for groups of images, they give the same bits."""

import hashlib
import json
import random
import shutil
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from benchmarks.damages import damage
from fpho.config import make_config
from fpho.errors import DamagedError, InputError, MachineError
from fpho.images import ExposureSpec, open_store
from fpho.layout import Layout
from fpho.passes.files import flattened
from fpho.scene import write_scene
from fpho.sersic import DEFAULT_PATH
from fpho.stages import looks, mapping, preprocess, skies
from fpho.stages.registry import STAGES
from fpho.stages.running import run_stage
from fpho.stages.stage import ConfiguredRun
from tests.images.making import DEC, RA, header, write
from tests.patch.scenes import make_rows, make_store

NAMES = ("m", "a", "b", "c", "d")
SHAPE = (60, 70)
GROUPS = 3


@pytest.fixture(scope="module")
def given(tmp_path_factory) -> Path:
    """A folder with five images of two kinds that have skies of their own, a table of them, and a catalog."""
    folder, rng = tmp_path_factory.mktemp("given"), np.random.default_rng(4)
    lines = ["id\tband\tkind\tpath"]
    for i, name in enumerate(NAMES):
        data = rng.normal(0.5 * i, 1.0, SHAPE)
        data[30, 35] += 80.0
        write(folder / f"{name}.fits", SCI=(data, header(SHAPE, FLUXSCL=1.0)), ERR=np.ones(SHAPE))
        lines.append(f"{name}\tblue\t{'mosaic' if name == 'm' else 'exposure'}\t{name}.fits")
    (folder / "images.tsv").write_text("\n".join(lines) + "\n")
    (folder / "peaks.csv").write_text(f"ra,dec,blue,rhalf\n{RA},{DEC},80,0.2\n")
    make_store(folder / "psfs.h5")
    return folder


def a_run(given: Path, outdir: Path, groups: int = 1, **options) -> ConfiguredRun:
    """A run on these images, whose PSFs and profiles are there."""
    tree = {"outdir": str(outdir), "images": str(given / "images.tsv"), "psfs": str(given / "psfs.h5")}
    tree |= {"catalog.path": str(given / "peaks.csv"), "workflow.image_groups": groups}
    tree |= {"optimize.on": "all"}
    layout = Layout(outdir)
    for path, source in ((layout.psf_store, given / "psfs.h5"), (layout.sersic_table, DEFAULT_PATH)):
        path.parent.mkdir(parents=True)
        path.write_bytes(source.read_bytes())
    return ConfiguredRun(make_config(tree | options), layout)


def optimized(run: ConfiguredRun) -> None:
    """A scene as an optimization might leave it."""
    rows = make_rows(("blue",), {"ra": RA, "dec": DEC, "blue": 75.0, "rhalf": 0.15})
    write_scene(run.layout.scene("optimize"), rows, ("blue",))


def divided(stage: str, run: ConfiguredRun) -> None:
    """A stage as its jobs, groups in any order."""
    parts, both = STAGES[stage].parts, (run.config, run.layout)
    if "start" in parts:
        run_stage(stage, *both, part="start")
    for group in reversed(range(STAGES[stage].groups(run))):
        run_stage(stage, *both, part="images", group=group)
    run_stage(stage, *both, part="gather")


def results_of(run: ConfiguredRun) -> dict:
    """What the stages wrote that later ones read: pixels, and tables as they are."""
    found = {}
    for kind in ("mosaic", "exposure"):
        store = open_store(run.layout.pixels(kind), run.layout.meta(kind))
        for name in store.ids:
            image = store.exposure(name)
            found[name] = store.content(name), image.data.tobytes(), image.ierr.tobytes()
    for path in (run.layout.first_sky, run.layout.background, run.layout.registration):
        found[path.name] = path.read_bytes()
    return found


@pytest.fixture(scope="module")
def whole(given, tmp_path_factory) -> dict:
    run = a_run(given, tmp_path_factory.mktemp("whole") / "out")
    run_all(run, run_stage)
    return results_of(run)


def run_all(run: ConfiguredRun, do, **more) -> None:
    do("preprocess", run.config, run.layout, **more)
    do("scene", run.config, run.layout, **more)
    optimized(run)
    do("background", run.config, run.layout, **more)


def test_two_processes_give_the_same(given, whole, tmp_path):
    run = a_run(given, tmp_path / "out")
    run_all(run, run_stage, cores=2)
    assert results_of(run) == whole
    assert whole["tweakbg.tsv"].count(b"\t1\n") >= 3, "skies of some images are significant"


def test_groups_give_the_same(given, whole, tmp_path):
    run = a_run(given, tmp_path / "out", GROUPS)
    run_all(run, lambda stage, *both: divided(stage, run))
    assert results_of(run) == whole


@pytest.mark.parametrize("name", [name for name, stage in STAGES.items() if "images" in stage.parts])
def test_the_jobs_of_a_stage_fit_together(name):
    """In order, each reads what earlier ones wrote or the whole stage reads; together they write all."""
    run = ConfiguredRun(
        make_config({"simulate.scene": "tiny", "workflow.image_groups": GROUPS}), Layout(Path("out"))
    )
    stage = STAGES[name]
    made = set(flattened(stage.reads(run)))
    jobs = [(part, {}) for part in stage.parts if part == "start"]
    jobs += [("images", {"group": group}) for group in range(stage.groups(run))] + [("gather", {})]
    for part, which in jobs:
        assert set(flattened(stage.parts[part].reads(run, **which))) <= made, part
        made |= set(flattened(stage.parts[part].writes(run, **which)))
    assert len(jobs) >= GROUPS + 1 and set(flattened(stage.writes(run))) <= made


def test_check_finds_the_same_in_groups(given, tmp_path):
    """The same record, bit for bit, by two processes, too; an image that changes is read anew."""
    records = []
    for name, groups, cores in (("one", 1, 1), ("two", 1, 2), ("three", GROUPS, 1)):
        run = a_run(given, tmp_path / name, groups)
        if groups == 1:
            run_stage("check", run.config, run.layout, cores)
        else:
            divided("check", run)
        records.append(run.layout.checked.read_bytes())
    assert records[0] == records[1] == records[2]
    files = json.loads(records[0])["files"]
    assert {Path(path).name for path in files} == {
        *(f"{name}.fits" for name in NAMES), "images.tsv", "psfs.h5", "peaks.csv"
    }  # fmt: skip
    assert all(
        one["sha256"] == hashlib.sha256(Path(path).read_bytes()).hexdigest() for path, one in files.items()
    )


def test_groups_tell_all_problems_at_once(given, tmp_path):
    """In the words and the order of a check that is one job, those of images and all others."""
    folder = shutil.copytree(given, tmp_path / "given")
    for name in ("d", "a"):
        (folder / f"{name}.fits").write_bytes((folder / f"{name}.fits").read_bytes()[:5000])
    (folder / "psfs.h5").unlink()
    told = []
    for groups in (1, GROUPS):
        run = a_run(given, tmp_path / str(groups), groups, **places(folder), **{"detect.bands": ["red"]})
        with pytest.raises(InputError) as stop:
            if groups == 1:
                run_stage("check", run.config, run.layout)
            else:
                divided("check", run)
        told.append(str(stop.value))
        assert not run.layout.checked.exists()
    assert told[0] == told[1] and "4 problems" in told[0]
    left = [run.layout.image_group("check", group, GROUPS).exists() for group in range(GROUPS)]
    assert left == [True, False, True], "what was bad is looked at again"
    words = [told[0].index(word) for word in ("a.fits", "d.fits", "psfs.h5", "detect.bands")]
    assert words == sorted(words)


def test_a_table_that_cannot_be_read_is_told_by_the_last_job(given, tmp_path):
    folder = shutil.copytree(given, tmp_path / "given")
    (folder / "images.tsv").write_text("id\tband\tpath\n")
    run = a_run(given, tmp_path / "out", GROUPS, **places(folder))
    for group in range(GROUPS):
        run_stage("check", run.config, run.layout, part="images", group=group)
    with pytest.raises(InputError, match=r"images.tsv.*the table has no rows"):
        run_stage("check", run.config, run.layout, part="gather")


def test_what_is_no_fault_of_the_inputs_stops_a_group(given, tmp_path, monkeypatch):
    run = a_run(given, tmp_path / "out", GROUPS)
    full = MachineError("disk", "is full", "Make room")
    monkeypatch.setattr(looks, "problem_of", lambda *arguments: full)
    with pytest.raises(MachineError, match="is full"):
        run_stage("check", run.config, run.layout, part="images", group=0)
    assert not run.layout.image_group("check", 0, GROUPS).exists()


def test_an_image_that_the_run_has_drawn_is_drawn_again(tmp_path):
    """It is damaged when its group is read, not when all is told."""
    tree = {"outdir": str(tmp_path), "simulate.scene": "tiny", "workflow.image_groups": GROUPS}
    run = ConfiguredRun(make_config(tree), Layout(tmp_path))
    run_stage("simulate", run.config, run.layout)
    path = run.layout.simulation / "images" / "F125W_1.fits"
    before = path.read_bytes()
    damage(path, "cut off", random.Random(1))
    divided("check", run)
    assert path.read_bytes() == before and run.layout.checked.is_file()


def places(folder: Path) -> dict:
    """Options that name the files of another folder."""
    names = {"images": "images.tsv", "psfs": "psfs.h5", "catalog.path": "peaks.csv"}
    return {option: str(folder / name) for option, name in names.items()}


def test_images_of_one_file_are_looked_at_together(tmp_path, monkeypatch):
    """A file is read to its end once, however many of its images there are."""
    planes = {"SCI": (np.ones(SHAPE), header(SHAPE, FLUXSCL=1.0)), "ERR": np.ones(SHAPE)}
    paths = [write(tmp_path / f"{name}.fits", **planes) for name in "xy"]
    specs = [ExposureSpec(id=f"i{k}", band="blue", path=paths[k % 2]) for k in range(4)]
    read = []
    monkeypatch.setattr(import_module("fpho.images.validate"), "check_file", read.append)
    found = looks.look_at(specs, make_config({"simulate.scene": "tiny"}).preprocess, ["blue"], None)
    assert read == paths and [one.problem for one in found] == [None] * 4
    assert [list(one.sums) for one in found] == [[str(spec.path)] for spec in specs]
    assert looks.Look.of(json.loads(json.dumps(found[0].tree()))) == found[0]


def test_a_group_watches_its_own_images(given, tmp_path):
    run = a_run(given, tmp_path / "out", GROUPS)
    reads = [STAGES["preprocess"].parts["images"].reads(run, group=group) for group in range(GROUPS)]
    names = [{path.name for path in one["images"]} - {"images.tsv"} for one in reads]
    assert names == [{"m.fits", "c.fits"}, {"a.fits", "d.fits"}, {"b.fits"}]


@pytest.mark.parametrize("groups", [1, GROUPS])
def test_a_stopped_job_does_no_image_twice(given, whole, tmp_path, monkeypatch, groups):
    """Stopped at any image, in both kinds of stages; then only what is left is done, and gives the same."""
    run, done, left = a_run(given, tmp_path / "out", groups), [], [0]
    read, sky = preprocess.read_exposure, skies._Opened.sky

    def stopping(function, name_of):
        def some(*arguments):
            if not left[0]:
                raise KeyboardInterrupt
            left[0] -= 1
            value = function(*arguments)
            done.append(name_of(*arguments))
            return value

        return some

    monkeypatch.setattr(preprocess, "read_exposure", stopping(read, lambda spec, options: spec.id))
    monkeypatch.setattr(skies._Opened, "sky", stopping(sky, lambda opened, name: name))
    do = run_stage if groups == 1 else lambda stage, *both: divided(stage, run)

    def insist(stage, *both):
        done.clear()
        for _ in range(10):
            left[0] = 2
            try:
                do(stage, *both)
                break
            except KeyboardInterrupt:
                continue
        assert sorted(done) == sorted(NAMES)

    run_all(run, insist)
    assert results_of(run) == whole
    done.clear()
    run_all(run, do)
    assert done == [], "what is there is taken"


def test_another_image_or_scene_is_measured_anew(given, tmp_path, monkeypatch):
    run, done = a_run(given, tmp_path / "out"), []
    run_all(run, run_stage)
    sky = skies._Opened.sky
    monkeypatch.setattr(skies._Opened, "sky", lambda opened, name: done.append(name) or sky(opened, name))
    write_scene(
        run.layout.scene("optimize"), make_rows(("blue",), {"ra": RA, "dec": DEC, "blue": 1.0}), ("blue",)
    )
    run_stage("background", run.config, run.layout)
    assert done == list(NAMES)
    kept = run.layout.work("sky") / skies.LATER / "b.json"
    tree = json.loads(kept.read_text())
    tree["value"]["constant"] += 1.0
    kept.write_text(json.dumps(tree))
    done.clear()
    before = run.layout.background.read_bytes()
    run_stage("background", run.config, run.layout)
    assert done == ["b"] and run.layout.background.read_bytes() == before


def test_groups_that_are_missing_or_of_other_images_stop(tmp_path):
    layout, names, groups = Layout(tmp_path), ["a", "b", "c"], [["a", "c"], ["b"]]
    mapping.write_record(layout.image_group("scene", 0, 2), ["a", "c"], [{"n": 1}, {"n": 3}])
    with pytest.raises(InputError, match=r"group1of2.*missing"):
        mapping.read_records(layout, "scene", names, groups)
    mapping.write_record(layout.image_group("scene", 1, 2), ["b"], [{"n": 2}])
    assert [one["n"] for one in mapping.read_records(layout, "scene", names, groups)] == [1, 2, 3]
    mapping.write_record(layout.image_group("scene", 1, 2), ["d"], [{"n": 2}])
    with pytest.raises(DamagedError, match="other images"):
        mapping.read_records(layout, "scene", names, groups)


def test_a_lost_file_is_made_again_by_itself(given, tmp_path):
    """Whoever needs an exposure whose file is gone or damaged has it made again, and no other."""
    run = a_run(given, tmp_path / "out", GROUPS)
    divided("preprocess", run)
    times = {path: path.stat().st_mtime_ns for path in run.layout.pixels("exposure").glob("*.h5")}
    lost = run.layout.pixels("exposure") / "b.h5"
    lost.write_bytes(b"no")
    divided("scene", run)
    again = {path: path.stat().st_mtime_ns for path in times}
    assert {path for path in times if times[path] != again[path]} == {lost}
    assert not list(run.layout.pixels("exposure").glob("*.damaged"))


@pytest.mark.parametrize(("asked", "bands"), [(3, None), (50, None), (50, ["blue"])])
def test_no_group_is_without_images(given, tmp_path, asked, bands):
    """However many are asked for, and whichever bands; together they watch all images that are used."""
    folder = shutil.copytree(given, tmp_path / "given")
    text = (folder / "images.tsv").read_text()
    (folder / "images.tsv").write_text(text + "r\tred\texposure\ta.fits\n")
    more = {"bands": bands} if bands else {}
    run = a_run(given, tmp_path / "out", asked, **places(folder), **more)
    used = len(NAMES) + (bands is None)
    for stage in (stage for stage in STAGES.values() if "images" in stage.parts):
        assert stage.groups(run) == min(asked, used), stage.name
    part = STAGES["preprocess"].parts["images"]
    watched = [path for group in range(run.image_groups) for path in part.reads(run, group=group)["images"]]
    assert len(watched) == used + run.image_groups, "each group watches the table as well"
    run_stage("preprocess", run.config, run.layout, part="images", group=run.image_groups - 1)
    last = run.layout.image_group("preprocess", run.image_groups - 1, run.image_groups)
    assert json.loads(last.read_text())["names"]


def test_more_groups_than_images_give_the_same(given, whole, tmp_path):
    run = a_run(given, tmp_path / "out", 50)
    run_all(run, lambda stage, *both: divided(stage, run))
    assert results_of(run) == whole
