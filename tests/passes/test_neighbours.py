"""A group cut into patches against the fit of all of it: four galaxies in a row, in one patch and in two."""

import numpy as np
import pytest

from fpho.config import make_config
from fpho.layout import Layout
from fpho.passes import batches, opening
from fpho.passes.plan import read_plan
from fpho.records import records_in
from fpho.results import Samples
from fpho.scene import read_scene, write_scene
from tests.patch.scenes import Patcher, draw, make_rows, make_store

BANDS = ("red",)
OPTIMIZE, SAMPLE = ("optimize", "initial", "optimize"), ("sample", "optimize", "sample")
STEP = 0.32  # arcsec between neighbours: each overlaps the next (roi 0.17), not the one after
OPTIONS = {
    "bounds": {"dpos": 0.1, "held": ["sersic", "q", "pa"], "rhalf_range": [0.02, 1.0]},
    "sample": {"sampling_draws": 500, "chains": 4, "max_extensions": 0, "residuals": False},
    "background": {"mode": "off"},
    "optimize": {"on": "exposure", "rounds": 2},
}


def in_a_row():
    same = {"rhalf": 0.14, "roi": 0.17, "q": 0.85}
    light = [(1.0, 90.0), (2.5, 120.0), (1.5, 100.0), (1.0, 80.0)]
    places = [(STEP * i - 1.5 * STEP, 0.05 * i) for i in range(len(light))]
    sources = [
        {**same, "offset": place, "sersic": n, "red": flux}
        for place, (n, flux) in zip(places, light, strict=True)
    ]
    return make_rows(BANDS, *sources)


@pytest.fixture
def row(tmp_path, monkeypatch):
    """A function: name, stages and options of the patches, to the layout of the run."""
    store, truth = make_store(tmp_path / "psfs.h5"), in_a_row()
    exposure = draw(truth, "red", "one", shape=(32, 56), sigma=0.12, seed=4)
    monkeypatch.setattr(opening, "make_patcher", lambda *stores: Patcher([exposure], store))

    def run(name, stages, **patches):
        config = make_config(
            {**OPTIONS, "patches": {**patches, "patch_minradius": 3.0}, "outdir": str(tmp_path / name)}
        )
        layout = Layout(tmp_path / name)
        write_scene(layout.scene("initial"), truth, BANDS)
        for stage, start, after in stages:
            batches.plan(config, layout, stage, layout.scene(start))
            batches.run_batch(config, layout, stage, "all", 0, 1, layout.scene(start))
            batches.gather(config, layout, stage, "all", layout.scene(start), layout.scene(after))
        return layout

    return run


def drawn(layout) -> list:
    """(patch, its samples) of a sampling, by the outcomes that it kept."""
    path, known = layout.records("sample", 0), records_in(layout.records("sample", 0))
    assert [*path.parent.glob("sample*")] == [path]
    names = {key.split()[1]: record for key, record in known.items() if key.startswith("samples")}
    return [(patch, Samples(names[patch.name])) for patch in read_plan(layout.plan("sample")).patches]


def observables(layout):
    """Draws by source and parameter, from the last patch of each source."""
    out = {}
    for patch, samples in drawn(layout):
        assert samples.samples.shape[0] == len(patch.active) == len(samples.final)
        for row, draws in zip(samples.active, samples.samples, strict=True):
            values = {
                "red": draws["red"],
                "ra": draws["ra"],
                "dec": draws["dec"],
                "size": np.log(draws["rhalf"]),
            }
            out |= {(str(row["id"]), name): value for name, value in values.items()}
    return out


def interval(values) -> float:
    """Length of the 68% interval."""
    return float(np.diff(np.quantile(values, (0.16, 0.84)))[0])


def test_two_patches_agree_with_one(row):
    """Means within 0.2 sigma and 68% intervals within 10%, and the Monte Carlo error of some 1000 draws.

    Standard deviations would not do: fluxes and sizes have long tails, of which 2000 draws hold a few.
    All patches have all pixels: other pixels have other noise, which moves means.
    """
    stages = OPTIMIZE, SAMPLE
    whole, cut = row("whole", stages), row("cut", stages, strict=False, maxactive_per_patch=2)
    plan = read_plan(cut.plan("sample"))
    first = plan.patches[:2]
    assert [(p.active, p.halo, p.fixed) for p in sorted(first, key=lambda p: p.active)] == [
        ((0, 1), (2,), (3,)),
        ((2, 3), (1,), (0,)),
    ]
    assert sorted(p.previous for p in plan.patches) == [-1, -1, 0, 1]
    kinds = {key.split()[0] for layout in (whole, cut) for key in records_in(layout.records("sample", 0))}
    assert kinds == {"samples", "outcome"}, "no residuals"
    assert drawn(whole)[0][1].z is None, "nothing goes on from it"
    assert all(samples.z is not None for _, samples in drawn(cut))
    joint, parts = observables(whole), observables(cut)
    shift = [(parts[key].mean() - joint[key].mean()) / joint[key].std() for key in joint]
    width = [interval(parts[key]) / interval(joint[key]) for key in joint]
    assert np.abs(shift).max() < 0.2 + 0.08
    assert np.all(np.abs(np.log(width)) < 0.10 + 0.08) and abs(np.median(width) - 1) < 0.06


def test_optimum_of_two_patches_is_that_of_one(row):
    """After two rounds, in which sources beyond the halo settle."""
    whole, cut = row("whole", [OPTIMIZE]), row("cut", [OPTIMIZE], strict=False, maxactive_per_patch=2)
    one, two = (read_scene(layout.scene("optimize"))[0] for layout in (whole, cut))
    assert np.all(np.abs(two["red"] - one["red"]) < 0.5 * one["red_err"])
    assert np.allclose(two["red_err"], one["red_err"], rtol=0.1)
