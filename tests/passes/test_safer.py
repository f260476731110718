"""A patch whose fit failed is tried once more with safer settings, and says so."""

import json

import numpy as np
import pytest

from fpho.config import make_config, view, with_values
from fpho.flags import Flag
from fpho.layout import Layout
from fpho.passes import identity, running
from fpho.passes.plan import PatchPlan
from fpho.passes.safer import SAFER, safer
from fpho.passes.tasks import PatchTask
from tests.passes import toy
from tests.passes.test_batches import run_whole


def task_of(stage: str, **options) -> PatchTask:
    none = np.zeros(0)
    config = view(make_config({"simulate.scene": "tiny", **options}), (SAFER[stage][0],))
    patch = PatchPlan(0, None, (), (), (), 0, 0, 0, False)
    seed = np.random.SeedSequence(1)
    return PatchTask(
        config, Layout("out"), stage, None, patch, ("g",), none, none, none, seed, "hash", "work/p.checkpoint"
    )


def test_a_fit_that_fails_is_repeated_with_safer_settings(monkeypatch, tmp_path):
    monkeypatch.setattr(identity, "code_hash", lambda *modules, **options: "code")
    states = []
    for function in (toy.fit, toy.wants_bfgs):
        monkeypatch.setattr(running, "worker", lambda stage, function=function: function)
        states.append(run_whole(tmp_path / function.__name__))
    (one, _), (other, layout) = states
    assert other.tobytes() == one.tobytes() and not np.any(other["flags"] & Flag.OPTIMIZE_FAILED)
    entries = json.loads(layout.patch_log("optimize").read_text())
    (entry,) = [entry for entry in entries if "optimize.method: bfgs" in entry["message"]]
    assert entry["patch"] == 1 and not entry["failure"]
    assert "no such luck" in entry["message"] and "Traceback" in entry["traceback"]


@pytest.mark.parametrize("stage", SAFER)
def test_safer_settings_are_allowed_ones_and_tried_once(stage):
    task = task_of(stage)
    again = safer(task)
    section, name, value = SAFER[stage]
    assert getattr(getattr(again.config, section), name) == value
    assert getattr(getattr(task.config, section), name) != value
    make_config({"simulate.scene": "tiny", f"{section}.{name}": value})
    assert again.identity == task.identity and again.checkpoint != task.checkpoint
    assert again.checkpoint.startswith(task.checkpoint), "it is removed with the patch's others"
    assert safer(again) is None


def test_other_values_stay():
    config = make_config({"simulate.scene": "tiny", "sample.chains": 2})
    other = with_values(config, "sample", sampler="split")
    assert other.sample.chains == 2 and other.sample.sampler == "split" and config.sample.sampler != "split"
    assert other.optimize == config.optimize
