"""A bad day on a cluster: a pass is killed, its disk filled, its files damaged; the same command must go on.

python benchmarks/chaos.py [RUN] [--kinds job worker group disk damage] [--moments N] [--seed S]

RUN is the folder of a finished run, such as results/tiny; it is copied, never touched. Its sampling is
done again and again, each time disturbed once. Without RUN the pass is one of some 20 patches with stand-ins
for the fits, which takes seconds. What is asked each time: no process lives on; one ordinary command (after
a full disk: with room again; after damage that a message tells of: twice) ends well; the scene and every draw
are bit for bit those of the undisturbed run; nothing is left beside them. A full disk needs a small file
system of its own as `--folder`; without it a limit on the size of files stands in.
"""

import argparse
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections import Counter
from pathlib import Path
from resource import RLIMIT_FSIZE, setrlimit

from fpho.layout import Layout
from fpho.results import Samples

TOP = Path(__file__).parent.parent
STAND_IN = """
import sys
from pathlib import Path
from resource import RLIMIT_FSIZE, setrlimit
from tests.passes import test_batches as t, toy
t.identity.code_hash = lambda *modules, **options: "code"
t.running.worker = lambda stage: toy.slow
t.run_whole(Path(sys.argv[1]), cores=2)
"""
READ_BY_SAMPLE = [
    "stores/*_meta.h5", "stores/*_pixels.h5", "psf/psfs.h5", "sersic/mixtures.h5",
    "catalogs/postop_catalog.fits",
]  # fmt: skip
WORK = ["work/sample/*.h5", "batches/sample_*.h5", "batches/sample_*.fits", "plans/sample.json"]
READ_BY_PRODUCTS = ["patches/*_samples.h5", "scene/sample.fits", "scene/sample.log.json", "plans/sample.json"]
ENVIRONMENT = {"NUMBA_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


class StandIn:
    """A pass whose fits are stand-ins."""

    kinds = ("job", "worker", "group", "disk")

    def prepare(self, folder) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()

    def command(self, folder) -> list:
        return [sys.executable, "-c", STAND_IN, folder]

    def result(self, folder) -> dict:
        return {"scene": Layout(folder).scene("optimize").read_bytes()}


class Sampling:
    """The sampling of a finished run."""

    kinds = ("job", "worker", "group", "disk", "damage")

    def __init__(self, run):
        self.run = Path(run)

    def prepare(self, folder, finished: bool = False) -> None:
        """A copy of the run, its sampling not begun (or `finished`, as it is)."""
        shutil.rmtree(folder, ignore_errors=True)
        left_out = ["plots", "images", "logs", "simulation"] + ([] if finished else ["patches"])
        shutil.copytree(self.run, folder, ignore=shutil.ignore_patterns(*left_out))
        for pattern in () if finished else (*WORK, *READ_BY_PRODUCTS):
            for path in folder.glob(pattern):
                path.unlink()

    def command(self, folder, stage: str = "sample") -> list:
        options = ["outdir=" + str(folder), "postprocess.plots=false", "postprocess.images=false"]
        program = [sys.executable, "-m", "fpho", stage, "--config", self.run / "config.yaml", "--cores", "2"]
        return program + [word for option in options for word in ("--set", option)]

    def result(self, folder) -> dict:
        layout = Layout(folder)
        files = sorted(layout.patches.glob("*_samples.h5"))
        chains = {path.name: Samples(path).chain.tobytes() for path in files}
        return chains | {"scene": layout.scene("sample").read_bytes()}


class Job:
    """A command with all processes that come of it, known by a mark in their environment."""

    def __init__(self, command, limit: int | None = None):
        self.mark = f"FPHO_CHAOS={uuid.uuid4().hex}"
        paths = os.pathsep.join([str(TOP / "src"), str(TOP), os.environ.get("PYTHONPATH", "")])
        name, value = self.mark.split("=")
        environment = {**os.environ, **ENVIRONMENT, "PYTHONPATH": paths, name: value}
        self.output = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            command, cwd=TOP, env=environment, start_new_session=True, stdout=self.output, stderr=self.output,
            preexec_fn=None if limit is None else lambda: setrlimit(RLIMIT_FSIZE, (limit, -1)),
        )  # fmt: skip

    def wait(self) -> tuple[int, str]:
        """Exit status and output."""
        code = self.process.wait()
        self.output.seek(0)
        return code, self.output.read().decode(errors="replace")

    def alive(self) -> list[int]:
        found = []
        for path in Path("/proc").glob("[0-9]*"):
            try:
                marked = self.mark.encode() in (path / "environ").read_bytes().split(b"\0")
                if marked and (path / "stat").read_text().rsplit(")")[-1].split()[0] != "Z":
                    found.append(int(path.name))
            except OSError:
                continue  # it ended, or is another's
        return found

    def workers(self) -> list[int]:
        """Processes of the pool: children of a fork server."""
        parents = {pid: parent_of(pid) for pid in self.alive() if pid != self.process.pid}
        return [pid for pid, parent in parents.items() if parent in parents]

    def begun_workers(self, later: float) -> list[int]:
        """The workers some seconds after the first of them has begun."""
        while self.process.poll() is None and not self.workers():
            time.sleep(0.02)
        time.sleep(later)
        return self.workers()

    def ends(self) -> int:
        """Processes that live on five seconds later."""
        for _ in range(100):
            if not (left := self.alive()):
                return 0
            time.sleep(0.05)
        return len(left)


def parent_of(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rsplit(")")[-1].split()[1])
    except OSError:
        return 0


class Trials:
    """All trials of a target; `found` counts what came of them."""

    def __init__(self, target, folder: Path, seed: int):
        self.target, self.folder, self.rng = target, folder, random.Random(seed)
        self.found: Counter = Counter()
        begun = time.monotonic()
        target.prepare(folder)
        code, text = Job(target.command(folder)).wait()
        if code:
            raise SystemExit(f"the undisturbed pass failed:\n{text}")
        self.seconds, self.expected = time.monotonic() - begun, target.result(folder)

    def note(self, kind: str, good: bool, words: str = "") -> None:
        self.found[kind, "as before" if good else "WRONG"] += 1
        if not good:
            print(f"{kind}: {words}", flush=True)

    def go_on(self, kind: str, command=None) -> None:
        """One ordinary command, and a look at everything."""
        job = Job(command or self.target.command(self.folder))
        code, text = job.wait()
        self.judge(kind, job, code, text)

    def judge(self, kind, job, code, text) -> None:
        if code:
            return self.note(kind, False, text[-2000:])
        same = self.target.result(self.folder) == self.expected
        left = [str(path) for path in self.folder.rglob(".*") if not path.name.endswith(".seal")]
        left += [str(path) for path in self.folder.rglob("*.checkpoint*")]
        alive = job.ends()
        return self.note(kind, same and not left and not alive, f"same: {same}, left: {left}, alive: {alive}")

    def killed(self, kind: str) -> None:
        self.target.prepare(self.folder)
        job = Job(self.target.command(self.folder))
        if kind == "worker":
            workers = job.begun_workers(self.rng.uniform(0.0, 2.0))
            if workers:
                os.kill(self.rng.choice(workers), signal.SIGKILL)
            self.found[kind, "met a worker" if workers else "met none"] += 1
            code, text = job.wait()
            return self.judge(kind, job, code, text)
        time.sleep(self.rng.uniform(0.05, 0.9) * self.seconds)
        (os.kill if kind == "job" else os.killpg)(job.process.pid, signal.SIGKILL)
        code, _ = job.wait()
        self.found[kind, "met it" if code else "came too late"] += 1
        if alive := job.ends():
            return self.note(kind, False, f"{alive} processes live on")
        return self.go_on(kind)

    def disk(self, kind: str) -> None:
        """The disk is full from the start, or later, as much as the pass needs."""
        needed = sum(path.stat().st_size for path in self.folder.rglob("*") if path.is_file())
        self.target.prepare(self.folder)
        before = sum(path.stat().st_size for path in self.folder.rglob("*") if path.is_file())
        room = int(self.rng.uniform(0, 0.9) * (needed - before))
        ballast, limit = self.folder.parent / "ballast", None
        if os.path.ismount(self.folder.parent):
            free = shutil.disk_usage(self.folder.parent).free
            with open(ballast, "wb") as stream:
                os.posix_fallocate(stream.fileno(), 0, max(1, free - room))
        else:
            limit = int(self.rng.uniform(0, 60_000))
        job = Job(self.target.command(self.folder), limit)
        code, text = job.wait()
        ballast.unlink(missing_ok=True)
        self.found[kind, "stopped" if code else "had room"] += 1
        if code:
            told = code in (1, 2) and re.search("Make room on the disk", text)
            left = [path for path in self.folder.rglob(".*") if not path.name.endswith(".seal")]
            if not told or left or "Traceback" in text.splitlines()[-1] or job.ends():
                return self.note(kind, False, f"exit {code}, left {left}: {text[-2000:]}")
        return self.go_on(kind)

    def damaged(self, pattern: str, stage: str) -> None:
        """A file loses its end, or a bit changes; what the message tells is done, and all is as before."""
        kind = f"damage: {pattern}"
        self.target.prepare(self.folder, finished=True)
        if pattern in READ_BY_SAMPLE:
            self.target.prepare(self.folder)
        path = self.rng.choice(sorted(self.folder.glob(pattern)))
        content = bytearray(good := path.read_bytes())
        if self.rng.random() < 0.3:
            del content[self.rng.randrange(len(content)) :]
        else:
            content[self.rng.randrange(len(content))] ^= 1 << self.rng.randrange(8)
        state = path.stat()
        path.write_bytes(content)
        os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
        for one in dict.fromkeys([stage, "sample"]):
            code, text = Job(self.target.command(self.folder, one)).wait()
            if code:
                break
        if code:
            named = code == 2 and path.name in text and "run the same command again" in text
            self.found[kind, "named and set aside"] += 1
            if not named or "Traceback" in text or path.exists():
                return self.note(kind, False, f"exit {code}: {text[-2000:]}")
            path.write_bytes(good)  # as the stage that makes it would
            os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
        else:
            self.found[kind, "made again or harmless"] += 1
        return self.go_on(kind)


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("run", nargs="?")
    parser.add_argument("--kinds", nargs="+", default=None)
    parser.add_argument("--moments", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--folder", type=Path, help="where to work; its own small file system for a full disk"
    )
    return parser.parse_args()


def main() -> None:
    options = parse()
    target = Sampling(options.run) if options.run else StandIn()
    with tempfile.TemporaryDirectory(prefix="chaos", dir=options.folder) as parent:
        folder = (options.folder or Path(parent)) / "run"
        trials = Trials(target, folder, options.seed)
        print(f"undisturbed: {trials.seconds:.1f} s", flush=True)
        for kind in options.kinds or target.kinds:
            for _ in range(options.moments):
                if kind == "damage":
                    for pattern in (*READ_BY_SAMPLE, *WORK):
                        trials.damaged(pattern, "sample")
                    for pattern in READ_BY_PRODUCTS:
                        trials.damaged(pattern, "postprocess")
                elif kind == "disk":
                    trials.disk(kind)
                else:
                    trials.killed(kind)
            print({key: n for key, n in trials.found.items() if key[0].startswith(kind)}, flush=True)
        shutil.rmtree(folder, ignore_errors=True)
    for (kind, what), n in sorted(trials.found.items()):
        print(f"{kind:40} {what:24} {n}")
    raise SystemExit(any(what == "WRONG" for _, what in trials.found))


if __name__ == "__main__":
    main()
