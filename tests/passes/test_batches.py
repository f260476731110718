"""The pool of patches: results do not depend on jobs, cores or interruptions; failures are kept."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest

from fpho import records
from fpho.config import make_config
from fpho.errors import DamagedError, InputError, MachineError
from fpho.files import write_text
from fpho.flags import Flag
from fpho.layout import Layout
from fpho.passes import accounts, batches, identity, outcomes, running
from fpho.passes.needs import planned_jobs
from fpho.passes.plan import read_plan
from fpho.passes.planning import plan_patches
from fpho.passes.results import results_of
from fpho.records import RecordFile, records_in
from fpho.scene import read_scene, write_scene
from tests.conftest import TOP
from tests.passes import toy
from tests.scene.making import BANDS, random_rows

ROWS = random_rows(60, seed=3, side=25)
OPTIONS = {"patches": {"strict": False, "maxactive_per_patch": 4}, "optimize": {"rounds": 1}}


@pytest.fixture
def use(monkeypatch):
    """Choose the stand-in for the fit."""
    monkeypatch.setattr(identity, "code_hash", lambda *modules, **options: "code")

    def choose(function):
        monkeypatch.setattr(running, "worker", lambda stage: function)

    choose(toy.fit)
    return choose


def prepare(folder, **workflow):
    config = make_config({**OPTIONS, "outdir": str(folder), "workflow": workflow})
    layout = Layout(folder)
    write_scene(layout.scene("initial"), ROWS, BANDS)
    batches.plan(config, layout, "optimize", layout.scene("initial"))
    return config, layout


def run_whole(folder, cores=1):
    """A pass in one job; the state after it."""
    config, layout = prepare(folder)
    start, after = layout.scene("initial"), layout.scene("optimize")
    batches.run_batch(config, layout, "optimize", "all", 0, cores, start)
    batches.gather(config, layout, "optimize", "all", start, after)
    return read_scene(after)[0], layout


def run_divided(folder, n_batches, job_seconds=0.0):
    """A pass in its plan's jobs, batches in reverse order."""
    config, layout = prepare(folder, batches=n_batches, job_seconds=job_seconds)
    state, jobs = layout.scene("initial"), planned_jobs(layout.plan("optimize"))
    for colour in sorted({step for step, _ in jobs}):
        for batch in reversed([batch for step, batch in jobs if step == colour]):
            batches.run_batch(config, layout, "optimize", colour, batch, 1, state)
        after = layout.state_after("optimize", colour)
        batches.gather(config, layout, "optimize", colour, state, after)
        state = after
    return read_scene(state)[0]


def test_results_do_not_depend_on_cores_or_batches(use, tmp_path):
    """Steps of several colours included."""
    one, layout = run_whole(tmp_path / "one")
    made = read_plan(layout.plan("optimize"))
    some = sum(patch.seconds for patch in made.patches if patch.colour == 0) / 2
    assert made.n_colours > 2
    assert np.all(one["n_patch"] == 1) and np.all(one["n_iter"] == 8)
    assert np.all(one["g"] != ROWS["g"])
    others = [
        run_whole(tmp_path / "two", cores=2)[0],
        run_divided(tmp_path / "b1", 1),
        run_divided(tmp_path / "b2", 2, job_seconds=some),
        run_divided(tmp_path / "b3", 3),
    ]
    for other in others:
        assert other.tobytes() == one.tobytes()


def test_finished_patches_are_never_done_again(use, tmp_path):
    one, _ = run_whole(tmp_path)
    use(toy.forbidden)
    again, layout = run_whole(tmp_path)
    assert again.tobytes() == one.tobytes()
    changed = ROWS.copy()
    changed["g"][0] += 1
    write_scene(layout.scene("initial"), changed, BANDS)
    config = make_config({**OPTIONS, "outdir": str(tmp_path)})
    batches.run_batch(config, layout, "optimize", "all", 0, 1, layout.scene("initial"))
    logs = [outcome.log for outcome in outcomes.read_outcomes(layout.batch("optimize", "all", 0), ROWS.dtype)]
    redone = [entry for entry in logs if "done again" in entry.failure]
    assert 0 < len(redone) < len(logs), "only the changed source's patch and its neighbours"


def test_finished_patches_are_found_whatever_the_number_of_batches(use, tmp_path):
    one = run_divided(tmp_path, 4)
    layout = Layout(tmp_path)
    files = {path: path.read_bytes() for path in layout.patches.iterdir()}
    assert sorted(path.name for path in files) == [f"optimize_batch{k}.records" for k in range(4)]
    use(toy.forbidden)
    for n_batches in (1, 16, 3):
        assert run_divided(tmp_path, n_batches).tobytes() == one.tobytes()
        assert {path: path.read_bytes() for path in files} == files
    assert run_whole(tmp_path)[0].tobytes() == one.tobytes()
    for path in files:
        path.unlink()
    use(toy.fit)
    assert run_divided(tmp_path, 16).tobytes() == one.tobytes()


def test_two_jobs_do_not_write_one_batch(use, tmp_path, monkeypatch):
    config, layout = prepare(tmp_path)
    monkeypatch.setattr(records, "PATIENCE", 0.1)
    start, words = layout.scene("initial"), r"optimize_batch0.records: another process writes it"
    with RecordFile(layout.records("optimize", 0)), pytest.raises(MachineError, match=words):
        batches.run_batch(config, layout, "optimize", "all", 0, 1, start)
    batches.run_batch(config, layout, "optimize", "all", 0, 1, start)


PROGRAM = """
import sys
from pathlib import Path
from tests.passes import test_batches as t, toy
t.identity.code_hash = lambda *modules, **options: "code"
t.running.worker = lambda stage: toy.slow
t.run_whole(Path(sys.argv[1]), cores=2)
"""


def test_killed_in_the_middle_it_goes_on(use, tmp_path):
    whole, _ = run_whole(tmp_path / "whole")
    folder = tmp_path / "killed"
    job = subprocess.Popen([sys.executable, "-c", PROGRAM, folder], cwd=TOP, start_new_session=True)
    kept = Layout(folder).records("optimize", 0)
    while job.poll() is None and len(records_in(kept)) < 3:
        time.sleep(0.02)
    os.killpg(job.pid, signal.SIGKILL)
    assert job.wait() == -signal.SIGKILL, "it ended before it could be killed"
    before, content = dict(records_in(kept)), kept.read_bytes()
    assert 3 <= len(before) < len(read_plan(Layout(folder).plan("optimize")).patches)
    again, _ = run_whole(folder)
    assert kept.read_bytes().startswith(content[: max(one.at + one.size for one in before.values())])
    assert set(before) < set(records_in(kept)) and again.tobytes() == whole.tobytes()


def test_a_failure_of_the_fit_is_recorded_and_flagged(use, tmp_path):
    use(toy.troubled)
    rows, layout = run_whole(tmp_path, cores=2)
    patches = read_plan(layout.plan("optimize")).patches
    failed = np.isin(rows["source_index"], patches[1].active)
    assert np.all((rows["flags"] & Flag.OPTIMIZE_FAILED > 0) == failed)
    assert np.array_equal(rows["g"][failed], ROWS["g"][failed])
    assert np.all(rows["g"][~failed] != ROWS["g"][~failed])
    assert np.array_equal(rows["n_iter"], np.where(failed, 0, 8))
    log = json.loads(layout.scene("optimize").with_suffix(".log.json").read_text())
    (entry,) = [entry for entry in log if entry["failure"]]
    assert "no such luck" in entry["failure"] and entry["patch"] == 1
    assert entry["active"] == [f"s{i}" for i in patches[1].active]
    use(toy.fit)
    mended, _ = run_whole(tmp_path)
    assert not np.any(mended["flags"] & Flag.OPTIMIZE_FAILED), "a failed patch is tried again"
    cut = np.isin(rows["source_index"], np.concatenate([p.active for p in patches if p.truncated]))
    assert 0 < cut.sum() < len(cut)
    for some in (rows, mended):
        assert np.array_equal(some["flags"] & Flag.TRUNCATED_PATCH > 0, cut)


@pytest.mark.parametrize(
    ("function", "cores", "words"),
    [
        (toy.deadly, 2, "patch 1: the worker process died .signal 9"),
        (toy.greedy, 2, "patch 1: MemoryError. Give it more memory"),
        (toy.greedy, 1, "patch 1: MemoryError"),
        (toy.crowded, 2, "patch 1: OSError.*No space left.*Make room on the disk"),
    ],
)
def test_trouble_of_the_machine_stops_the_job_and_loses_nothing(use, tmp_path, function, cores, words):
    """What is finished by then stays; nothing is flagged as a fit that failed."""
    whole, _ = run_whole(tmp_path / "whole")
    use(function)
    with pytest.raises(MachineError, match=f"optimize, {words}.*run the same command again"):
        run_whole(tmp_path / "run", cores)
    layout = Layout(tmp_path / "run")
    assert not layout.scene("optimize").exists()
    finished = records_in(layout.records("optimize", 0))
    name = read_plan(layout.plan("optimize")).patches[1].name
    assert not [key for key in finished if key.startswith(f"outcome {name} ")]
    assert cores == 1 or len(finished) > 2
    use(toy.fit)
    again, _ = run_whole(tmp_path / "run")
    assert again.tobytes() == whole.tobytes()


@pytest.mark.parametrize("function", [toy.deadly, toy.greedy, toy.crowded])
def test_trouble_of_the_machine_that_passes_costs_one_repeat(use, tmp_path, function):
    whole, _ = run_whole(tmp_path / "whole")
    write_text(tmp_path / "run" / "passing", "")
    use(function)
    assert run_whole(tmp_path / "run", 2)[0].tobytes() == whole.tobytes()
    assert (tmp_path / "run" / "passing").read_text() == "it was"


@pytest.mark.parametrize("spoil", [lambda b: b[: len(b) // 2], lambda b: b"", lambda b: flipped(b, 700)])
def test_a_damaged_patch_is_done_again(use, tmp_path, spoil, caplog):
    """And a batch that is damaged is put together again when it is deleted, as the message says."""
    whole, layout = run_whole(tmp_path)
    name = read_plan(layout.plan("optimize")).patches[2].name
    path = layout.records("optimize", 0)
    (record,) = [one for key, one in records_in(path).items() if key.startswith(f"outcome {name} ")]
    path.write_bytes(flipped(path.read_bytes(), record.at + 99))
    assert run_whole(tmp_path)[0].tobytes() == whole.tobytes()
    assert [r.getMessage() for r in caplog.records if "patch 2 is done again" in r.getMessage()]
    path.write_bytes(spoil(path.read_bytes()))
    assert run_whole(tmp_path)[0].tobytes() == whole.tobytes()
    config = make_config({**OPTIONS, "outdir": str(tmp_path)})
    batch, start = layout.batch("optimize", "all", 0), layout.scene("initial")
    batch.write_bytes(spoil(batch.read_bytes()))
    with pytest.raises(DamagedError, match=f"{batch.name}: damaged.*Delete it"):
        batches.gather(config, layout, "optimize", "all", start, tmp_path / "again.fits")
    batch.unlink()
    use(toy.forbidden)
    batches.run_batch(config, layout, "optimize", "all", 0, 1, start)
    batches.gather(config, layout, "optimize", "all", start, tmp_path / "again.fits")
    assert read_scene(tmp_path / "again.fits")[0].tobytes() == whole.tobytes()


def flipped(content: bytes, at: int) -> bytes:
    return content[:at] + bytes([content[at] ^ 4]) + content[at + 1 :]


@pytest.mark.parametrize("kind", ["plan", "state", "log"])
def test_what_cannot_be_made_again_here_is_named(use, tmp_path, kind):
    _, layout = run_whole(tmp_path)
    config = make_config({**OPTIONS, "outdir": str(tmp_path)})
    path = {
        "plan": layout.plan("optimize"),
        "state": layout.scene("initial"),
        "log": layout.scene("optimize").with_suffix(".log.json"),
    }[kind]
    path.write_bytes(flipped(path.read_bytes(), path.stat().st_size // 2))
    with pytest.raises(DamagedError, match=f"{path.name}: damaged.*Delete it"):
        if kind == "log":
            results_of(layout, "optimize")
        batches.run_batch(config, layout, "optimize", "all", 0, 1, layout.scene("initial"))


def test_a_batch_of_another_plan_is_not_taken(use, tmp_path):
    """Nor one whose patches are not those of the plan."""
    _, layout = run_whole(tmp_path)
    config = make_config({**OPTIONS, "patches": {"strict": True}, "outdir": str(tmp_path)})
    start, after = layout.scene("initial"), layout.scene("optimize")
    batches.plan(config, layout, "optimize", start)
    with pytest.raises(DamagedError, match="made from another plan or state"):
        batches.gather(config, layout, "optimize", "all", start, after)
    batches.run_batch(config, layout, "optimize", "all", 0, 1, start)
    some = outcomes.read_outcomes(layout.batch("optimize", "all", 0), ROWS.dtype)
    made = read_plan(layout.plan("optimize"))
    swapped = [replace(some[0], log=some[1].log), replace(some[1], log=some[0].log), *some[2:]]
    cut = [replace(some[0], final=some[0].final[1:]), *some[1:]]
    for wrong, words in (
        (some[1:], f"no patch {some[0].log.patch}"),
        (some + some[:1], f"twice patch {some[0].log.patch}"),
        (some[:1] * 2, "no patch.*twice"),
        (swapped, f"patch {some[1].log.patch} has other sources"),
        (cut, f"patch {some[0].log.patch} has other sources"),
    ):
        outcomes.write_outcomes(tmp_path / "batch.h5", wrong, ROWS.dtype)
        share = outcomes.read_share(tmp_path / "batch.h5", ROWS.dtype)
        with pytest.raises(InputError, match=words):
            accounts.check_share(share, made, made.places("all", 0), ROWS, "batch.h5")


def test_a_source_in_no_patch_is_seen():
    plan = plan_patches(ROWS)
    accounts.check_cover(plan, ROWS, "plan.h5")
    with pytest.raises(InputError, match="sources are in no patch, the first with index"):
        accounts.check_cover(replace(plan, patches=plan.patches[1:]), ROWS, "plan.h5")
    with pytest.raises(InputError, match="60 sources went in and 59"):
        accounts.check_sources(ROWS, ROWS[1:], "state.fits")


@pytest.mark.parametrize("cores", [1, 2])
def test_what_the_user_must_mend_stops_the_run(use, tmp_path, cores):
    use(toy.misled)
    with pytest.raises(InputError, match=r"store.h5: is not there. Run `fpho preprocess` first"):
        run_whole(tmp_path, cores)


def test_an_empty_batch_is_whole(use, tmp_path):
    config, layout = prepare(tmp_path, batches=50)
    start = layout.scene("initial")
    batches.run_batch(config, layout, "optimize", 19, 49, 1, start)
    assert not layout.patches.exists(), "nothing is kept of it"
    assert outcomes.read_outcomes(layout.batch("optimize", 19, 49), ROWS.dtype) == []


def test_few_processes_share_a_gpu(use, tmp_path, monkeypatch):
    """Also where the job has many cores: they take turns on the card."""
    config, layout = prepare(tmp_path)
    seen, real = [], batches.run_tasks
    monkeypatch.setattr(
        batches, "run_tasks", lambda tasks, cores, kept: seen.append(cores) or real(tasks, 1, kept)
    )
    for kernel, expected in (("cpu", 16), ("gpu", 3)):
        options = config.model_copy(
            update={
                "kernel": kernel,
                "workflow": config.workflow.model_copy(update={"gpu_processes": 3}),
            }
        )
        batches.run_batch(options, layout, "optimize", "all", 0, 16, layout.scene("initial"))
        assert set(seen) == {expected}
        seen.clear()
