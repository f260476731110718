"""What does not fit pixels, by the number of sources: planning, the index of exposures, plans as files.

`python benchmarks/scale.py [--sources 1000 10000 100000] [--density 200]`: random sources (per square
arcmin), exposures of 4096 x 4096 pixels over all of them (10 bands, 100 exposures on each place), of which
there is the index alone. Each number of sources is measured in a process of its own: time of the processor
per source, the largest memory so far, and bytes per source. Fits, draws and products are not in it.
"""

import argparse
import multiprocessing
import resource
import tempfile
import time
from pathlib import Path

import numpy as np

from fpho.config import make_config
from fpho.geometry import CircularRegion
from fpho.images import ExposureEntry, open_chosen, write_index
from fpho.layout import Layout
from fpho.parameters import error_col, scene_dtype
from fpho.passes.batches import make_plan
from fpho.passes.needs import job_needs
from fpho.passes.planning import read_plan

BANDS = tuple(f"F{i}" for i in range(10))
SIDE, PIXEL, DEPTH = 4096, 0.03, 100  # pixels, arcsec, exposures on each place


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--sources", type=int, nargs="+", default=[1000, 10_000, 100_000])
    parser.add_argument("--density", type=float, default=200.0)
    given = parser.parse_args()
    print("| sources | step | ms per source | memory, MB | bytes per source |\n|---|---|---|---|---|")
    for count in given.sources:
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            for name, seconds, memory, size in pool.apply(measured, (count, given.density)):
                rate = f"{1e3 * seconds / count:.3f}"
                print(f"| {count} | {name} | {rate} | {memory:.0f} | {size / count:.0f} |", flush=True)


def measured(count: int, density: float) -> list[tuple[str, float, float, float]]:
    """(step, seconds, largest memory in MB so far, bytes of files) of each step."""
    out: list[tuple[str, float, float, float]] = []
    with tempfile.TemporaryDirectory() as folder:
        layout = Layout(Path(folder))
        side = 60 * np.sqrt(count / density)  # arcsec
        config = make_config({"simulate.scene": "tiny", "workflow.batches": 50, "sample.on": "exposure"})
        rows = scene(count, side)

        def step(name, action, path=None):
            start = time.process_time()
            value = action()
            memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            size = path.stat().st_size if path else 0
            out.append((name, time.process_time() - start, memory, size))
            return value

        entries = exposures(side)
        meta = layout.meta("exposure")
        step(
            f"index of {len(entries)} exposures",
            lambda: write_index(layout.pixels("exposure"), meta, entries),
            meta,
        )
        (store,) = step("index read", lambda: open_chosen(layout, "exposure"))
        for stage in ("optimize", "sample"):
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
