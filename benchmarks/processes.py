"""Programs with all processes that come of them, to be killed and looked after."""

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path

TOP = Path(__file__).parent.parent
ENVIRONMENT = {"NUMBA_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
FORK_SERVER, SCRIPT = b"multiprocessing.forkserver", b".snakemake/scripts/"


class Program:
    """A program that runs, and its processes, known by a mark in their environment."""

    def __init__(self, command, folder=TOP, **options):
        """`folder`: where it runs; `options`: of Popen."""
        self.mark = f"FPHO_CHAOS={uuid.uuid4().hex}"
        paths = os.pathsep.join([str(TOP / "src"), str(TOP), os.environ.get("PYTHONPATH", "")])
        name, value = self.mark.split("=")
        environment = {**os.environ, **ENVIRONMENT, "PYTHONPATH": paths, name: value}
        self.output = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            list(map(str, command)), cwd=folder, env=environment, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=self.output, stderr=self.output, **options,
        )  # fmt: skip

    @property
    def runs(self) -> bool:
        return self.process.poll() is None

    @property
    def text(self) -> str:
        """What it has said so far."""
        return os.pread(self.output.fileno(), os.fstat(self.output.fileno()).st_size, 0).decode(
            errors="replace"
        )

    def wait(self) -> int:
        """Exit status."""
        return self.process.wait()

    def alive(self) -> list[int]:
        """Its processes, itself among them, that have not ended."""
        return [pid for pid in processes() if self.mark.encode() in environment_of(pid) and not ended(pid)]

    def jobs(self) -> list[int]:
        """Scripts of rules of a workflow."""
        return [pid for pid in self.alive() if SCRIPT in arguments_of(pid)]

    def workers(self) -> list[int]:
        """Processes of a pool: children of a fork server."""
        return [pid for pid in self.alive() if FORK_SERVER in arguments_of(parent_of(pid))]

    def kill_all(self) -> None:
        """SIGKILL to the whole process group."""
        os.killpg(self.process.pid, signal.SIGKILL)

    def left(self, seconds: float = 15.0) -> list[str]:
        """Processes that live on some seconds later, by their command lines."""
        end = time.monotonic() + seconds
        while (alive := self.alive()) and time.monotonic() < end:
            time.sleep(0.05)
        return [command_of(pid) for pid in alive]


class Workflow(Program):
    """The workflow as a user calls it, in a folder that holds its configuration."""

    def __init__(self, folder, config, *more):
        command = [sys.executable, "-m", "snakemake", "--snakefile", TOP / "Snakefile"]  # whatever PATH has
        super().__init__([*command, "--configfile", config, "--cores", 2, *more], folder)

    def going(self) -> list[str]:
        """Names of the jobs that are at work."""
        return sorted({job_of(pid) for pid in self.jobs()} - {""})

    def at(self, job: str) -> tuple[list[int], list[int]]:
        """The process of a job, if it is at work, and those of its pool."""
        return tuple([pid for pid in some if job_of(pid) == job] for some in (self.jobs(), self.workers()))

    def stages(self) -> tuple[set[str], set[str]]:
        """Stages that have begun, and those of them that have ended."""
        jobs = dict(_job(block) for block in re.split(r"^(?:local)?rule ", self.text, flags=re.MULTILINE)[1:])
        finished = set(re.findall(r"^Finished jobid: (\d+) ", self.text, re.MULTILINE))
        ended = {stage for number, (stage, last) in jobs.items() if last and number in finished}
        return {stage for stage, _ in jobs.values()}, ended


def _job(block: str) -> tuple[str, tuple[str, bool]]:
    """Number of a job, its stage, and whether it is the last of that stage, from what is said of it."""
    rule, number = block.partition(":")[0], re.search(r"^    jobid: (\d+)", block, re.MULTILINE)
    of_pass = re.search(r"^    wildcards: .*?stage=(\w+)", block, re.MULTILINE)
    stage = of_pass[1] if of_pass else re.sub("_(start|images)$", "", rule)
    return number[1] if number else "", (stage, rule in (stage, "finish"))


def processes() -> list[int]:
    return [int(path.name) for path in Path("/proc").glob("[0-9]*")]


def environment_of(pid: int) -> list[bytes]:
    return _read(pid, "environ").split(b"\0")


def arguments_of(pid: int) -> bytes:
    return _read(pid, "cmdline")


def command_of(pid: int) -> str:
    """Its command line."""
    return arguments_of(pid).replace(b"\0", b" ").decode(errors="replace").strip()


def job_of(pid: int) -> str:
    """Name of the job of a workflow that it is, or works for: its log's; none before it has one."""
    try:
        log = Path(os.readlink(f"/proc/{pid}/fd/2"))
    except OSError:
        return ""  # it ended, or is another's
    return log.stem if log.suffix == ".log" else ""


def parent_of(pid: int) -> int:
    return int(_state(pid)[1])


def computes(pid: int) -> bool:
    """Whether it is at work just now, and does not wait."""
    return _state(pid)[0] == b"R"


def ended(pid: int) -> bool:
    """Whether it is gone, or only waits for its parent to take notice."""
    return _state(pid)[0] in (b"Z", b"")


def _state(pid: int) -> list[bytes]:
    return (_read(pid, "stat").rpartition(b")")[2].split() + [b"", b"0"])[:2] if pid else [b"", b"0"]


def _read(pid: int, name: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:
        return b""  # it ended, or is another's
