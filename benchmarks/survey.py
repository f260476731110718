"""What a survey costs, by its number of sources: stores and plans of all of it, fits and draws of some.

    python benchmarks/survey.py FOLDER --sources 1000 [--thin | --deep] [--fits 4] [--draws 3] [--groups 2]
    python benchmarks/survey.py FOLDER --table

Draws a survey (`fpho simulate --survey`), prepares all of it, plans its passes, and runs jobs that are chosen
at random: groups of images for the sky, batches for optima and draws, of the first round. Each job is a
process, as in the workflow: its processor seconds (user and system), largest memory, reads, bytes, and the
share of its time that the kernel takes. Draws start from the truth, as if all were optimized, and skies are
the true ones. `--thin`: one band, of one exposure. `--deep`: ten bands with ten
exposures each, and fewer sources to a square arcmin. FOLDER keeps all
and the costs (`costs.jsonl`), from which the table is made. What products cost is not in it.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np

FIELD = {"density": 370.0, "bands": ["F277W", "F444W"], "pixel_scale": [0.063, 0.063], "exposures": 2}
TEN = [f"F{150 + 30 * i}W" for i in range(10)]
THIN = {**FIELD, "bands": ["F277W"], "pixel_scale": [0.063], "exposures": 1}
DEEP = {"density": 200.0, "bands": TEN, "pixel_scale": [0.031] * 5 + [0.063] * 5, "exposures": 10}
FIELDS = {"survey": FIELD, "thin": THIN, "deep": DEEP}
PER_BATCH, PER_GROUP, PIXELS = 200, 4, 2048  # sources of a batch, images of a group, sides of an exposure
KERNEL = ("evaluate", "evaluate_many", "evaluate_batch", "model", "fisher")
ONE = ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sources", type=int, nargs="*", default=[])
    parser.add_argument("--fits", type=int, default=4, help="batches that are optimized")
    parser.add_argument("--draws", type=int, default=3, help="batches that are sampled")
    parser.add_argument("--groups", type=int, default=2, help="groups of images whose sky is measured")
    kinds = parser.add_mutually_exclusive_group()
    parser.set_defaults(kind="survey")
    kinds.add_argument("--thin", dest="kind", action="store_const", const="thin", help="1 exposure, not 4")
    kinds.add_argument("--deep", dest="kind", action="store_const", const="deep", help="100 exposures")
    parser.add_argument("--table", action="store_true", help="print what is known")
    parser.add_argument("--job", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.job:
        work(given.folder, **json.loads(given.job))
        return
    given.folder.mkdir(parents=True, exist_ok=True)
    for count in given.sources:
        measure(given.folder, count, given)
    if given.table:
        print(table(given.folder / "costs.jsonl"))


def measure(folder: Path, count: int, given) -> None:
    """All jobs of one size; what is done already is left out."""
    from fpho.layout import Layout
    from fpho.passes.plan import read_plan

    place = folder / folder_of(count, given.kind)
    costs = Costs(folder, count, given.kind)
    costs.add("draw", stage="survey", units=count)
    layout, rng = Layout(place / "results"), np.random.default_rng(count)
    listed = rows_of(place / "catalog.fits")
    groups = divided(place, count).workflow.image_groups
    for stage in ("check", "settings", "sersic", "psf"):
        costs.add(stage if stage in ("check", "psf") else "", stage=stage, units=listed)
    for group in range(groups):
        costs.add("stores", stage="preprocess", part="images", group=group, units=listed / groups)
    costs.add("stores", stage="preprocess", part="gather", units=0)
    costs.add("scene", stage="scene", part="start", units=listed)
    for group in rng.permutation(groups)[: given.groups].tolist():
        costs.add("sky", stage="scene", part="images", group=group, units=listed / groups)
    costs.add("", stage="truth", units=0)
    costs.add("registration", stage="background", part="start", units=listed)
    for stage, some in (("optimize", given.fits), ("sample", given.draws)):
        costs.add(f"plan of {stage}", stage=stage, part="plan", units=listed)
        made = read_plan(layout.plan(stage))
        jobs = sorted({(one.step, one.batch) for one in made.patches if one.round == 0})
        for at in rng.permutation(len(jobs))[:some].tolist():
            step, batch = jobs[at]
            units = sum(len(one.active) for one in made.chosen(step, batch) if one.round == 0)
            costs.add(stage, stage=stage, part="batch", colour=step, batch=batch, units=units)


class Costs:
    """Jobs of one size, each done once and written down in `costs.jsonl`."""

    def __init__(self, folder: Path, count: int, kind: str):
        self.folder, self.count, self.kind, self.path = folder, count, kind, folder / "costs.jsonl"
        self.place = folder / folder_of(count, kind)
        self.done = {row["key"] for row in known(self.path)}

    def add(self, name: str, units: float, **job) -> None:
        key = json.dumps([self.count, self.kind, job])
        if key in self.done:
            return
        argument = json.dumps({"count": self.count, "kind": self.kind, **job})
        before = disk(self.place)
        command = [sys.executable, __file__, str(self.folder), "--job", argument]
        start = time.monotonic()
        with open(self.folder / "words.log", "a") as words:
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=words, text=True)
            said = process.stdout.read()
            _, status, usage = os.wait4(process.pid, 0)
        if status:
            raise SystemExit(f"{argument} failed, see {self.folder / 'words.log'}")
        after = disk(self.place)
        row = {"key": key, "count": self.count, "kind": self.kind, "name": name, "units": units}
        row |= {"cpu": usage.ru_utime + usage.ru_stime, "memory": usage.ru_maxrss / 1024}
        row |= {
            "wall": time.monotonic() - start,
            "files": after[0] - before[0],
            "bytes": after[1] - before[1],
        }
        row |= json.loads(said.splitlines()[-1])
        with open(self.path, "a") as stream:
            stream.write(json.dumps(row) + "\n")


def folder_of(count: int, kind: str) -> str:
    """Where a survey is."""
    return f"{kind}{count}"


def work(folder: Path, count: int, kind: str, stage: str, part: str = "all", **which) -> None:
    """One job, in this process; says its time in the kernel and its reads."""
    for name in ONE:
        os.environ[name] = "1"
    from fpho.stages.running import run_stage, start_logging, start_quickly

    start_quickly()
    start_logging()
    from fpho.config import make_config
    from fpho.layout import Layout

    place, kernel = folder / folder_of(count, kind), {"seconds": 0.0, "within": False}
    if stage == "survey":
        from fpho.simulate import write_survey

        tree = {"simulate": {"field": {**FIELDS[kind], "sources": count}}}
        write_survey(make_config(tree).simulate.field, place, 77, PIXELS)
    elif stage == "truth":
        begin_from_truth(place, count)
    else:
        layout = Layout(place / "results")
        if part == "batch":
            as_gathered(layout, stage, which["colour"])
        watch(kernel)
        run_stage(stage, divided(place, count), layout, 1, part, **which)
    print(json.dumps({"kernel": kernel["seconds"], **read_so_far()}))


def divided(place: Path, count: int):
    """The survey's configuration, with jobs of a length that is of use here."""
    from fpho.config import load_config

    images = len(list((place / "images").glob("*.fits")))
    options = {"batches": -(-count // PER_BATCH), "image_groups": -(-images // PER_GROUP)}
    options["job_seconds"] = 0  # no job has several rounds, whatever the size
    return load_config(place / "fpho.yaml", [f"workflow.{name}={value}" for name, value in options.items()])


def as_gathered(layout, stage: str, step: int) -> None:
    """Jobs of all steps begin with the state before the pass."""
    before = layout.state_before(stage, 0)
    for path in (layout.state_before(stage, k) for k in range(1, step + 1)):
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(before, path)


def begin_from_truth(place: Path, count: int) -> None:
    """The state that draws start from, and the sky, as if they had been fitted well."""
    from astropy.table import Table

    from fpho.background.table import DTYPE, write_tweakbg
    from fpho.layout import Layout
    from fpho.parameters import SHAPE_COLS, error_col
    from fpho.scene import read_scene, write_scene

    layout = Layout(place / "results")
    truth, skies = (Table.read(place / "truth.fits", hdu=hdu) for hdu in (1, "BACKGROUND"))
    rows, bands, _ = read_scene(layout.scene("initial"))
    at = {name: i for i, name in enumerate(truth["id"].tolist())}
    same = truth[[at[name] for name in rows["id"].tolist()]]
    for name in ("ra", "dec", *SHAPE_COLS, *bands):
        rows[name] = same[name]
    for band in bands:
        rows[error_col(band)] = np.abs(same[band]) / np.maximum(same[f"{band}_snr"], 0.1)
    for state in (layout.postop, layout.scene("optimize")):
        write_scene(state, rows, bands)
    table = np.zeros(len(skies), DTYPE)
    for name in ("exposure", "band", "constant", "x_slope", "y_slope"):
        table[name] = skies[name]
    middles = [(width(place / "images" / f"{name}.fits") - 1) / 2 for name in skies["exposure"]]
    table["x_ref"] = table["y_ref"] = middles
    table["error"], table["significance"], table["used"] = 1e-3 * np.abs(table["constant"]), 1000, True
    for path in (layout.first_sky, layout.background):
        write_tweakbg(path, table, "the true sky")


def rows_of(path: Path) -> int:
    """Of a table."""
    from astropy.io import fits

    return int(fits.getheader(path, 1)["NAXIS2"])


def width(path: Path) -> int:
    """Pixels along a side of an exposure."""
    from astropy.io import fits

    return int(fits.getheader(path, "SCI")["NAXIS1"])


def watch(kernel: dict) -> None:
    """Count processor time within the kernel's functions, the outermost alone."""
    from fpho.kernel import cpu

    def counted(function):
        def call(*arguments, **more):
            if kernel["within"]:
                return function(*arguments, **more)
            kernel["within"], start = True, time.process_time()
            try:
                return function(*arguments, **more)
            finally:
                kernel["seconds"] += time.process_time() - start
                kernel["within"] = False

        return call

    for name in KERNEL:
        setattr(cpu, name, counted(getattr(cpu, name)))


def read_so_far() -> dict:
    """System calls that read, and bytes that were read and written, of this process."""
    lines = dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())
    return {"reads": int(lines["syscr"]), "read": int(lines["rchar"]), "written": int(lines["wchar"])}


def disk(folder: Path) -> tuple[int, int]:
    """Files in a folder, and their bytes."""
    count = size = 0
    for path in folder.rglob("*"):
        with suppress(FileNotFoundError):
            if path.is_file():
                count, size = count + 1, size + path.stat().st_size
    return count, size


def known(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []


LONG, START = (
    ("optimize", "sample"),
    2.3,
)  # jobs, and seconds of each before its first patch (one of 4 sources)
COLUMNS = (
    "drawn sources", "step", "jobs", "sources in them", "CPU ms per source", "without starts", "kernel",
    "memory, MB", "reads per source", "kB read", "kB left per source",
)  # fmt: skip


def table(path: Path) -> str:
    """A row for each size and step; then what other surveys would take."""
    rows = known(path)
    lines = ["| " + " | ".join(COLUMNS) + " |", "|---" * len(COLUMNS) + "|"]
    for kind, count in sorted({(row["kind"], row["count"]) for row in rows}):
        for name in dict.fromkeys(row["name"] for row in rows if row["name"]):
            some = [row for row in rows if (row["kind"], row["count"], row["name"]) == (kind, count, name)]
            if some:
                lines.append(line(f"{count:,}" + (f", {kind}" if kind != "survey" else ""), name, some))
    return "\n".join([*lines, "", *others(rows)])


WHOLE = {"stores": 1.0, "sky": 2.0, "optimize": 2.6, "sample": 1.0}  # runs of what is measured once here
OTHERS = (
    ("10^7 sources, 1 exposure on each", "thin", 1e7),
    ("10^7 sources, 4 exposures on each", "survey", 1e7),
    ("10^5 sources, 100 exposures on each", "deep", 1e5),
)


def others(rows: list[dict]) -> list[str]:
    """What other surveys take if a source costs what it does in the largest that was measured.

    The sky is measured in two stages; all rounds of both optimizations take 2.6 times the first round of
    one, as measured on 208 sources; later rounds of draws, which cut groups have, are not in it, nor
    products and the searches of residuals.
    """
    lines = ["| survey | " + " | ".join(f"{name}, CPU h" for name in WHOLE) + " | sum | results, GB |"]
    lines.append("|---" * (len(WHOLE) + 3) + "|")
    for name, kind, count in OTHERS:
        kept = [row for row in rows if row["kind"] == kind]
        if not kept:
            continue
        hours, left = [], 0.0
        for step, times in WHOLE.items():
            largest = max((row["count"] for row in kept if row["name"] == step), default=0)
            some = [row for row in kept if (row["name"], row["count"]) == (step, largest)]
            units = sum(row["units"] for row in some) or np.nan  # where it was not measured
            hours.append(times * count * sum(row["cpu"] for row in some) / units / 3600)
            left += (step == "sample") * count * sum(row["bytes"] for row in some) / units
        cells = [f"{hour:,.0f}" for hour in (*hours, sum(hours))]
        lines.append(f"| {name} | " + " | ".join(cells) + f" | {left / 1e9:,.0f} |")
    return lines


def line(count: str, name: str, some: list[dict]) -> str:
    total = {
        key: sum(row[key] for row in some) for key in ("cpu", "kernel", "reads", "read", "files", "bytes")
    }
    units = sum(row["units"] for row in some)
    inside = f"{total['kernel'] / total['cpu']:.0%}" if total["kernel"] else ""
    begun = START * len(some)
    cells = [count, name, len(some), f"{units:,.0f}", f"{1e3 * total['cpu'] / units:.3g}"]
    cells += [f"{1e3 * (total['cpu'] - begun) / units:.3g}" if name in LONG else "", inside]
    cells += [f"{max(row['memory'] for row in some):.0f}", f"{total['reads'] / units:.3g}"]
    cells += [f"{total['read'] / units / 1e3:.3g}", f"{total['bytes'] / units / 1e3:.3g}"]
    return "| " + " | ".join(map(str, cells)) + " |"


if __name__ == "__main__":
    main()
