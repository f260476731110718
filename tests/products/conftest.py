"""Made-up results (three sources with known draws, two patches, two bands), and a small run from images."""

import numpy as np
import pytest

from fpho import CPUPatchMixin, StorePatch, run_lmc, write_to_disk
from fpho.bounds import make_bounds
from fpho.config import Bounds, load_config
from fpho.geometry import CircularRegion
from fpho.layout import Layout
from fpho.optimize import run_opt
from fpho.parameters import q_names, scene_dtype
from fpho.products.collecting import PatchResult, Results, SourceResult
from fpho.products.medians import median_row
from fpho.scene import read_scene
from fpho.simulate.scenes import REFERENCE
from fpho.stages.running import run_stage

BANDS = ["g", "r"]
CHAINS, DRAWS = 4, 250
CENTRE = {"g": 100.0, "r": 200.0, "ra": 359.99999, "dec": 60.0, "q": 0.8, "pa": np.pi / 2, "sersic": 2.0}
CENTRE["rhalf"] = 0.3
SPREAD = {"g": 5.0, "r": 4.0, "ra": 2e-6, "dec": 1e-6, "q": 0.02, "pa": 0.1, "sersic": 0.2, "rhalf": 0.01}


def source(index: int, rng, point=False) -> SourceResult:
    """Independent Gaussian draws about CENTRE; `pa` about north, where the position angle wraps."""
    row = np.zeros((), scene_dtype(BANDS))
    row["source_index"], row["id"], row["is_valid"], row["is_point"] = index, f"s{index}", True, point
    draws = np.zeros(CHAINS * DRAWS, [(name, "f8") for name in q_names(BANDS)])
    for name in draws.dtype.names:
        fixed = point and name in ("q", "pa", "sersic", "rhalf")
        row[name] = CENTRE[name]
        draws[name] = CENTRE[name] + (0 if fixed else SPREAD[name]) * rng.standard_normal(len(draws))
    draws["dec"] += 2e-3 * index
    row["dec"] += 2e-3 * index
    row = row[()]
    median = median_row(row, draws, BANDS)
    return SourceResult(row, median, lambda: draws, len(draws), CHAINS, index // 2, rhat=1.001, ess=900.0)


@pytest.fixture
def results():
    rng = np.random.default_rng(8)
    sources = [source(i, rng, point=i == 2) for i in range(3)]
    patches = [
        PatchResult(
            i, CircularRegion(359.999, 60.0, 3.0), np.array(active), {"max_rhat": 1.001}, ["g1"], {}, None
        )
        for i, active in enumerate(([0, 1], [2]))
    ]
    return Results(BANDS, sources, patches)


class Patcher(StorePatch, CPUPatchMixin):
    """Pixels from the run's stores."""


@pytest.fixture(scope="session")
def run(tmp_path_factory):
    """A run of the tiny scene in one band, with one patch sampled; configuration and layout."""
    layout = Layout(tmp_path_factory.mktemp("run"))
    overrides = ["simulate.scene=tiny", "psf.n_components=4", "bands=[F125W]", "postprocess.max_plots=1"]
    config = load_config(None, [f"outdir={layout.outdir}", *overrides])
    run_stage("simulate", config, layout)
    table = layout.simulation / "psfs.tsv"  # the other band's PSFs would only take time
    table.write_text("".join(line for line in table.read_text().splitlines(True) if line[:5] != "F814W"))
    for stage in ("settings", "sersic", "psf", "preprocess", "scene"):
        run_stage(stage, config, layout)
    rows, bands, _ = read_scene(layout.scene("initial"))
    region = CircularRegion(*REFERENCE, 2.0)
    patcher = Patcher(layout.pixels("exposure"), layout.meta("exposure"), layout.psf_store)
    patcher.build_patch(region, None, allbands=bands)
    bounds = make_bounds(rows, bands, Bounds(pixscale=0.05))
    model, q = patcher.prepare_model(active=rows, fixed=rows[:0], bounds=bounds)
    optimum, _ = run_opt(model, q)
    out, _, _ = run_lmc(model, optimum.q, n_draws=60, warmup=40, chains=2, seed=5)
    out.fill(region, rows, rows[:0], model, patchID=0)
    write_to_disk(out, layout.outdir, model, config)
    return config, layout
