"""`fpho status` from the records of jobs; the workflow is found; the version; groups of the help."""

import json
import os
import re

import pytest
from typer.testing import CliRunner

from fpho import __version__
from fpho.cli.app import app
from fpho.cli.running import snakefile
from fpho.config import make_config
from fpho.layout import Layout
from fpho.progress import duration, pace, progress, recorded
from fpho.stages.stage import ConfiguredRun
from fpho.stages.status import status, status_of


@pytest.fixture
def run(tmp_path):
    layout = Layout(tmp_path / "out")
    (tmp_path / "out").mkdir()
    config = make_config({"outdir": str(layout.outdir), "simulate.scene": "tiny"})
    layout.config_json.write_text(config.model_dump_json())
    return ConfiguredRun(config, layout)


def finish(run, *names):
    """Outputs of stages, empty."""
    from fpho.stages.registry import STAGES

    for name in names:
        for some in STAGES[name].writes(run).values():
            for path in some if isinstance(some, list) else [some]:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.touch()


def states(found):
    return {stage.name: stage.state for stage in found.stages}


def test_a_running_stage_says_how_far_it_is(run):
    finish(run, "simulate", "check")
    run.layout.config_json.write_text(run.config.model_dump_json())
    with recorded(run.layout.progress("optimize")), progress("optimize", 4, 40.0) as advance:
        advance("patch 0", 2, 25.0)
        advance("patch 1", 1, 5.0)
        json_before = json.loads(run.layout.progress("optimize").read_text())
        assert json_before["total"] == 4 and json_before["pid"] == os.getpid()
        # the record is written at most once a second: the last is forced here
        from fpho.progress import current

        current[-1].write()
        found = status_of(run.layout.outdir)
        assert found.state == "running" and states(found)["optimize"] == "running"
        assert "2 of 4 patches, 2 left, 3 sources flagged" in str(found)
        assert current[-1].values["share"] == 0.75
        assert re.search(r"a (second|minute), .* left", found.headline)
    finish(run, "optimize")
    assert states(status(run))["optimize"] == "done"


def test_a_job_that_counts_nothing_says_for_how_long_it_works(run):
    path = run.layout.progress("psf")
    with recorded(path):
        record = json.loads(path.read_text())
        path.write_text(json.dumps(record | {"started": record["started"] - 300}))
        assert "running; at work for 5 min" in str(status(run))
    path.write_text(json.dumps(record | {"started": record["updated"] - 60, "began": "1"}))
    assert "stopped; for 60 s" in str(status(run))  # it was killed


def test_a_killed_and_a_failed_job(run):
    with pytest.raises(ZeroDivisionError), recorded(run.layout.progress("psf")):
        raise ZeroDivisionError
    with recorded(run.layout.progress("sample_batch2")):
        pass
    path = run.layout.progress("sample_batch2")
    path.write_text(json.dumps(json.loads(path.read_text()) | {"ended": None, "began": "1"}))
    found = states(status(run))
    assert found["psf"] == "failed" and found["sample"] == "stopped" and found["scene"] == "waiting"
    assert status(run).state == "failed"
    (run.layout / "progress" / "psf.json").write_text("{ cut")
    assert states(status(run))["psf"] == "waiting"


def test_without_a_configuration_nothing_is_finished(run):
    """`settings` has not run yet: what has left records is told, and that others wait."""
    run.layout.config_json.unlink()
    with recorded(run.layout.progress("psf")):
        pass
    found = status_of(run.layout.outdir)
    assert states(found) == {"psf": "done", "others": "waiting"} and found.state == "stopped"


def test_no_run_is_said(tmp_path):
    answer = CliRunner().invoke(app, ["status", str(tmp_path)])
    assert "no run is here" in str(answer.exception)


def test_a_stage_keeps_a_record(run):
    from fpho.stages.running import run_stage

    run_stage("settings", run.config, run.layout)
    record = json.loads(run.layout.progress("settings").read_text())
    assert record["ended"] == "done" and record["job"] == "settings"
    with pytest.raises(Exception):  # noqa: B017  there is no optimum yet
        run_stage("postop", run.config, run.layout)
    assert states(status(run))["postop"] == "failed"


def test_words_of_time():
    assert pace(30, 90, 1 / 3, 60.0) == "30.0 a minute, 120 s left".replace("120 s", duration(120))
    assert pace(2, 90, 0.75, 60.0) == "2.0 a minute, 20 s left"  # the two that take the longest
    assert pace(0, 5, 0.0, 3.0) == "" and pace(5, 5, 1.0, 1.0) == "5.0 a second, all done"
    assert duration(10) == "10 s" and duration(600) == "10 min" and duration(3 * 3600) == "3.0 h"


def test_the_workflow_is_found_and_the_version_told():
    assert (snakefile().parent / "workflow" / "rules" / "common.smk").is_file()
    assert CliRunner().invoke(app, ["--version"]).output.strip() == __version__
    text = CliRunner().invoke(app, ["--help"]).output
    for words in ("Begin", "Run", "Stages one by one", "Look and use", "fpho init FOLDER"):
        assert words in text


def test_the_wheel_holds_the_workflow():
    """Every folder that the Snakefile reads beside itself is shipped."""
    import tomllib

    top = snakefile().parent
    shipped = tomllib.loads((top / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"][
        "wheel"
    ]
    files = shipped["force-include"]
    assert {"Snakefile", "workflow", "profiles", "config/default.yaml"} <= set(files)
    assert all((top / name).exists() for name in files)
