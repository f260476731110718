"""Locks of killed runs go, those of a living one stay."""

import json
import os
import socket
import subprocess
import sys

import pytest

from fpho.locks import RUNS, own_locks


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "locks").mkdir()
    (tmp_path / RUNS).mkdir(parents=True)
    (tmp_path / "locks" / "0.output.lock").write_text("results/scene.fits\n")
    return tmp_path


def lock(folder):
    return (folder / "locks" / "0.output.lock").exists()


def write(folder, name="a", **values):
    (folder / RUNS / f"{name}.json").write_text(json.dumps(values))


def killed() -> dict:
    """The record of a process that is no more."""
    code = "import os, json; from fpho.locks import identity; print(json.dumps(identity(os.getpid())))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def test_of_dead_processes(folder, caplog):
    write(folder, "a", **killed())
    write(folder, "b", host=socket.gethostname(), pid=os.getpid(), began="1")  # its number came again
    own_locks(folder)
    assert not lock(folder) and "killed" in caplog.text
    (own,) = (folder / RUNS).iterdir()
    assert json.loads(own.read_text())["pid"] == os.getpid()


def test_of_a_living_process(folder):
    (folder / "locks" / "0.output.lock").unlink()
    own_locks(folder)  # this process is written down
    (folder / "locks" / "0.output.lock").write_text("results/scene.fits\n")
    write(folder, "a", **killed())
    own_locks(folder)
    assert lock(folder)


def test_of_another_host(folder):
    write(folder, **{**killed(), "host": "elsewhere"})
    own_locks(folder)
    assert lock(folder)


def test_of_nobody_knows_whom(folder):
    own_locks(folder)
    assert lock(folder)


@pytest.mark.parametrize("content", ["", "{}", "[1]", '{"host": "x", "pid": "y"}'])
def test_of_an_odd_record(folder, content):
    (folder / RUNS / "a.json").write_text(content)
    own_locks(folder)
    assert lock(folder)


def test_a_run_that_ends_well_leaves_no_record(tmp_path):
    code = (
        "import sys; from pathlib import Path; from fpho.locks import own_locks; own_locks(Path(sys.argv[1]))"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)
    assert list((tmp_path / RUNS).iterdir()) == []
