"""The command line: every stage is there, options are read, bad input is one message and status 2."""

import subprocess
import sys

import pytest
import yaml
from typer.testing import CliRunner

from fpho.cli.app import app, main
from fpho.cli.stages import WITHOUT_COMMAND
from fpho.config import Config, make_config
from fpho.stages.registry import STAGES

COMMANDS = [name for name in STAGES if name not in WITHOUT_COMMAND]
COMMANDS += ["render", "config", "flags", "stages"]


@pytest.mark.parametrize("stage", COMMANDS)
def test_every_stage_explains_itself(stage):
    answer = CliRunner().invoke(app, [stage, "--help"])
    assert answer.exit_code == 0
    assert "Usage" in answer.output


def test_config_prints_what_config_reads():
    answer = CliRunner().invoke(app, ["config"])
    assert make_config(yaml.safe_load(answer.output)) == Config()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["check", "--set", "sample.warmpu=3"], ["sample.warmpu", "Did you mean 'sample.warmup'?"]),
        (["check", "--set", "sample.warmup"], ["has no '='", "section.option=value"]),
        (["check", "--config", "absent.yaml"], ["absent.yaml", "no such configuration file"]),
        (["sample", "gather", "--colour", "red"], ["'red' is no colour", "number from 0"]),
        (["postprocess", "--root", "absent"], ["absent/config.yaml", "folder of a run"]),
    ],
)
def test_bad_input_is_one_message(arguments, words, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FPHO_CONFIG", raising=False)
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    message = capsys.readouterr().err
    assert stop.value.code == 2
    assert len(message.strip().splitlines()) == 1
    assert all(word in message for word in words)
    assert list(tmp_path.iterdir()) == []


def test_starting_is_light():
    """`fpho --help` must not wait for numerical packages."""
    heavy = ("numpy", "numba", "astropy", "h5py", "scipy")
    program = f"import sys, fpho.cli; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
