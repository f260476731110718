"""`fpho plan`: what a pass will do, in words and as a picture, on the latest state that is there."""

from dataclasses import replace

import numpy as np
import pytest

from fpho.cli.app import main
from fpho.config import make_config
from fpho.errors import InputError
from fpho.images import write_store
from fpho.layout import Layout
from fpho.passes.batches import make_task
from fpho.passes.kept import KeptPatches
from fpho.passes.logs import line_of, write_lines
from fpho.passes.running import identified
from fpho.passes.tasks import PatchLog, PatchOutcome
from fpho.scene import write_scene
from fpho.stages.outlook import outlook
from tests.scene.making import BANDS, random_rows


@pytest.fixture
def run(tmp_path):
    """A run with its first state of the scene alone."""
    layout = Layout(tmp_path / "out")
    write_scene(layout.scene("initial"), random_rows(120, seed=3), BANDS)
    tree = {"outdir": str(layout.outdir), "simulate.scene": "tiny", "workflow.batches": 3}
    tree["workflow.job_seconds"] = 0.0
    return make_config(tree), layout


def test_jobs_and_time_are_told(run):
    found = outlook(*run)
    words = str(found)
    assert "initial.fits" in words and "120 sources" in words
    rows = words.split("memory\n")[1].split("patches that")[0].splitlines()
    counts = np.array([[int(word) for word in (row.split()[2], row.split()[3])] for row in rows])
    assert counts[:, 0].sum() == len(found.plan.patches) and counts[0, 1] == 3
    assert not len(found.ratio) and "predicted over real" not in words


def test_a_log_is_held_against_the_prediction(run):
    config, layout = run
    found = outlook(config, layout)
    ids = found.rows["id"].astype(str)
    logs = [
        PatchLog(active=tuple(ids[list(patch.active)]), seconds=patch.seconds / 3)
        for patch in found.plan.patches
    ]
    lines = [line_of(entry).encode() for entry in (*logs, replace(logs[0], seconds=0.0))]
    write_lines(layout.patch_log("sample"), lines)
    assert outlook(config, layout).ratio == pytest.approx(np.full(len(logs), 3.0))


def test_what_is_not_fitted_yet_is_told(run):
    config, layout = run
    write_store(layout.pixels("mosaic"), layout.meta("mosaic"), [])
    found = outlook(config, layout, "optimize", waiting=True)
    first = [patch for patch in found.plan.patches if patch.colour == 0]
    assert found.waiting == first and f"not fitted yet: {len(first)} patches" in str(found)
    with KeptPatches.written_by(layout, "optimize", 2) as kept:
        for patch in first:
            task = identified(make_task(config, layout, "optimize", patch, BANDS, found.rows, found.plan))
            kept.keep(task, PatchOutcome(task.active))
    later = outlook(config, layout, "optimize", waiting=True).waiting
    assert {patch.colour for patch in later} == {1}


def test_the_command_draws_it_and_bad_calls_are_told(run, tmp_path, capsys):
    path = tmp_path / "my.yaml"
    path.write_text(f"outdir: {run[1].outdir}\nsimulate: {{scene: tiny}}\n")
    with pytest.raises(SystemExit) as end:
        main(["plan", str(path), "--out", str(tmp_path / "plan.png")])
    assert not end.value.code and "picture:" in capsys.readouterr().out
    assert (tmp_path / "plan.png").read_bytes()[:4] == b"\x89PNG"
    with pytest.raises(InputError, match="optimize, reoptimize, sample"):
        outlook(*run, stage="scene")
    with pytest.raises(InputError, match="fpho run CONFIG scene"):
        outlook(run[0], Layout(tmp_path / "nothing"))
