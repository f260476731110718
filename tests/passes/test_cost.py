"""What patches cost: the prediction against logs of runs, and how it divides a pass into jobs."""

import itertools
from pathlib import Path

import h5py
import numpy as np
import pytest
from numpy.lib import recfunctions

from fpho.config import Patches
from fpho.errors import InputError
from fpho.geometry import CircularRegion
from fpho.hdf5 import create
from fpho.parameters import scene_dtype
from fpho.passes.cost import UNKNOWN, CostLaw, ImagePlaces, signal_to_noise
from fpho.passes.dividing import divided, latest_before, repeat_rounds
from fpho.passes.needs import LEAST, UNPLANNED, image_needs, job_needs, planned_shares
from fpho.passes.plan import SOURCES, read_plan
from fpho.passes.planning import plan_patches
from tests.scene.making import random_rows

LOGGED = Path(__file__).with_name("logged.csv")


DENSITY = 3800.0  # pixels in a square arcsec, as in the fields of the logs


class Counted(ImagePlaces):
    """Images that are as deep everywhere."""

    def pixels(self, regions):
        return DENSITY * np.pi * np.array([region.radius for region in regions]) ** 2


def rows_of(snr) -> np.ndarray:
    rows = np.zeros(len(snr), scene_dtype(("g", "r")))
    rows["g"], rows["g_err"], rows["r"], rows["r_err"] = snr, 1.0, 1.0, 10.0
    return rows


def test_sampled_patches_took_what_was_predicted():
    """A hundred patches of simulated fields, drawn by lot; most have one or two sources."""
    n, pixels, snr, _, seconds = np.loadtxt(LOGGED, delimiter=",", skiprows=1, unpack=True)
    starts = np.concatenate([[0], np.cumsum(n)]).astype(int)
    rows = rows_of(np.repeat(snr, n.astype(int)))
    fitted = [range(a, b) for a, b in itertools.pairwise(starts)]
    regions = [CircularRegion(0, 0, one) for one in np.sqrt(pixels / DENSITY / np.pi)]
    predicted = CostLaw(True, Counted(*np.zeros((4, 0)))).seconds(rows, fitted, regions)
    ratio = predicted / seconds
    assert np.mean((ratio > 0.5) & (ratio < 2)) > 0.85
    tens = predicted.reshape(-1, 10).sum(axis=1) / seconds.reshape(-1, 10).sum(axis=1)
    assert np.mean((tens > 0.5) & (tens < 2)) >= 0.9, "one patch may take ten times as long as it should"


def test_draws_cost_more_than_an_optimum_and_grow_with_all_that_counts():
    rows, region = rows_of([3.0, 30.0, 30.0]), CircularRegion(0, 0, 1.0)
    law, optimum = CostLaw(True), CostLaw(False)

    def cost(law, some, radius=1.0):
        return law.seconds(rows, [some], [CircularRegion(0, 0, radius)])[0]

    assert cost(law, [1]) > 10 * cost(optimum, [1])
    assert cost(law, [0]) > 2 * cost(law, [1])
    assert cost(law, [1, 2]) > 1.4 * cost(law, [1])
    assert cost(law, [1], 3.0) > cost(law, [1]) and cost(optimum, [1], 9.0) > cost(optimum, [1])
    assert CostLaw(True, draws=2560).seconds(rows, [[1]], [region])[0] == pytest.approx(2 * cost(law, [1]))


def test_signal_to_noise_is_that_of_the_best_band():
    rows = rows_of([4.0, 7.0])
    rows["g_err"][1] = np.nan
    assert signal_to_noise(rows) == pytest.approx([4.0, 0.1])
    rows["r_err"] = rows["g_err"] = 0.0
    assert signal_to_noise(rows) == pytest.approx([UNKNOWN, UNKNOWN])


def test_pixels_are_those_of_all_images_around_a_patch():
    rng = np.random.default_rng(3)
    ra, dec = 359.99 + rng.uniform(0, 0.02, (2, 40)), rng.uniform(-0.01, 0.01, (2, 40))
    images = ImagePlaces(ra[0] % 360, dec[0], rng.uniform(5, 40, 40), rng.uniform(0.03, 0.1, 40))
    regions = [CircularRegion(x % 360, y, 1.5) for x, y in zip(ra[1], dec[1], strict=True)]
    naive = [
        np.sum(np.pi * 1.5**2 / images.scale[region.separation(images.ra, images.dec) <= images.radius] ** 2)
        for region in regions
    ]
    assert images.pixels(regions) == pytest.approx(naive) and np.ptp(naive) > 0
    assert images.pixels([]).shape == (0,)


def all_divisions(n: int):
    """All ways to divide n colours into steps, as the ends of steps."""
    for k in range(n):
        for cuts in itertools.combinations(range(1, n), k):
            yield [*cuts, n]


@pytest.mark.parametrize("seed", range(8))
def test_steps_are_those_that_end_soonest(seed):
    rng = np.random.default_rng(seed)
    n, n_batches, start = int(rng.integers(1, 9)), int(rng.integers(1, 9)), rng.uniform(0, 2)
    work = rng.exponential(size=n)
    steps, batches = divided(np.arange(n), work, start, n_batches)

    def time(ends):
        parts = [work[a:b] for a, b in itertools.pairwise([0, *ends])]
        return sum(start + part.sum() / (batches_of(part[0]) if len(part) == 1 else 1) for part in parts)

    def batches_of(seconds):
        return max(k for k in range(1, n_batches + 1) if k == 1 or (k - 1) * start < seconds)

    ends = [*np.flatnonzero(np.diff(steps)) + 1, n]
    assert time(ends) == pytest.approx(min(map(time, all_divisions(n))))
    assert np.array_equal(np.unique(steps), np.arange(len(ends)))
    assert not np.any(batches[np.isin(steps, np.flatnonzero(np.bincount(steps) > 1))])


def test_a_job_has_work_for_longer_than_it_takes_to_begin():
    """Where a colour has less than that for all batches, it has fewer; without a wait, all."""
    rng = np.random.default_rng(3)
    colours, seconds = np.repeat([0, 1, 2], [500, 100, 20]), rng.uniform(0.5, 1.5, 620)
    steps, batches = divided(colours, seconds, 10.0, 16)
    assert np.array_equal(steps, colours)
    counts = [len(set(batches[steps == step])) for step in range(3)]
    assert counts == [16, np.ceil(seconds[500:600].sum() / 10), np.ceil(seconds[600:].sum() / 10)]
    assert 5 < counts[1] < 16 and counts[2] < 4
    _, batches = divided(colours, seconds, 0.0, 16)
    assert [len(set(batches[colours == step])) for step in range(3)] == [16, 16, 16]
    assert set(divided(colours, seconds, 1000.0, 16)[0]) == {0}


def test_batches_share_the_predicted_time():
    rows = random_rows(400, seed=3)
    plan = plan_patches(rows, Patches(strict=False, maxactive_per_patch=4), n_batches=4)
    times = np.zeros(4)
    for patch in plan.patches:
        times[patch.batch] += patch.seconds if patch.colour == 0 else 0
    longest = max(patch.seconds for patch in plan.patches)
    assert times.min() > 0 and np.ptp(times) <= 2 * longest


def naive_past(index, which, colours, others):
    """By looking at all patches of earlier colours, as they are defined."""
    earlier = [k for k in range(len(which)) if colours[k] < colours[index]]
    if which[index] not in which[earlier]:
        return {}
    latest = {which[k]: k for k in sorted(earlier, key=lambda k: colours[k])}
    return {"previous": latest[which[index]], "neighbours": tuple(latest[j] for j in others if j in latest)}


def test_rounds_go_on_from_the_latest_patches():
    rng = np.random.default_rng(5)
    which, colours, rounds = repeat_rounds(rng.integers(0, 4, 30), np.flatnonzero(rng.random(30) < 0.6), 3)
    assert np.array_equal(rounds, [np.sum(which[:k] == which[k]) for k in range(len(which))])
    others = [np.sort(rng.choice(30, 4, replace=False)) for _ in range(30)]
    found = latest_before(which, colours, others)
    assert found == [naive_past(k, which, colours, others[which[k]]) for k in range(len(which))]
    assert any(one.get("neighbours") for one in found)
    alone = latest_before(which, colours, None)
    assert [one.get("previous") for one in alone] == [one.get("previous") for one in found]


def test_a_plan_comes_back_from_its_file(tmp_path):
    rows = random_rows(150, seed=6)
    options = Patches(strict=False, maxactive_per_patch=3)
    sizes = []
    for rounds in (1, 6):
        plan = plan_patches(rows, options, seed=4, n_batches=3, rounds=rounds, gibbs=rounds == 1)
        plan.write(tmp_path / "plan.h5")
        assert read_plan(tmp_path / "plan.h5") == plan
        with h5py.File(tmp_path / "plan.h5") as file:
            groups = [one for one in file.values() if isinstance(one, h5py.Group)]
            assert groups and not any(one.id.get_create_plist().get_obj_track_times() for one in groups)
        sizes.append((tmp_path / "plan.h5").stat().st_size)
    assert sizes[1] < 2.5 * sizes[0], "what rounds share is there once"


def test_jobs_ask_for_what_the_plan_predicts(tmp_path):
    path = tmp_path / "plan.h5"
    assert job_needs(path, 0, 0, 4) == UNPLANNED
    assert job_needs(path, 0, 0, 4, attempt=3)["mem_mb"] == 3 * UNPLANNED["mem_mb"]
    plan = plan_patches(random_rows(300, seed=2), n_batches=3, law=CostLaw(True, draws=25600))
    plan.write(path)
    some = [patch.seconds for patch in plan.patches if (patch.step, patch.batch) == (0, 1)]
    one, four = (job_needs(path, 0, 1, cores) for cores in (1, 4))
    assert one["runtime"] == pytest.approx((60 + 2 * sum(some)) / 60, abs=1) and one["runtime"] > LEAST
    assert LEAST <= four["runtime"] < one["runtime"] and four["mem_mb"] > 2 * one["mem_mb"]
    assert job_needs(path, 0, 1, 1, attempt=2) == {name: 2 * value for name, value in one.items()}
    assert job_needs(path, 17, 0, 1)["runtime"] == LEAST


def test_images_need_more_with_cores_and_attempts():
    """Each process holds an image; minutes do not hang on cores."""
    one = image_needs(1)
    assert image_needs(3)["mem_mb"] == 3 * one["mem_mb"] and image_needs(3)["runtime"] == one["runtime"]
    assert image_needs(1, attempt=2) == {name: 2 * value for name, value in one.items()}


def test_later_rounds_of_an_optimization_take_less(tmp_path):
    """Patches with nothing fixed beside them are not fitted again; draws of each round are drawn."""
    seconds, rounds = np.full(6, 8.0), np.array([0, 0, 1, 1, 2, 2])
    alone = np.array([False, True] * 3)
    found = CostLaw().of_round(seconds, rounds, alone)
    assert found == pytest.approx([8.0, 8.0, 4.0, 0.0, 2.0, 0.0], abs=0.01) and found.min() > 0
    assert np.array_equal(CostLaw(True).of_round(seconds, rounds, alone), seconds)

    rows, options = random_rows(150, seed=6), Patches(strict=False, maxactive_per_patch=3)
    one, six = (plan_patches(rows, options, n_batches=4, job_seconds=1.0, rounds=n) for n in (1, 6))
    times = [sum(patch.seconds for patch in plan.patches) for plan in (one, six)]
    assert times[0] < times[1] < 2 * times[0]
    assert [patch.seconds for patch in six.patches if not patch.round] == [one.seconds for one in one.patches]
    six.write(tmp_path / "plan.h5")
    assert len(six.jobs) < 3 * len(one.jobs), "rounds with little work share jobs"
    needed = [planned_shares(tmp_path / "plan.h5")[tuple(job)].seconds for job in six.jobs]
    assert sum(needed) == pytest.approx(times[1])


def test_a_plan_of_an_earlier_version_is_told(tmp_path):
    path = tmp_path / "plan.h5"
    plan_patches(random_rows(20, seed=6)).write(path)
    names = [f"{name}/{part}" for name in (*SOURCES, "neighbours") for part in ("values", "ends")]
    with h5py.File(path) as file:
        seed, kept = file.attrs["seed"], {name: file[name][:] for name in ("places", "turns")}
        lists = {name: file[name][:] for name in names}
    with create(path) as file:
        file.attrs["seed"], file["places"] = seed, kept["places"]
        file["turns"] = recfunctions.drop_fields(kept["turns"], "seconds")
        for name, values in lists.items():
            file[name] = values
    for read in (read_plan, planned_shares):
        with pytest.raises(InputError, match="cannot be read"):
            read(path)
