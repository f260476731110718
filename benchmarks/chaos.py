"""A bad day on a cluster: kills, full disks, damaged files; one ordinary command must go on.

python benchmarks/chaos.py FOLDER
    [--kinds main job group mixed batch worker checkpoint disk damage damages slurm] [--moments N]
    [--minutes M] [--field SOURCES] [--batches B] [--job-seconds S] [--late SHARE]

The workflow is run as users run it, `snakemake --cores 2`, on the scene `tiny` cut into several patches, or
on a simulated field of so many sources, all stages on. After each disturbance comes one ordinary command,
without `--unlock` or `--rerun-incomplete`. What is asked: no process lives on; the last command ends well;
every file of the run (scene states, catalogs, draws, stores, plans, tables, pictures) is bit for bit that of
an undisturbed run, but for dates and seconds (`snapshots`); nothing is left beside them. Moments are drawn
over all stages: a stage, then a part of its time. `mixed` are kills of the first three kinds in one run,
`batch` the same in the middle of a job of a pass, when some of its patches are done (`aims`); so is `worker`,
which hits a process of that job's pool that computes, and keeps what the job has said of it. `damages` are
several files damaged at once, `checkpoint` kills during the draws after which all check-points of patches are
damaged. The table says of each what was hit: the stage or job (step and batch), the process, what else ran.

A field takes long: with `--late`, runs begin as the undisturbed one was before a stage drawn at random, with
the patches of its passes done but for at most this share.

FOLDER keeps the undisturbed run and the table of what came of each disturbance (`outcomes.jsonl`); a run
that is stopped, or has had its M minutes, goes on with what is missing. A full disk needs root, for a small
file system; jobs of Slurm (`slurm`, with --batches) that are cancelled and requeued need one, see
tests/slurm/run.
"""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import time
from collections import Counter
from contextlib import suppress
from itertools import product
from pathlib import Path

import yaml
from aims import aims_of
from damages import CHAIN, DAMAGES, READERS, damage, forget_from, forget_some
from processes import Workflow, computes, job_of
from slurm_jobs import HOWS, SlurmWorkflow, disturb, running
from snapshots import snapshot

OPTIONS = {
    "outdir": "out",
    "simulate": {"scene": "tiny"},
    "psf": {"n_components": 2, "max_components": 2},
    "detect": {"enabled": True, "nsigma": 20.0},
    "registration": {"mode": "measure"},
    "optimize": {"rounds": 1},
    "patches": {"maxactive_per_patch": 1, "strict": False},
    "sample": {"chains": 2, "warmup": 8, "sampling_draws": 8, "max_extensions": 0, "checkpoint_seconds": 0.2},
    "postprocess": {"max_plots": 2},
}  # fmt: skip
STAGES = (
    "simulate", "check", "sersic", "preprocess", "psf", "settings", "scene", "optimize", "background",
    "detect", "reoptimize", "postop", "sample", "postprocess", "view", "compare",
)  # fmt: skip
KILLED = ("main", "job", "group")
OTHERS = ("mixed", "batch", "checkpoint", "damages", "slurm")  # kinds that are asked for
# Disturbances of one run.
PER_RUN = dict.fromkeys(("mixed", *KILLED), 20) | dict.fromkeys(("damages", "checkpoint"), 6)
PER_RUN |= dict.fromkeys(("worker", "batch", "slurm"), 10)
CORES = 2  # of a run
ROOM = 1.5  # of a small file system, in sizes of the run
LATER = 0.3  # seconds after a patch is done, at most, that a job is hit
WORDS = "Make room on the disk"


class Chaos:
    """Disturbed runs in a folder, each held against the undisturbed one."""

    def __init__(self, folder: Path, seed: int, options: dict, late: float | None = None):
        self.options, self.folder, self.run, self.late = options, folder, folder / "run", late
        self.table = folder / "outcomes.jsonl"
        self.divided = options.get("workflow", {}).get("batches", 1) > 1
        self.rng = random.Random(f"{seed} {len(self.outcomes())}")
        self.undisturbed = folder / "undisturbed"
        self.config = folder / "chaos.yaml"
        if not (folder / "expected.json").exists():
            self._prepare()
        self.expected = json.loads((folder / "expected.json").read_text())
        self.seconds = json.loads((folder / "seconds.json").read_text())

    def _prepare(self) -> None:
        shutil.rmtree(self.undisturbed, ignore_errors=True)
        self.undisturbed.mkdir(parents=True)
        self.config.write_text(yaml.safe_dump(self.options))
        program = Workflow(self.undisturbed, self.config)
        if program.wait():
            raise SystemExit(f"the undisturbed run failed:\n{program.text}")
        out = self.undisturbed / "out"
        times = {path.stem: path.read_text().split("\n")[1] for path in (out / "benchmarks").glob("*.tsv")}
        seconds = dict.fromkeys(STAGES, 0.0)
        for job, row in times.items():
            stage = max((one for one in STAGES if f"{job}_".startswith(f"{one}_")), key=len)
            seconds[stage] += float(row.split("\t")[0]) / (1 if job == stage else CORES)
        (self.folder / "seconds.json").write_text(json.dumps(seconds))
        (self.folder / "expected.json").write_text(json.dumps(snapshot(out), indent=0))

    def outcomes(self) -> list[dict]:
        lines = self.table.read_text().splitlines() if self.table.exists() else []
        return [json.loads(line) for line in lines]

    def done(self, kind: str) -> int:
        return sum(one.get("run", one["kind"]) == kind for one in self.outcomes())

    def keep(self, entries: list[dict], wrong: str) -> None:
        """Write down what came of the disturbances of a run."""
        if wrong and not entries:
            entries = [{"kind": "none", "stage": "none"}]
        with open(self.table, "a") as stream:
            for entry in entries:
                line = entry | {"outcome": "WRONG" if wrong else "as undisturbed", "wrong": wrong[-3000:]}
                stream.write(json.dumps(line) + "\n")
        print(*(f"{one['kind']}/{one['stage']}" for one in entries), wrong or "as undisturbed", flush=True)

    def fresh(self) -> set[str]:
        """A folder for a run; the stages that it has behind itself."""
        shutil.rmtree(self.run, ignore_errors=True)
        self.run.mkdir()
        return self.begin() if self.late is not None else set()

    def begin(self) -> set[str]:
        """What a run has done before a random stage; those stages."""
        self.copied()
        stage, out = self.rng.choice(CHAIN[: CHAIN.index("sample") + 1]), self.run / "out"
        forget_from(stage, out)
        forget_some(stage, out, self.late, self.rng)
        return set(STAGES[: STAGES.index(stage)])

    def copied(self) -> None:
        shutil.copytree(self.undisturbed, self.run, symlinks=True, dirs_exist_ok=True)

    def go_on(self) -> str:
        """One ordinary command, and a look at everything; what is wrong, if anything."""
        program = Workflow(self.run, self.config)
        return self.judged(program, program.wait())

    def judged(self, program: Workflow, code: int) -> str:
        if code:
            return f"exit status {code}: {program.text[-2500:]}"
        found = snapshot(self.run / "out")
        names = sorted(found.keys() | self.expected.keys())
        other = [name for name in names if found.get(name) != self.expected.get(name)]
        work = [str(path) for path in (self.run / "out" / "work").rglob("*")]
        kept = [name for name in work if "checkpoint" in name or "/." in name]
        locks = [path.name for path in (self.run / ".snakemake" / "locks").glob("*")]
        unfinished = [path.name for path in (self.run / ".snakemake" / "incomplete").glob("*")]
        faults = {"other files": other, "left": kept, "alive": program.left(), "locks": locks}
        faults["unfinished"] = unfinished
        return "; ".join(f"{what}: {which}" for what, which in faults.items() if which)

    # --- killed ---

    def killed(self, kind: str, number: int) -> None:
        """A run that is killed `number` times, each time followed by one ordinary command."""
        done = self.fresh()
        entries, wrong, kinds = [], "", KILLED if kind == "mixed" else (kind,)
        for stage in sorted(self.rng.choices(STAGES, k=number), key=STAGES.index):
            stage = next((one for one in STAGES[STAGES.index(stage) :] if one not in done), None)
            if stage is None:
                break
            program = Workflow(self.run, self.config)
            how = self.rng.choice(kinds)
            hit = self.reached(program, stage) and self.hit(program, how)
            code = program.wait()
            begun, ended = program.stages()
            done |= ended
            if not hit:
                wrong = wrong or (f"before the kill: {program.text[-2000:]}" if code else "")
                continue
            if left := program.left():
                wrong = wrong or f"alive: {left}"
            during = [one for one in STAGES if one in begun - ended]
            entry = {"kind": how, "run": kind, "stage": "+".join(during) or "between stages"}
            entries.append(entry | hit)
        self.keep(entries, " ".join(filter(None, [wrong, self.go_on()])))

    def reached(self, program: Workflow, stage: str) -> bool:
        """Wait for a random moment of a stage; whether the program still runs then."""
        while program.runs and stage not in program.stages()[0]:
            time.sleep(0.02)
        end = time.monotonic() + self.rng.uniform(0, 1) * self.seconds[stage]
        while program.runs and time.monotonic() < end:
            time.sleep(0.02)
        return program.runs

    def hit(self, program: Workflow, kind: str, job: str = "") -> dict:
        """SIGKILL to what `kind` names, of any job or of one; what was hit, and what else was going on."""
        while program.runs:
            going = program.going()
            if kind == "group":
                program.kill_all()
                return {"hit": "all", "going": going}
            if found := self.targets(program, kind, job):
                pid = self.rng.choice(found)
                name = job_of(pid)
                os.kill(pid, signal.SIGKILL)
                return {"hit": f"process {pid} of {name or 'no job yet'}", "going": going}
            if job and not program.at(job)[0]:
                break
            time.sleep(0.01)
        return {}

    @staticmethod
    def targets(program: Workflow, kind: str, job: str) -> list[int]:
        """Processes of a kind: Snakemake, jobs, or workers that compute."""
        if kind == "main":
            return [program.process.pid]
        jobs, pool = program.at(job) if job else (program.jobs(), program.workers())
        return jobs if kind == "job" else [pid for pid in pool if computes(pid)]

    def aimed(self, kind: str, number: int) -> None:
        """A run that is hit in the middle of some of its jobs: a worker, or a kill (`batch`)."""
        self.fresh()
        aims = aims_of(self.run / "out", self.undisturbed / "out", self.divided)
        left = [aim for aim in aims if not aim.made.exists() and (kind == "worker" or aim.grows)]
        if not any(aims[1:]):
            raise SystemExit(
                "no job of this run has several patches: choose a larger field, or fewer batches"
            )
        program, entries, wrong = Workflow(self.run, self.config), [], ""
        for aim in sorted(self.rng.sample(left, min(number, len(left))), key=left.index):
            if not aim.met(program):
                continue
            time.sleep(self.rng.uniform(0, LATER))
            how = "worker" if kind == "worker" else self.rng.choice(KILLED)
            hit = self.hit(program, how, aim.job)
            if not hit:  # it has ended meanwhile
                continue
            entries.append({"kind": how, "run": kind, "stage": aim.stage, "job": aim.job} | hit)
            if how == "worker":
                continue
            program.wait()
            wrong = wrong or "".join(f"alive: {one}" for one in program.left())
            entries[-1]["unfinished"] = not aim.made.exists()
            program = Workflow(self.run, self.config)
        wrong = " ".join(filter(None, [wrong, self.judged(program, program.wait())]))
        if kind == "worker":
            entries = [entry | {"told": self.told_of(entry["job"])} for entry in entries]
        self.keep(entries, wrong)

    def told_of(self, job: str) -> list[str]:
        """What a job has said of work that it lost."""
        lines = (self.run / "out" / "logs" / f"{job}.log").read_text().splitlines()
        return [line for line in lines if "done once more" in line]

    def lost_checkpoints(self, number: int) -> None:
        """A run that is killed while patches that are drawn from have check-points, which are damaged."""
        shutil.rmtree(self.run, ignore_errors=True)
        self.copied()
        out = self.run / "out"
        forget_from("sample", out)
        forget_some("sample", out, 1.0, self.rng)
        entries, wrong = [], ""
        for _ in range(number):
            since, program = time.time(), Workflow(self.run, self.config)
            for pause in (self.rng.uniform(0, 1), 0):  # then others may be there, or none for a moment
                while program.runs and not checkpoints(out, since):
                    time.sleep(0.002)
                time.sleep(pause)
            if not program.runs:
                break
            program.kill_all()
            if left := program.left():
                wrong = wrong or f"alive: {left}"
            for path in (found := checkpoints(out, since)):
                damage(path, self.rng.choice(DAMAGES), self.rng)
            entries.append({"kind": "checkpoint", "stage": "sample", "files": len(found)})
        self.keep(entries, " ".join(filter(None, [wrong, self.go_on()])))

    def jobs_of_slurm(self, number: int) -> None:
        """A run through Slurm of which jobs are cancelled or requeued, each once; it goes on by itself."""
        self.fresh()
        program, entries = SlurmWorkflow(self.run, self.config), []
        others = running()
        while program.runs and len(entries) < number:
            time.sleep(self.rng.expovariate(1 / 8))
            hit = {entry["job"] for entry in entries}
            mine = {job: what for job, what in running().items() if job not in others and what not in hit}
            if mine:
                job, how = self.rng.choice(sorted(mine)), self.rng.choice(HOWS)
                if disturb(job, how):
                    rule = mine[job].partition("_wildcards_")[0]
                    entries.append({"kind": "slurm", "stage": rule, "job": mine[job], "how": how})
        if program.wait():  # one was cancelled more often than it is tried
            program = SlurmWorkflow(self.run, self.config)
        self.keep(entries, self.judged(program, program.wait()))

    # --- full disks ---

    def full_disk(self, whole: bool) -> None:
        """The disk of the results (`whole`: of the run) fills up at a random moment, then has room again."""
        shutil.rmtree(self.run, ignore_errors=True)
        place = self.run if whole else self.run / "out"
        place.mkdir(parents=True)
        size = sum(path.stat().st_size for path in self.undisturbed.rglob("*") if path.is_file())
        options = ["-t", "tmpfs", "-o", f"size={int(ROOM * size)}", "tmpfs", place]
        subprocess.run(["mount", *map(str, options)], check=True)
        try:
            done = self.begin() if self.late is not None else set()
            entry, wrong = self._filled(place, [stage for stage in STAGES if stage not in done])
            self.keep([entry], " ".join(filter(None, [wrong, self.go_on()])))
        finally:
            subprocess.run(["umount", str(place)], check=True)

    def _filled(self, place: Path, stages: list[str]) -> tuple[dict, str]:
        program, stage = Workflow(self.run, self.config), self.rng.choice(stages)
        self.reached(program, stage)
        ballast, going = place / "ballast", program.going()
        with open(ballast, "wb") as stream:
            free = shutil.disk_usage(place).free - self.rng.choice([0, 4096, 65536, 400_000])
            os.posix_fallocate(stream.fileno(), 0, max(1, free))
        code = program.wait()
        begun, ended = program.stages()
        entry = {"kind": "disk", "stage": "+".join(begun - ended - {"all"}), "stopped": bool(code)}
        entry["going"] = going
        ballast.unlink()
        hidden = [str(path) for path in (self.run / "out").rglob(".*") if not path.name.endswith(".seal")]
        hidden = [name for name in hidden if not name.endswith(".snakemake_timestamp")]
        left = program.left()
        told = WORDS in program.text or not code or place == self.run
        if not told or left or hidden or "core dumped" in program.text:
            return entry, f"told: {told}, alive: {left}, left: {hidden}: {program.text[-2500:]}"
        return entry, ""

    # --- damage ---

    def damaged(self, pattern: str, how: str) -> None:
        """A file is damaged after the stage that made it and before one that reads it."""
        shutil.rmtree(self.run, ignore_errors=True)
        self.copied()
        out = self.run / "out"
        forget_from(READERS[pattern], out)
        path = self.rng.choice(sorted(out.glob(pattern)))
        damage(path, how, self.rng)
        wrong = self.go_on()
        again = Workflow(self.run, self.config)
        if not wrong and (again.wait() or "Nothing to be done" not in again.text):
            wrong = f"the command after it: {again.text[-1500:]}"
        self.keep(
            [{"kind": "damage", "stage": READERS[pattern] or "none", "file": pattern, "how": how}], wrong
        )

    def damaged_together(self, number: int) -> None:
        """Files of different kinds are damaged at once, before a stage drawn at random."""
        shutil.rmtree(self.run, ignore_errors=True)
        self.copied()
        stage, out = self.rng.choice(CHAIN), self.run / "out"
        forget_from(stage, out)
        later = (None, *CHAIN[CHAIN.index(stage) :])
        files = {name: sorted(out.glob(name)) for name in READERS if READERS[name] in later}
        some = [name for name in files if files[name]]
        entries = []
        for name in self.rng.sample(some, min(number, len(some))):
            how = self.rng.choice(DAMAGES)
            damage(self.rng.choice(files[name]), how, self.rng)
            entries.append({"kind": "damage", "run": "damages", "stage": stage, "file": name, "how": how})
        self.keep(entries, self.go_on())

    def damages_missing(self) -> list[tuple[str, str]]:
        """(file, damage) that were not tried, of the files that were damaged least often so far."""
        known = {(one["file"], one["how"]) for one in self.outcomes() if one["kind"] == "damage"}
        tried = {pattern: sum(file == pattern for file, _ in known) for pattern in READERS}
        open_ = [pair for pair in product(READERS, DAMAGES) if pair not in known]
        least = min((tried[pattern] for pattern, _ in open_), default=0)
        return [pair for pair in open_ if tried[pair[0]] == least]

    # --- all ---

    def disturb(self, kind: str, moments: int) -> bool:
        """One more run of a kind; whether there was one to do."""
        if kind == "damage":
            if missing := self.damages_missing():
                self.damaged(*self.rng.choice(missing))
            return bool(missing)
        wanted = moments - self.done(kind)
        if wanted <= 0:
            return False
        if kind == "disk":
            self.full_disk(whole=self.done(kind) % 2 == 1)
        elif kind in ("worker", "batch"):
            self.aimed(kind, min(PER_RUN[kind], wanted))
        elif kind == "damages":
            self.damaged_together(min(PER_RUN[kind], wanted))
        elif kind == "checkpoint":
            self.lost_checkpoints(min(PER_RUN[kind], wanted))
        elif kind == "slurm":
            self.jobs_of_slurm(min(PER_RUN[kind], wanted))
        else:
            self.killed(kind, min(PER_RUN[kind], wanted))
        return True


def checkpoints(out: Path, since: float) -> list[Path]:
    """Files of patches that are drawn from, not older than a time; not what is just being written."""
    found = []
    for path in sorted((out / "work" / "sample").glob("[!.]*.checkpoint*")):
        with suppress(FileNotFoundError):  # its patch is done
            found += [path] if path.stat().st_mtime > since else []
    return found


def report(outcomes: list[dict]) -> None:
    """Tables: each disturbance and what was hit; kinds by outcome; kinds of kill by stage."""
    for one in outcomes:
        at = one.get("job") or one.get("file") or one["stage"]
        more = ("hit", "going", "how", "told", "unfinished", "stopped", "files")
        words = "; ".join(f"{name}: {one[name]}" for name in more if name in one)
        print(f"{one['kind']:10} {at:32} {words}; {one['outcome']}")
    counts = Counter((one["kind"], one.get("file", ""), one["outcome"]) for one in outcomes)
    for (kind, file, outcome), n in sorted(counts.items()):
        print(f"{kind:8} {file:32} {outcome:16} {n}")
    stages = Counter((one["kind"], stage) for one in outcomes for stage in one["stage"].split("+"))
    for (kind, stage), n in sorted(stages.items()):
        print(f"{kind:8} {stage:16} {n}")


def scene_of(field: int | None, batches: int, start: float) -> dict:
    """Options of the run that is disturbed; `start`: seconds of work that are worth a job."""
    tree = OPTIONS | {"workflow": {"batches": batches, "job_seconds": start, "image_groups": min(batches, 2)}}
    if field is None:
        return tree if batches > 1 else OPTIONS
    drawn = {"scene": "field", "field": {"sources": field, "density": 200.0, "exposures": 2}}
    tree |= {"simulate": drawn, "detect": {"enabled": True}, "patches": {"maxactive_per_patch": 4}}
    return tree | {"registration": {"mode": "off"}}  # a quarter of all the time, and `tiny` has it


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path)
    kinds = ["main", "job", "worker", "group", "disk", "damage"]
    parser.add_argument("--kinds", nargs="+", default=kinds, choices=[*kinds, *OTHERS])
    parser.add_argument("--moments", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=1e9)
    parser.add_argument("--field", type=int, help="sources of a simulated field in place of `tiny`")
    parser.add_argument("--batches", type=int, default=1)
    parser.add_argument("--job-seconds", type=float, default=0.0, help="0: every colour is a step")
    parser.add_argument("--late", type=float, metavar="SHARE", help="of the patches that are to be done")
    return parser.parse_args()


def main() -> None:
    options = parse()
    end = time.monotonic() + 60 * options.minutes
    tree = scene_of(options.field, options.batches, options.job_seconds)
    chaos = Chaos(options.folder.resolve(), options.seed, tree, options.late)
    going = list(options.kinds)
    while going and time.monotonic() < end:
        going = [kind for kind in going if time.monotonic() < end and chaos.disturb(kind, options.moments)]
    report(chaos.outcomes())
    raise SystemExit(any(one["outcome"] == "WRONG" for one in chaos.outcomes()))


if __name__ == "__main__":
    main()
