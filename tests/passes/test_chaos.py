"""A bad day in short: a pass with stand-ins for the fits is disturbed, and the same command goes on.

The long form, `benchmarks/chaos.py`, does the same to the whole workflow.
"""

import os
import random
import re
import signal
import sys
import time
from collections import Counter
from resource import RLIMIT_FSIZE, setrlimit

import pytest

from benchmarks.processes import Program
from fpho.layout import Layout
from tests.conftest import TOP

STAND_IN = """
import sys
from pathlib import Path
from tests.passes import test_batches as t, toy
t.identity.code_hash = lambda *modules, **options: "code"
t.running.worker = lambda stage: toy.brisk
t.run_whole(Path(sys.argv[1]), cores=2)
"""


class Trials:
    """A pass that is disturbed in a folder, each time from its beginning; `met` counts what was hit."""

    def __init__(self, folder):
        self.folder, self.rng, self.met = folder, random.Random(3), Counter()
        begun = time.monotonic()
        assert self.program().wait() == 0
        self.seconds, self.expected = time.monotonic() - begun, self.result()

    def program(self, **options) -> Program:
        return Program([sys.executable, "-c", STAND_IN, self.folder], TOP, **options)

    def result(self) -> bytes:
        return Layout(self.folder).scene("optimize").read_bytes()

    def fresh(self) -> None:
        for path in sorted(self.folder.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()

    def ends_well(self, program: Program) -> None:
        """Bit for bit, with no process and no file left over."""
        assert program.wait() == 0, program.text
        left = [path for path in self.folder.rglob(".*") if not path.name.endswith(".seal")]
        assert self.result() == self.expected
        assert left + list(self.folder.rglob("*.checkpoint*")) + program.left() == []

    def killed(self, kind: str) -> None:
        """SIGKILL to one process or the group at a random moment; then one ordinary command."""
        self.fresh()
        program = self.program()
        time.sleep(self.rng.uniform(0.05, 0.9) * self.seconds)
        os.kill(program.process.pid, signal.SIGKILL) if kind == "job" else program.kill_all()
        self.met[kind] += bool(program.wait())
        assert program.left() == []
        self.ends_well(self.program())

    def lost_worker(self, kind: str) -> None:
        """The pass goes on by itself."""
        self.fresh()
        program = self.program()
        while program.runs and not program.workers():
            time.sleep(0.01)
        time.sleep(self.rng.uniform(0, 0.3))
        if workers := program.workers():
            os.kill(self.rng.choice(workers), signal.SIGKILL)
            self.met[kind] += 1
        self.ends_well(program)

    def full_disk(self, kind: str) -> None:
        """Here a limit on the size of files; the message comes, and nothing is left."""
        self.fresh()
        limit = self.rng.randrange(60_000)
        program = self.program(preexec_fn=lambda: setrlimit(RLIMIT_FSIZE, (limit, -1)))
        if program.wait():
            self.met[kind] += 1
            assert re.search("Make room on the disk", program.text), program.text
            assert [path for path in self.folder.rglob(".*") if not path.name.endswith(".seal")] == []
        self.ends_well(self.program())


@pytest.fixture(scope="module")
def trials(tmp_path_factory):
    folder = tmp_path_factory.mktemp("chaos") / "run"
    folder.mkdir()
    return Trials(folder)


@pytest.mark.parametrize("kind", ["job", "worker", "group", "disk"])
def test_one_ordinary_command_goes_on(trials, kind):
    disturb = {"worker": trials.lost_worker, "disk": trials.full_disk}.get(kind, trials.killed)
    for _ in range(4):  # a moment may come too late
        if not trials.met[kind]:
            disturb(kind)
    assert trials.met[kind]
