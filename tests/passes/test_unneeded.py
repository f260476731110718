"""A second optimization that would repeat the first: a plan without patches, no jobs, the state as it is."""

import numpy as np
import pytest

from fpho.background.table import DTYPE, write_tweakbg
from fpho.config import make_config
from fpho.images import write_store
from fpho.layout import Layout
from fpho.passes import steps
from fpho.passes.logs import read_log
from fpho.passes.needs import planned_jobs
from fpho.psf.store import write_store as write_psfs
from fpho.scene import read_scene, write_scene
from tests.scene.making import BANDS, random_rows

ROWS = random_rows(20, seed=3, side=25)


def run_in(folder, tables=(0.0, 0.0), found=ROWS, **options):
    """(configuration, layout) after an optimization: skies before and after it, and what is there now."""
    layout = Layout(folder)
    for path, value in zip((layout.first_sky, layout.background), tables, strict=True):
        rows = np.zeros(1, DTYPE)
        rows["exposure"], rows["constant"], rows["used"] = "a", value, True
        write_tweakbg(path, rows)
    write_psfs(layout.psf_store, {"a": (np.array([[[1.0, 0.0, 0.0, 0.1, 0.1, 0.0]]]), None, [])})
    for kind in ("mosaic", "exposure"):
        write_store(layout.pixels(kind), layout.meta(kind), [])
    write_scene(layout.scene("optimize"), ROWS, BANDS)
    write_scene(layout.scene("detect"), found, BANDS)
    tree = {"outdir": str(folder), "simulate.scene": "tiny", **options}
    return make_config(tree), layout


@pytest.mark.parametrize("batches", [1, 4])
def test_it_has_no_jobs_and_leaves_the_state(tmp_path, batches):
    config, layout = run_in(tmp_path, **{"workflow.batches": batches})
    if batches == 1:
        steps.run(config, layout, "reoptimize")
    else:
        steps.plan(config, layout, "reoptimize")
        steps.finish(config, layout, "reoptimize")
    assert planned_jobs(layout.plan("reoptimize")) == []
    assert read_log(layout.patch_log("reoptimize")) == []
    assert layout.scene("reoptimize").read_bytes() == layout.scene("detect").read_bytes()
    assert read_scene(layout.scene("reoptimize"))[0].tobytes() == ROWS.tobytes()


def test_it_has_jobs_where_something_is_new(tmp_path):
    """Another sky; more sources; but not the sky if that shall not count."""
    more = np.concatenate([ROWS, random_rows(1, seed=5)])
    more["source_index"][-1] = 20
    cases = [({"tables": (0.0, 1.0)}, True), ({"found": more}, True)]
    cases += [({"tables": (0.0, 1.0), "background.reoptimize": False}, False)]
    for k, (changes, needed) in enumerate(cases):
        config, layout = run_in(tmp_path / str(k), **changes)
        steps.plan(config, layout, "reoptimize")
        assert (planned_jobs(layout.plan("reoptimize")) != []) == needed, changes
