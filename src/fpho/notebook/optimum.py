"""The optimum of a run as results: with draws of the Gaussian about it, of which errors are made."""

import numpy as np

from ..config import Config
from ..layout import Layout
from ..passes.batches import make_task
from ..passes.logs import logs_in
from ..passes.opening import open_patch
from ..passes.plan import read_plan
from ..passes.search import find_optimum
from ..products.collecting import PatchResult, Results, SourceResult
from ..results.rows import draws_by_source
from ..scene import read_scene

DRAWS = 1000
STAGES = ("reoptimize", "optimize")


def optimum_results(config: Config, layout: Layout) -> Results:
    """Every source at its optimum; `draws` are those of the Gaussian with the curvature there (Laplace).

    The patches of the last optimization are opened again, at the values that they ended with.
    """
    rows, bands, _ = read_scene(layout.postop)
    stage = next(name for name in STAGES if any(logs_in(layout.patch_log(name))))
    made = read_plan(layout.plan(stage))
    last = {index: patch for patch in made.patches for index in patch.active}
    sources, patches = {}, []
    for patch in {patch.index: patch for patch in last.values()}.values():
        task = make_task(config, layout, stage, patch, bands, rows, made)
        found = find_optimum(open_patch(task), config.optimize)
        model, optimum = found.model, found.optimum
        rng = np.random.default_rng(task.seed)  # by Cholesky: eigenvectors may turn with the last bits
        z = rng.multivariate_normal(optimum.z, optimum.covariance, DRAWS, method="cholesky")
        draws = draws_by_source(model, model.transform.transform(z))
        for place, index in enumerate(patch.active):
            row = rows[index]
            values = row, row, draws[place].copy, DRAWS, 1, patch.index
            sources[index] = SourceResult(*values, misfit=float(found.factors[place]))
        active = rows["source_index"][list(patch.active)]
        sky = optimum.q[draws.shape[0] * len(draws.dtype) :]
        constants = dict(zip(model.exposures, map(float, sky), strict=False))
        patches.append(PatchResult(patch.index, patch.region, active, {}, model.exposures, constants, None))
    return Results(list(bands), [sources[i] for i in sorted(sources)], patches)
