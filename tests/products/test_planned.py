"""Count in = count out: every source of the plan is in the products, whatever became of its patch."""

import json

import numpy as np
import pytest

from fpho.errors import InputError
from fpho.flags import Flag
from fpho.geometry import CircularRegion
from fpho.parameters import axis_ratio
from fpho.passes.kept import key_of
from fpho.passes.logs import write_lines
from fpho.passes.plan import PatchPlan, Plan
from fpho.products import (
    chain_catalog,
    collect,
    postsample_catalog,
    samples_of,
    write_patches,
    write_sourcereg,
)
from fpho.products.report import write_summary
from fpho.records import RecordFile, records_in
from fpho.results import Samples
from fpho.scene import read_scene, write_scene

FAILURE = "MemoryError: <no more>"


@pytest.fixture
def planned(run, tmp_path):
    """A run of two patches: three sources with draws; one source whose patch failed, and an invalid one."""
    _, made = run
    layout = type(made)(tmp_path)
    keep(layout, 0, made.samples(0).read_bytes())
    final = Samples(made.samples(0)).final
    rows = np.concatenate([final, final[:2]])
    rows["source_index"] = np.arange(5)
    rows["id"][3:], rows["is_valid"][4], rows["is_point"][3] = ["lost", "left out"], False, False
    rows["flags"][3] |= int(Flag.NOT_CONVERGED)
    write_scene(layout.scene("sample"), rows, ["F125W"])
    region = CircularRegion(rows["ra"][0], rows["dec"][0], 2.0)
    common = {"halo": (), "fixed": (), "step": 0, "batch": 0, "truncated": False}
    patches = [PatchPlan(i, region, active, colour=i, **common) for i, active in enumerate([(0, 1, 2), (3,)])]
    Plan(tuple(patches), 1).write(layout.plan("sample"))
    write_log(layout, [{"patch": 0}, {"patch": 1, "failure": FAILURE}])
    return layout


def keep(layout, number: int, content: bytes) -> None:
    """Keep draws of a patch as a pass does."""
    with RecordFile(layout.records("sample", 0)) as file:
        file.append({key_of("samples", str(number), f"task{number}"): content})


def write_log(layout, entries):
    """With the checksums of the draws that are there, as the pass writes it."""
    for entry in entries:
        entry["task"] = f"task{entry['patch']}"
        found = records_in(layout.records("sample", 0))
        record = found.get(key_of("samples", str(entry["patch"]), entry["task"]))
        entry["sums"] = {"samples": record.digest} if record else {}
    write_lines(layout.patch_log("sample"), [json.dumps(entry).encode() for entry in entries])


def test_a_source_without_draws_stands_at_its_optimum(planned, tmp_path):
    results = collect(planned.outdir)
    assert [source.row["id"] for source in results.sources] == ["gal-1", "gal-2", "star-3", "lost"]
    table, rows = postsample_catalog(results), read_scene(planned.scene("sample"))[0]
    lost, optimum = table[3], rows[3]
    assert lost["flags"] == int(Flag.NO_DRAWS | Flag.NOT_CONVERGED) | int(rows["flags"][3])
    assert (lost["F125W"], lost["F125W_err"]) == (optimum["F125W"], optimum["F125W_err"])
    assert lost["axis_ratio"] == axis_ratio(optimum["q"]) and lost["ra"] == optimum["ra"]
    assert (lost["n_draws"], lost["patch"]) == (0, 1)
    assert all(np.isnan(lost[name]) for name in ("F125W_p16", "rhalf_err", "ra_err", "rhat", "ess", "chi2"))
    assert not np.any(table["flags"][:3] & int(Flag.NO_DRAWS)) and np.all(table["n_draws"][:3] == 120)
    chains = chain_catalog(results)
    assert chains["F125W"].shape == (4, 120) and np.isnan(chains["F125W"][3]).all()
    assert np.isfinite(chains["F125W"][:3]).all()
    assert np.array_equal(results.rows[3], results.sources[3].row)
    assert "NO_DRAWS" in write_sourcereg(results, tmp_path / "s.reg").read_text()
    write_summary(tmp_path / "s.html", results, table, {})
    page = (tmp_path / "s.html").read_text(encoding="utf-8")
    assert "MemoryError: &lt;no more&gt;" in page and "NO_DRAWS" in page


def test_a_failed_patch_does_not_show_an_older_runs_draws(planned):
    write_log(planned, [{"patch": 0, "failure": FAILURE}, {"patch": 1, "failure": FAILURE}])
    assert len(records_in(planned.records("sample", 0))) == 1
    assert all(source.n_draws == 0 for source in collect(planned.outdir).sources)


def test_draws_beside_the_plan_are_not_looked_at(planned):
    keep(planned, 7, drawn_of(planned, 0))
    planned.samples(7).write_bytes(drawn_of(planned, 0))
    assert [patch.number for patch in collect(planned.outdir).patches] == [0, 1]


def drawn_of(layout, number: int) -> bytes:
    """Bytes of the draws of a patch."""
    return records_in(layout.records("sample", 0))[key_of("samples", str(number), f"task{number}")].read()


def test_a_log_that_forgot_a_patch_is_refused(planned):
    write_log(planned, [{"patch": 0}])
    with pytest.raises(InputError, match=r"log.json: no patch 1\. Delete"):
        collect(planned.outdir)


@pytest.mark.parametrize("damage", [lambda b: b[:-1], lambda b: b[:900] + bytes([b[900] ^ 1]) + b[901:]])
def test_damaged_draws_are_refused(planned, damage):
    path = planned.records("sample", 0)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(InputError, match=r"sample_batch0.records: damaged.*same command again"):
        collect(planned.outdir)


def test_a_later_round_that_failed_is_seen_in_the_flags(planned):
    rows, bands, _ = read_scene(planned.scene("sample"))
    rows["flags"][1] |= int(Flag.DIVERGENCES)
    write_scene(planned.scene("sample"), rows, bands)
    source = collect(planned.outdir).sources[1]
    assert source.row["flags"] & Flag.DIVERGENCES and source.n_draws == 120


def test_results_of_another_plan_are_refused(planned):
    keep(planned, 1, drawn_of(planned, 0))
    write_log(planned, [{"patch": 0}, {"patch": 1}])
    with pytest.raises(InputError, match="the plan says"):
        collect(planned.outdir)
    planned.records("sample", 0).unlink()
    with pytest.raises(InputError, match="gone"):
        collect(planned.outdir)


def test_an_unfinished_pass_is_refused(planned):
    planned.scene("sample").unlink()
    with pytest.raises(InputError, match="no such scene state"):
        collect(planned.outdir)


def test_draws_of_a_source_and_files_for_other_programs(planned, run, tmp_path):
    samples = samples_of(planned.outdir, 1)
    assert list(samples.final["source_index"]) == [0, 1, 2] and "samples 0 task0" in repr(samples)
    assert np.array_equal(samples.chain, Samples(run[1].samples(0)).chain)
    with pytest.raises(InputError, match="no draws of source 3"):
        samples_of(planned.outdir, 3)
    (path,) = write_patches(planned.outdir, tmp_path / "files")
    assert path.name == "patch0_samples.h5" and path.read_bytes() == run[1].samples(0).read_bytes()
    with pytest.raises(InputError, match=r"no residuals of patch 0 were kept.*sample.residuals: true"):
        write_patches(planned.outdir, tmp_path / "files", kind="residuals")
