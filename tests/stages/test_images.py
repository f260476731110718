"""Stages over images: by one process, by two, or as jobs for groups of images, they give the same bits."""

import json
from pathlib import Path

import numpy as np
import pytest

from fpho.config import make_config
from fpho.errors import DamagedError, InputError
from fpho.images import open_store
from fpho.layout import Layout
from fpho.passes.files import flattened
from fpho.scene import write_scene
from fpho.sersic import DEFAULT_PATH
from fpho.stages import mapping, preprocess, skies
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
    for group in (2, 0, 1):
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
    jobs += [("images", {"group": group}) for group in range(stage.groups(run.config))] + [("gather", {})]
    for part, which in jobs:
        assert set(flattened(stage.parts[part].reads(run, **which))) <= made, part
        made |= set(flattened(stage.parts[part].writes(run, **which)))
    assert len(jobs) >= GROUPS + 1 and set(flattened(stage.writes(run))) <= made


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
