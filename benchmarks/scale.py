"""What does not fit pixels, by the number of sources: planning, index of exposures, plan files, gathering.

`python benchmarks/scale.py [--sources 1000 10000 100000] [--density 200]`: random sources (per square
arcmin), exposures of 4096 x 4096 pixels over all of them (10 bands, 100 exposures on each place), of which
there is the index alone. Each number of sources is measured in a process of its own: time of the processor
per source, the largest memory so far, and bytes per source. Then a step of a pass, of which batches hold
made-up outcomes with logs of the usual length, is gathered in another process. Fits, draws and products are
not in it.
"""

import argparse
import multiprocessing
import tempfile
import time
from pathlib import Path

import numpy as np

from fpho.config import make_config
from fpho.geometry import CircularRegion
from fpho.images import ExposureEntry, open_chosen, write_index
from fpho.layout import Layout
from fpho.parameters import error_col, scene_dtype
from fpho.passes.batches import gather, make_plan, origin
from fpho.passes.needs import job_needs
from fpho.passes.outcomes import write_outcomes
from fpho.passes.plan import read_plan
from fpho.passes.tasks import DrawsLog, OptimumLog, PatchLog, PatchOutcome
from fpho.results.records import Summary
from fpho.scene import write_scene

BANDS = tuple(f"F{i}" for i in range(10))
STAGES, BATCHES = ("optimize", "sample"), 50
SIDE, PIXEL, DEPTH = 4096, 0.03, 100  # pixels, arcsec, exposures on each place


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--sources", type=int, nargs="+", default=[1000, 10_000, 100_000])
    parser.add_argument("--density", type=float, default=200.0)
    given = parser.parse_args()
    print("| sources | step | ms per source | memory, MB | bytes per source |\n|---|---|---|---|---|")
    for count in given.sources:
        with tempfile.TemporaryDirectory() as folder:
            for work in (measured, made_up, gathered):
                with multiprocessing.get_context("spawn").Pool(1) as pool:
                    rows = pool.apply(work, (Path(folder), count, given.density))
                for name, seconds, memory, size in rows:
                    rate = f"{1e3 * seconds / count:.3f}"
                    print(f"| {count} | {name} | {rate} | {memory:.0f} | {size / count:.0f} |", flush=True)


Step = tuple[str, float, float, float]  # name, seconds, largest memory in MB so far, bytes of files


def measured(folder: Path, count: int, density: float) -> list[Step]:
    """Index, plans, and what jobs ask of them."""
    out: list[Step] = []
    layout, side = Layout(folder), 60 * np.sqrt(count / density)  # arcsec
    config, rows = options(), scene(count, side)

    def step(name, action, path=None):
        start = time.process_time()
        value = action()
        out.append((name, time.process_time() - start, memory(), path.stat().st_size if path else 0))
        return value

    entries, meta = exposures(side), layout.meta("exposure")
    step(
        f"index of {len(entries)} exposures",
        lambda: write_index(layout.pixels("exposure"), meta, entries),
        meta,
    )
    (store,) = step("index read", lambda: open_chosen(layout, "exposure"))
    for stage in STAGES:
        plan = step(f"plan of {stage}", lambda stage=stage: make_plan(config, layout, stage, rows, BANDS))
        path = layout.plan(stage)
        step("plan written", lambda plan=plan, path=path: plan.write(path), path)
        step("plan read", lambda path=path: read_plan(path))
        step("needs of a job", lambda path=path: job_needs(path, 0, 0, 8))
    some = plan.patches[:: max(1, len(plan.patches) // 1000)]
    start = time.process_time()
    near = [len(store.near(patch.region)) for patch in some]
    each = (time.process_time() - start) / len(some)
    out.append((f"exposures of a patch ({np.mean(near):.0f})", each * len(plan.patches), out[-1][2], 0))
    return out


def made_up(folder: Path, count: int, density: float) -> list[Step]:
    """Batches of the first step of each pass, as if its patches were done; nothing is told of them."""
    layout, rows = Layout(folder), scene(count, 60 * np.sqrt(count / density))
    for stage in STAGES:
        state, made = layout.state_before(stage, 0), read_plan(layout.plan(stage))
        write_scene(state, rows, BANDS)
        for batch in range(BATCHES):
            done = [outcome(stage, patch, rows) for patch in made.chosen(0, batch)]
            write_outcomes(layout.batch(stage, 0, batch), done, rows.dtype, origin(layout, stage, state))
    return []


def outcome(stage: str, patch, rows) -> PatchOutcome:
    """Rows as they were, and a log as long as those of real fits, on 20 exposures."""
    n, noise = len(patch.active), np.random.default_rng(patch.index).normal
    names = {
        key: tuple(map(str, rows["id"][list(getattr(patch, key))])) for key in ("active", "halo", "fixed")
    }
    numbers = [name for name, kind in Summary.__annotations__.items() if kind in (int, float)]
    if stage == "sample":
        fit = DrawsLog({name: float(noise()) for name in numbers}, 1000, 200, 0)
    else:
        per_exposure = tuple(f"exposure_{i}" for i in range(20)), tuple(noise(size=20)), tuple(range(20))
        fit = OptimumLog(
            *(True, "", 20, 9, False, 1e-9, 0.1, noise()),
            *per_exposure,
            flux_precision=tuple(noise(size=(len(BANDS), n, n)).tolist()),
            apertures=tuple(noise(size=(3, n, len(BANDS), 1)).tolist()),
        )
    seen = () if stage == "sample" else tuple(noise(size=(len(patch.fixed), len(BANDS) + 6)).tolist())
    entry = PatchLog(patch.index, "0" * 24, **names, seen=seen, blur=0.1, seconds=1.0, n_draws=1024, fit=fit)
    return PatchOutcome(rows[list(patch.active)], entry)


def gathered(folder: Path, count: int, density: float) -> list[Step]:
    """The gathering of these batches; seconds and bytes as for all sources."""
    layout, config, out = Layout(folder), options(), []
    for stage in reversed(STAGES):  # the smaller one first, for the memory
        start, after = time.process_time(), layout.state_after(stage, 0)
        gather(config, layout, stage, 0, layout.state_before(stage, 0), after)
        seconds, size = time.process_time() - start, layout.patch_log(stage, 0).stat().st_size
        patches = [patch for patch in read_plan(layout.plan(stage)).patches if patch.step == 0]
        share = sum(len(patch.active) for patch in patches) / count  # of all sources
        out.append((f"gathering {share:.0%} in a step of {stage}", seconds / share, memory(), size / share))
    return out


def options():
    """Of a run that is divided."""
    tree = {"simulate.scene": "tiny", "workflow.batches": BATCHES, "sample.on": "exposure"}
    return make_config(tree)


def memory() -> float:
    """Largest memory of this process so far, MB."""
    return float(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) / 1024


def scene(count: int, side: float) -> np.ndarray:
    """Scene rows (count,) in a square of `side` arcsec."""
    rng, rows = np.random.default_rng(1), np.zeros(count, scene_dtype(BANDS))
    rows["ra"], rows["dec"] = 150 + rng.uniform(0, side, count) / 3600, rng.uniform(0, side, count) / 3600
    rows["source_index"], rows["id"], rows["is_valid"] = np.arange(count), np.arange(count), True
    rows["rhalf"], rows["roi"] = rng.lognormal(-1.6, 0.5, count), rng.uniform(0.4, 0.8, count)
    rows["q"], rows["sersic"] = 0.9, 1.0
    for band in BANDS:
        rows[error_col(band)] = 1.0
        rows[band] = 3 * (1 + rng.pareto(1.0, count))
    return rows


def exposures(side: float) -> list[ExposureEntry]:
    """Entries of exposures over a square, at random, DEPTH on each place."""
    rng, width = np.random.default_rng(2), SIDE * PIXEL
    count = max(DEPTH, round(DEPTH * (side / width) ** 2))
    places = rng.uniform(0, max(side, 1e-9), (count, 2)) / 3600
    radius = 1.01 * width / np.sqrt(2)
    known = {"kind": "exposure", "psf": "", "shape": (SIDE, SIDE), "noise_scale": 1.0, "noise_slope": 0.0}
    return [
        ExposureEntry(
            id=f"e{i}", band=BANDS[i % len(BANDS)], good=1.0, head="0" * 32, content="0" * 32,
            footprint=CircularRegion(150 + x, y, radius), **known,
        )
        for i, (x, y) in enumerate(places.tolist())
    ]  # fmt: skip


if __name__ == "__main__":
    main()
