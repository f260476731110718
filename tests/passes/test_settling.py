"""Sweeps: patches are fitted again where the light of their neighbours moved, and only there."""

import numpy as np
import pytest

from fpho.config import make_config
from fpho.flags import Flag
from fpho.layout import Layout
from fpho.passes import batches, identity, running, settling
from fpho.passes.logs import read_log
from fpho.passes.needs import planned_jobs
from fpho.passes.plan import read_plan
from fpho.scene import read_scene, write_scene
from tests.passes import toy
from tests.scene.making import BANDS, random_rows

ROWS = random_rows(60, seed=3, side=25)
ROWS["source_index"] = (np.arange(60) + 45) % 60  # the restless one has neighbours of earlier colours


def run(folder, function, monkeypatch, rounds=3, n_batches=1, job_seconds=None, start=ROWS):
    """(rows with flags, plan, logs) of a pass with a stand-in, in one job or, by `job_seconds`, many."""
    monkeypatch.setattr(identity, "code_hash", lambda *modules, **options: "code")
    monkeypatch.setattr(running, "worker", lambda stage: function)
    config = make_config(
        {
            "patches": {"strict": False, "maxactive_per_patch": 4},
            "optimize": {"rounds": rounds},
            "outdir": str(folder),
            "workflow": {"batches": n_batches, "job_seconds": job_seconds or 0.0},
        }
    )
    layout, logs = Layout(folder), []
    state = layout.scene("initial")
    write_scene(state, start, BANDS)
    batches.plan(config, layout, "optimize", state)
    jobs = [("all", 0)] if job_seconds is None else planned_jobs(layout.plan("optimize"))
    for colour in sorted({step for step, _ in jobs}):
        for batch in [batch for step, batch in jobs if step == colour]:
            batches.run_batch(config, layout, "optimize", colour, batch, 1, state)
        after = layout.state_after("optimize", colour)
        batches.gather(config, layout, "optimize", colour, state, after)
        logs += read_log(layout.patch_log("optimize", colour))
        state = after
    plan = read_plan(layout.plan("optimize"))
    noted = [settling.Settling.of(entry) for entry in logs]
    return settling.flagged(read_scene(state)[0], BANDS, plan, noted), plan, logs


def unsettled(rows):
    return rows["flags"] & Flag.NEIGHBOUR_UNSETTLED > 0


def test_just_the_patches_that_saw_the_old_neighbour_are_done_again(monkeypatch, tmp_path):
    """Those of colours before that of the source that moves; after one round their sources are flagged."""
    restless = int(np.flatnonzero(ROWS["source_index"] == 0)[0])
    once, plan, _ = run(tmp_path / "one", toy.restless, monkeypatch, rounds=1)
    (own,) = [patch for patch in plan.patches if restless in patch.active]
    stale = [p for p in plan.patches if restless in p.fixed and p.colour < own.colour]
    assert 0 < len(stale) < len(plan.patches) / 2
    expected = np.isin(np.arange(60), np.concatenate([p.active for p in stale]))
    assert np.array_equal(unsettled(once), expected)
    rows, plan, logs = run(tmp_path / "three", toy.restless, monkeypatch)
    redone = [e.patch for e in logs if plan.patches[e.patch].previous >= 0 and e.message != settling.KEPT]
    assert sorted(plan.patches[k].active for k in redone) == sorted(p.active for p in stale)
    assert len(logs) == len(plan.patches) and not unsettled(rows).any()


@pytest.mark.parametrize("share", [0.0, 0.3, 2.0])
def test_sweeps_do_not_depend_on_jobs(monkeypatch, tmp_path, share):
    """Every colour is a step, some are, or all are one; `share`: of the work of a colour."""
    one, plan, logs = run(tmp_path / "one", toy.fit, monkeypatch)
    seconds = share * sum(patch.seconds for patch in plan.patches if patch.colour == 0)
    again = sum(entry.message != settling.KEPT for entry in logs)
    assert again > len(plan.patches) / 3, "sources of this stand-in move in each round"
    other, divided, _ = run(tmp_path / "many", toy.fit, monkeypatch, n_batches=2, job_seconds=seconds)
    assert other.tobytes() == one.tobytes()
    steps = len({step for step, _ in divided.jobs})
    assert steps == plan.n_colours if share == 0 else steps == 1 if share > 1 else 1 < steps < plan.n_colours


def test_a_failed_neighbour_is_told_and_the_flag_goes_when_it_is_mended(monkeypatch, tmp_path):
    plan = run(tmp_path, toy.restless, monkeypatch, rounds=1)[1]
    start, failed = ROWS.copy(), list(plan.patches[1].active)
    start["g"][failed] = 1e9
    rows = run(tmp_path, toy.troubled, monkeypatch, rounds=1, start=start)[0]
    beside = [i for p in plan.patches if set(failed) & set(p.fixed) for i in p.active]
    assert len(beside) and unsettled(rows)[beside].all()
    rows["flags"] &= ~int(Flag.OPTIMIZE_FAILED)  # as a fit that ends well leaves them
    mended = run(tmp_path, toy.restless, monkeypatch, start=rows)[0]
    assert not unsettled(mended).any()


def test_light_counts_where_it_is():
    """A change of flux near by counts in flux errors; far away, or of a settled one, it does not."""
    own, near = ROWS[:1].copy(), ROWS[1:2].copy()
    own["ra"], own["dec"], own["rhalf"], own["g_err"], own["r_err"] = 10.0, 0.0, 0.2, 1.0, 1.0
    near["ra"], near["dec"], near["rhalf"], near["g"], near["r"] = 10.0, 0.4 / 3600, 0.2, 100.0, 100.0
    brighter, far, shifted = near.copy(), near.copy(), near.copy()
    brighter["g"] *= 1.5
    shifted["dec"] += 0.1 / 3600
    assert settling.change(own, near, near, BANDS, 0.1)[0] == 0
    assert settling.change(own, near, brighter, BANDS, 0.1)[0] > settling.MOVED
    assert settling.change(own, near, shifted, BANDS, 0.1)[0] > settling.MOVED
    far["dec"] += 8 / 3600
    brighter["dec"] = far["dec"]
    assert settling.change(own, far, brighter, BANDS, 0.1)[0] < settling.MOVED
