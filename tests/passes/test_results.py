"""Results of a pass come from its plan and log: never an earlier run's, never damaged, none forgotten."""

import numpy as np
import pytest

from fpho.config import make_config
from fpho.errors import DamagedError, InputError
from fpho.flags import Flag
from fpho.hdf5 import reading
from fpho.layout import Layout
from fpho.passes import identity, running, steps
from fpho.passes.results import results_of
from fpho.scene import read_scene, write_scene
from tests.passes import toy
from tests.scene.making import BANDS, random_rows

ROWS = random_rows(30, seed=3, side=25)
ROWS["is_valid"][4] = False


@pytest.fixture
def sample(monkeypatch, tmp_path):
    """Function: stand-in for the sampling of a patch, seed, options of patches, to the layout of a pass."""
    monkeypatch.setattr(identity, "code_hash", lambda *modules, **options: "code")
    layout = Layout(tmp_path)
    write_scene(layout.postop, ROWS, BANDS)

    def run(function, seed=1, **patches):
        monkeypatch.setattr(running, "worker", lambda stage: function)
        steps.run(make_config({"outdir": str(tmp_path), "seed": seed, "patches": patches}), layout, "sample")
        return layout

    return run


def drawn(path) -> float:
    with reading(path, "", ours=True) as file:
        return float(file["drawn"][()])


def test_every_patch_has_its_own_file(sample):
    layout = sample(toy.drawn)
    found = results_of(layout)
    assert len(found) > 5 and [one.patch.index for one in found] == list(range(len(found)))
    assert all(one.path == layout.samples(one.patch.name) and not one.failure for one in found)
    assert len({drawn(one.path) for one in found}) == len(found)
    rows = read_scene(layout.scene("sample"))[0]
    assert len(rows) == len(ROWS)
    assert np.array_equal(rows["flags"] & Flag.NO_DRAWS > 0, ~ROWS["is_valid"]), (
        "a flag for all without draws"
    )


def test_a_patch_that_fails_does_not_show_the_draws_of_the_run_before(sample):
    before = {one.patch.index: drawn(one.path) for one in results_of(sample(toy.drawn))}
    layout = sample(toy.drawn_but_one, seed=2)
    found = results_of(layout)
    assert found[1].path is None and found[1].failure == "ValueError: no such luck"
    assert not layout.samples(found[1].patch.name).exists()
    others = [one for one in found if one.patch.index != 1]
    assert all(drawn(one.path) != before[one.patch.index] for one in others)
    rows = read_scene(layout.scene("sample"))[0]
    lost = np.isin(np.arange(len(rows)), found[1].patch.active)
    assert np.array_equal(rows["flags"] & Flag.NO_DRAWS > 0, lost | ~ROWS["is_valid"])
    assert np.all(rows["flags"][lost] & int(Flag.NOT_CONVERGED))
    assert np.array_equal(rows["g"][lost], ROWS["g"][lost]), "it stays at its optimum"
    sample(toy.drawn, seed=2)
    assert not any(one.failure for one in results_of(layout))
    rows = read_scene(layout.scene("sample"))[0]
    assert np.array_equal(rows["flags"] & Flag.NO_DRAWS > 0, ~ROWS["is_valid"])


@pytest.mark.parametrize("damage", ["gone", "flipped", "another"])
def test_a_file_that_is_not_what_the_pass_wrote_is_named_and_drawn_again(sample, damage):
    layout = sample(toy.drawn)
    before = {one.path: one.path.read_bytes() for one in results_of(layout)}
    two, three = (results_of(layout)[number].patch.name for number in (2, 3))
    path = layout.samples(three)
    if damage == "gone":
        path.unlink()
    else:
        content = bytearray(before[path] if damage == "flipped" else before[layout.samples(two)])
        content[-9] ^= damage == "flipped"
        path.write_bytes(content)
    with pytest.raises(DamagedError, match=rf"patch{three}_samples.h5: damaged.*Run `fpho sample` again"):
        results_of(layout)
    times = {one: one.stat().st_mtime_ns for one in before if one != path}
    sample(toy.drawn)
    assert {one: one.read_bytes() for one in before} == before
    assert {one: one.stat().st_mtime_ns for one in times} == times, "only that patch is done again"


def test_a_log_that_does_not_fit_the_plan_is_refused(sample):
    layout = sample(toy.drawn)
    plan = layout.plan("sample").read_bytes()
    sample(toy.drawn, maxactive_per_patch=1, strict=False)
    layout.plan("sample").write_bytes(plan)
    with pytest.raises(InputError, match="of another plan: patch"):
        results_of(layout)
    layout.patch_log("sample").unlink()
    with pytest.raises(InputError, match=r"no log of the pass\. Run the pass again"):
        results_of(layout)
