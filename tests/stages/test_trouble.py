"""What a user sees of damage and of trouble of the machine: a message, exit status 2, and a way on."""

import errno
import io
import os
import subprocess
import sys

import pytest

from fpho.config import make_config
from fpho.errors import DamagedError, InputError, MachineError
from fpho.files import atomic, verify, write_text
from fpho.layout import Layout
from fpho.stages.running import damaged_set_aside, run_stage, told


def spoil(path):
    write_text(path, "content", seal=True)
    path.write_text("contend")


def test_a_damaged_file_of_the_run_is_set_aside(tmp_path):
    """So that the workflow finds it missing and makes it again."""
    layout = Layout(tmp_path / "run")
    path = layout.scene("optimize")
    spoil(path)
    with pytest.raises(
        DamagedError, match=r"optimize.fits: damaged.*now optimize.fits.damaged; run the same command"
    ):
        with damaged_set_aside(layout):
            verify(path)
    assert not path.exists() and path.with_name("optimize.fits.damaged").read_text() == "contend"
    write_text(path, "content", seal=True)
    verify(path)


def test_what_a_killed_job_left_goes_before_the_next_begins(tmp_path):
    """Beside the files that this job writes; what a living process writes stays."""
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    layout = Layout(tmp_path / "run")
    write_text(layout.posterior, "whole")
    config = make_config({"outdir": str(layout.outdir), "simulate.scene": "tiny"})
    with atomic(layout.chains) as alive:
        left = alive.with_name(alive.name.replace(f"-{os.getpid()}.", f"-{dead.pid}."))
        assert left.name != alive.name
        left.touch()
        with pytest.raises(InputError, match="no such scene state"):
            run_stage("postop", config, layout)
        assert alive.is_file() and layout.posterior.read_text() == "whole" and not left.exists()


def test_a_damaged_file_of_others_stays(tmp_path):
    path = tmp_path / "given" / "psfs.fits"
    spoil(path)
    with (
        pytest.raises(DamagedError, match=r"psfs.fits: damaged.*Delete it"),
        damaged_set_aside(Layout(tmp_path / "run")),
    ):
        verify(path)
    assert path.is_file()


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "a.fits"), "Make room on the disk"),
        (
            PermissionError(errno.EACCES, "Permission denied", "a.fits"),
            "'a.fits'. See that files can be read",
        ),
        (MemoryError(), "more memory or fewer --cores"),
        (MachineError("a.h5", "could not be written", "Make room"), "a.h5: could not be written. Make room"),
        (DamagedError("b.h5"), "b.h5: damaged"),
    ],
)
def test_trouble_is_told_without_a_traceback(error, words, capsys):
    with pytest.raises(SystemExit) as stopped, told():
        raise error
    assert stopped.value.code == 2
    text = capsys.readouterr().err
    assert text.startswith("fpho: ") and words in text and "Traceback" not in text and text.count("\n") == 1


def test_a_message_that_the_log_cannot_take_goes_to_the_screen(monkeypatch):
    """As where the log lies on the disk that is full."""
    full, screen = io.StringIO(), io.StringIO()
    monkeypatch.setattr(full, "write", raise_full, raising=False)
    monkeypatch.setattr(sys, "stderr", full)
    with pytest.raises(SystemExit), told(screen):
        raise_full()
    assert "Make room on the disk" in screen.getvalue()


def raise_full(*arguments):
    raise OSError(errno.ENOSPC, "No space left on device")


def test_faults_of_the_program_keep_their_traceback():
    with pytest.raises(KeyError), told():
        raise KeyError("name")
