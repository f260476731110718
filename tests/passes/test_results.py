"""Results of a pass come from its plan and log: never an earlier run's, never damaged, none forgotten."""

import numpy as np
import pytest

from fpho.config import make_config
from fpho.errors import DamagedError, InputError
from fpho.flags import Flag
from fpho.hdf5 import opened
from fpho.layout import Layout
from fpho.passes import identity, running, steps
from fpho.passes.results import results_of
from fpho.records import records_in
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


def drawn(record) -> float:
    with opened(record.read()) as file:
        return float(file["drawn"][()])


def test_every_patch_has_its_own_draws(sample):
    layout = sample(toy.drawn)
    found = results_of(layout)
    assert len(found) > 5 and [one.patch.index for one in found] == list(range(len(found)))
    assert all(one.record.path == layout.records("sample", 0) and not one.failure for one in found)
    assert len({drawn(one.record) for one in found}) == len(found)
    assert [path.name for path in layout.patches.iterdir()] == ["sample_batch0.records"]
    rows = read_scene(layout.scene("sample"))[0]
    assert len(rows) == len(ROWS)
    assert np.array_equal(rows["flags"] & Flag.NO_DRAWS > 0, ~ROWS["is_valid"]), (
        "a flag for all without draws"
    )


def test_a_patch_that_fails_does_not_show_the_draws_of_the_run_before(sample):
    before = {one.patch.index: drawn(one.record) for one in results_of(sample(toy.drawn))}
    layout = sample(toy.drawn_but_one, seed=2)
    found = results_of(layout)
    assert found[1].record is None and found[1].failure == "ValueError: no such luck"
    others = [one for one in found if one.patch.index != 1]
    assert all(drawn(one.record) != before[one.patch.index] for one in others)
    rows = read_scene(layout.scene("sample"))[0]
    lost = np.isin(np.arange(len(rows)), found[1].patch.active)
    assert np.array_equal(rows["flags"] & Flag.NO_DRAWS > 0, lost | ~ROWS["is_valid"])
    assert np.all(rows["flags"][lost] & int(Flag.NOT_CONVERGED))
    assert np.array_equal(rows["g"][lost], ROWS["g"][lost]), "it stays at its optimum"
    sample(toy.drawn, seed=2)
    assert not any(one.failure for one in results_of(layout))
    rows = read_scene(layout.scene("sample"))[0]
    assert np.array_equal(rows["flags"] & Flag.NO_DRAWS > 0, ~ROWS["is_valid"])


def test_draws_that_are_spoiled_are_named_and_drawn_again(sample):
    """Only these: all else stays as it is."""
    layout = sample(toy.drawn)
    found = results_of(layout)
    before, path = [one.record.read() for one in found], layout.records("sample", 0)
    content = bytearray(path.read_bytes())
    content[found[3].record.at + 9] ^= 4
    path.write_bytes(content)
    words = rf"sample_batch0.records: damaged: record 'samples {found[3].patch.name} \w+' does not fit"
    with pytest.raises(DamagedError, match=words):
        results_of(layout)[3].record.read()
    assert [one.record.is_whole for one in results_of(layout)].count(False) == 1
    sample(toy.drawn)
    after = path.read_bytes()
    assert [one.record.read() for one in results_of(layout)] == before
    assert after.startswith(content), "what is finished is not touched"
    assert len(after) - len(content) < 2 * len(content) / len(found)


@pytest.mark.parametrize("how", ["spoiled", "torn"])
def test_draws_of_another_batch_are_made_again_for_good(sample, how):
    """What is left of them in its file must not stand before what was made again, in the file of this one."""
    layout = sample(toy.drawn_at_leisure)
    found = results_of(layout)
    before, path = [one.record.read() for one in found], layout.records("sample", 1)
    layout.records("sample", 0).rename(path)
    content, ends = bytearray(path.read_bytes()), list(records_in(path).values())
    if how == "spoiled":
        content[found[3].record.at + 9] ^= 4
    else:  # its draws are there, what became of it is not
        del content[ends[-1].at :]
    path.write_bytes(content)
    sample(toy.drawn_at_leisure)
    after = results_of(layout)
    assert [one.record.is_whole for one in after].count(False) == 0
    again = [one.record.path for one in after].count(layout.records("sample", 0))
    assert again == 1 == sum(one.record.read() != old for one, old in zip(after, before, strict=True))
    sample(toy.forbidden)


def test_draws_that_are_gone_are_named_and_drawn_again(sample):
    layout = sample(toy.drawn)
    before = [one.record.read() for one in results_of(layout)]
    layout.records("sample", 0).unlink()
    with pytest.raises(DamagedError, match=r"sample_batch0.records: damaged: samples of patch \d+ are gone"):
        results_of(layout)
    sample(toy.drawn)
    assert [one.record.read() for one in results_of(layout)] == before


def test_draws_of_another_run_are_not_taken(sample):
    """Nor kept, where they are most of a file."""
    layout = sample(toy.drawn)
    log, seal = layout.patch_log("sample"), layout.patch_log("sample").with_name(".sample.log.json.seal")
    first, mark = log.read_bytes(), seal.read_bytes()
    count = len(results_of(layout))
    for seed in (2, 3, 4):
        sample(toy.drawn, seed=seed)
        assert 2 * count <= len(records_in(layout.records("sample", 0))) <= 2 * 2 * count
    log.write_bytes(first)
    seal.write_bytes(mark)
    with pytest.raises(DamagedError, match=r"samples of patch \d+ are gone"):
        results_of(layout)


def test_files_of_an_earlier_version_are_removed_and_said(sample, caplog):
    layout = Layout(sample(toy.drawn).outdir)
    older = [layout.patches / "patch3_samples.h5", layout.work("sample") / "patch3_0123.h5"]
    for path in older:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"older")
    sample(toy.drawn)
    assert not any(path.exists() for path in older)
    assert "sample: 2 files of an earlier version are removed" in caplog.text


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
