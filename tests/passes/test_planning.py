"""Groups, patches and colours, against slow and obvious referees."""

import itertools

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord

from fpho.config import Bounds, Patches
from fpho.errors import InputError
from fpho.parameters import error_col
from fpho.passes.cost import CostLaw
from fpho.passes.plan import PlanColumns, read_plan
from fpho.passes.planning import colour_graph, plan_patches
from fpho.passes.shining import SHARED, light_in_errors
from fpho.scene import checkin, checkout, group, make_bounds
from fpho.scene.circles import fits, fitting, make_regions, reach_of, wide_regions
from tests.scene.making import BANDS, random_rows


def separations(rows):
    """(S, S) arcsec, by astropy."""
    sky = SkyCoord(rows["ra"] * u.deg, rows["dec"] * u.deg)
    return sky[:, None].separation(sky[None, :]).arcsec


def naive_groups(rows):
    """Friends of friends by spreading labels until nothing changes."""
    touching = separations(rows) < rows["roi"][:, None] + rows["roi"][None, :]
    labels = np.arange(len(rows))
    while True:
        spread = np.where(touching, labels[None, :], len(rows)).min(axis=1)
        if np.array_equal(spread, labels):
            return labels
        labels = spread


@pytest.mark.parametrize("dec", [2.0, -89.99])
def test_groups_are_friends_of_friends(dec):
    """Across ra = 0, and at the pole, where ra means little; one source's roi is very large."""
    rows = random_rows(150, seed=2, dec=dec)
    rows["roi"][7] = 12.0
    labels, naive = group(rows["ra"], rows["dec"], rows["roi"]), naive_groups(rows)
    assert 5 < labels.max() + 1 < 140
    assert np.array_equal(labels[:, None] == labels[None, :], naive[:, None] == naive[None, :])


@pytest.mark.parametrize("strict", [True, False])
def test_every_valid_source_is_active_once(strict):
    rows = random_rows(300, seed=4)
    rows["is_valid"][::10] = False
    rows["ra"][0] = np.nan
    options = Patches(strict=strict, maxactive_per_patch=6, patch_maxradius=8.0)
    plan = plan_patches(rows, options, seed=1)
    active = np.concatenate([patch.active for patch in plan.patches])
    assert np.array_equal(np.sort(active), np.flatnonzero(rows["is_valid"]))
    for patch in plan.patches:
        some, region = rows[list(patch.active)], patch.region
        assert options.patch_minradius <= region.radius <= options.patch_maxradius
        assert strict or len(some) <= 6
        away = region.separation(some["ra"], some["dec"])
        assert len(some) == 1 or np.all(away + some["roi"] + options.buffer <= region.radius * (1 + 1e-9))


def test_circles_hold_the_reach_of_their_groups_and_no_more():
    """All groups at once, by astropy's separations; some share members, some have a source far away."""
    rows, rng = random_rows(80, seed=4), np.random.default_rng(2)
    rows["is_point"], options = True, Patches(patch_minradius=0.1, patch_maxradius=20.0)
    groups = [rng.choice(80, n, replace=False) for n in (1, 2, 3, 5, 80)]
    for some, region in zip(groups, make_regions(rows, groups, options), strict=True):
        sky = SkyCoord(rows["ra"][some] * u.deg, rows["dec"][some] * u.deg)
        away = SkyCoord(region.ra * u.deg, region.dec * u.deg).separation(sky).arcsec
        needed = np.max(away + rows["roi"][some]) + options.buffer
        assert region.radius == pytest.approx(min(needed, 20.0), abs=1e-6)
        assert fits(rows[some], options) == (needed <= 20.0)
    assert fitting(rows, groups, options).tolist() == [fits(rows[some], options) for some in groups]
    assert make_regions(rows, [], options) == wide_regions(rows, [], [], options) == []


def test_groups_stay_whole_when_they_fit():
    rows = random_rows(120, seed=5)
    labels = group(rows["ra"], rows["dec"], rows["roi"])
    plan = plan_patches(rows, Patches(strict=True, maxactive_per_patch=1, patch_maxradius=1e3))
    assert len(plan.patches) == labels.max() + 1
    assert not any(patch.truncated for patch in plan.patches)
    cut = plan_patches(rows, Patches(strict=False, maxactive_per_patch=2))
    sizes = np.bincount(labels)
    for patch in cut.patches:
        assert len(set(labels[list(patch.active)])) == 1
        assert patch.truncated == (sizes[labels[patch.active[0]]] > len(patch.active))


@pytest.mark.parametrize("factor", [1.0, 1.4])
def test_fixed_sources_and_colours(factor):
    """Fixed or in the halo is what shines into a patch, by brute force; of another colour, too."""
    rows = random_rows(150, seed=6)
    plan = plan_patches(rows, Patches(strict=False, maxactive_per_patch=3, halo=factor))
    colour = {i: patch.colour for patch in plan.patches for i in patch.active}
    for patch in plan.patches:
        away = patch.region.separation(rows["ra"], rows["dec"])
        near = set(np.flatnonzero(away < patch.region.radius + reach_of(rows)))
        assert set(patch.fixed) == near - set(patch.active) - set(patch.halo)
        reach = factor * rows["roi"]
        overlaps = separations(rows)[list(patch.active)] < reach[list(patch.active), None] + reach
        assert set(patch.halo) == set(np.flatnonzero(overlaps.any(axis=0))) - set(patch.active)
        assert all(colour[i] != patch.colour for i in (*patch.fixed, *patch.halo))
    assert plan.n_colours > 1


def test_jobs_do_not_change_the_plan():
    """Batches and steps are another division of the same patches, in the same colours and numbers."""
    rows = random_rows(200, seed=7)
    options = Patches(strict=False, maxactive_per_patch=3)
    one = plan_patches(rows, options, seed=5)
    work = np.bincount([p.colour for p in one.patches], [p.seconds for p in one.patches])
    many = plan_patches(rows, options, seed=5, n_batches=4, job_seconds=work[0] / 4)
    same = [[(p.index, p.region, p.active, p.fixed, p.colour) for p in plan.patches] for plan in (one, many)]
    assert same[0] == same[1]
    assert one.n_colours > 2
    assert len({patch.step for patch in many.patches}) < one.n_colours
    first = np.bincount([patch.batch for patch in many.patches if patch.step == 0], minlength=4)
    assert len(first) == 4 and first.min() > 0
    parts = [many.chosen(step, batch) for step, batch in many.jobs]
    assert all(parts), "no job has nothing to do"
    assert sorted(p.index for part in parts for p in part) == list(range(len(one.patches)))


def test_a_pass_of_two_rounds_does_everything_twice():
    rows = random_rows(40, seed=8)
    one, two = plan_patches(rows), plan_patches(rows, rounds=2)
    n = len(one.patches)
    assert [p.index for p in two.patches] == list(range(2 * n))
    assert [p.active for p in two.patches] == 2 * [p.active for p in one.patches]
    assert min(p.colour for p in two.patches[n:]) == one.n_colours


def test_only_cut_groups_are_visited_again():
    """And each goes on from the latest patches, in order of colour, whatever the steps of the workflow."""
    rows = random_rows(150, seed=6)
    options = Patches(strict=False, maxactive_per_patch=3)
    plan = plan_patches(rows, options, rounds=3, gibbs=True)
    first = [p for p in plan.patches if p.previous < 0]
    cut = [p for p in first if p.truncated]
    assert 0 < len(cut) < len(first) and len(plan.patches) == len(first) + 2 * len(cut)
    by_index = {p.index: p for p in plan.patches}
    for patch in plan.patches[len(first) :]:
        before = by_index[patch.previous]
        assert before.active == patch.active and before.colour < patch.colour
        known = [by_index[k] for k in patch.neighbours]
        assert set(patch.fixed) <= {i for p in known for i in p.active}
        for other in known:
            later = [p for p in plan.patches if p.active == other.active and p.colour < patch.colour]
            assert max(p.colour for p in later) == other.colour


def naive_counts(rows, blur: float) -> np.ndarray:
    """Which sources (S, S) do not know how much light they have under which, pair by pair."""
    counts = np.zeros((len(rows), len(rows)), bool)
    for i, j in itertools.permutations(range(len(rows)), 2):
        doubt = rows[j : j + 1].copy()
        for band in BANDS:
            doubt[band] = doubt[error_col(band)]
        counts[i, j] = light_in_errors(rows[i], doubt, BANDS, blur)[0] > SHARED
    return counts | counts.T


def test_of_cut_groups_what_has_light_in_a_patch_is_fitted_and_drawn_with_it():
    """Overlapping roi without light that counts do not matter; without errors, or a PSF, all do."""
    rows, blur = random_rows(150, seed=6, side=40), 0.2
    options = Patches(strict=False, maxactive_per_patch=3)
    wide = plan_patches(rows, options, rounds=2, gibbs=True)
    plan = plan_patches(rows, options, rounds=2, gibbs=True, blur=blur)
    halos = {patch.active: patch.halo for patch in wide.patches}
    counts, first = naive_counts(rows, blur), [patch for patch in plan.patches if not patch.round]
    overlap = separations(rows) < rows["roi"][:, None] + rows["roi"]
    for patch in first:
        own = list(patch.active)
        shared, far = (counts & overlap)[own].any(axis=0), ~overlap[own].any(axis=0)
        assert set(patch.halo) == {i for i in halos[patch.active] if shared[i] or far[i]}
    shone_on = {p.active for p in first if counts[np.ix_([*p.active, *p.halo], p.fixed)].any()}
    assert {p.active for p in plan.patches if p.round} == {
        p.active for p in first if p.truncated and p.active in shone_on
    }
    fewer = [sum(len(p.halo) for p in one.patches if not p.round) for one in (plan, wide)]
    assert 0 < fewer[0] < fewer[1] and len(first) < len(plan.patches) < len(wide.patches)
    for band in BANDS:
        rows[error_col(band)] = np.nan
    for patch in plan_patches(rows, options, rounds=2, gibbs=True, blur=blur).patches:
        own = list(patch.active)
        assert set(patch.halo) == set(np.flatnonzero(overlap[own].any(axis=0))) - set(own)


def test_groups_are_drawn_in_parts_and_optimized_whole():
    rows = random_rows(60, seed=6, side=10)
    options = Patches(patch_maxradius=100.0)
    whole, parts = (plan_patches(rows, options, law=CostLaw(sampled)) for sampled in (False, True))
    assert max(len(patch.active) for patch in whole.patches) == 56
    assert max(len(patch.active) for patch in parts.patches) <= Patches().maxactive_per_patch


def test_a_plan_is_read_back(tmp_path):
    plan = plan_patches(random_rows(30, seed=9), seed=3, n_batches=2)
    plan.write(tmp_path / "plan.h5")
    assert read_plan(tmp_path / "plan.h5") == plan


def test_a_share_of_a_plan_is_read_without_the_rest(tmp_path, monkeypatch):
    plan = plan_patches(random_rows(80, seed=9), seed=3, n_batches=3, rounds=2)
    plan.write(tmp_path / "plan.h5")
    known = read_plan(tmp_path / "plan.h5")
    made, real = [], PlanColumns.patch
    monkeypatch.setattr(PlanColumns, "patch", lambda self, i: made.append(i) or real(self, i))
    wanted = [patch for patch in plan.patches if (patch.step, patch.batch) == (1, 2)]
    wanted.sort(key=lambda patch: (patch.colour, patch.index))
    assert known.chosen(1, 2) == wanted and wanted
    assert sorted(made) == sorted(patch.index for patch in wanted)
    places = known.places("all", 0)[::3]
    rows, counts = known.active(places)
    active = [plan.patches[i].active for i in places]
    assert rows.tolist() == [row for some in active for row in some]
    assert counts.tolist() == [len(some) for some in active]
    assert known.patches[-2:] == plan.patches[-2:] and known.patches[-1] == plan.patches[-1]


def test_a_plan_of_an_earlier_version_is_no_plan(tmp_path):
    (tmp_path / "plan.json").write_text("{}")
    with pytest.raises(InputError, match=r"plan.h5: no plan.*plan.json, which an earlier version"):
        read_plan(tmp_path / "plan.h5")


def test_nothing_to_plan():
    rows = random_rows(3, seed=1)
    rows["is_valid"] = False
    assert plan_patches(rows).patches == () and plan_patches(rows, rounds=2).n_colours == 1


def test_colours_of_a_ring():
    ring = [(i, (i + 1) % 7) for i in range(7)]
    colours = colour_graph(7, ring)
    assert all(colours[i] != colours[j] for i, j in ring) and colours.max() == 2


def test_check_out_and_in_are_values():
    rows = random_rows(10, seed=2)
    before = rows.copy()
    active, fixed = checkout(rows, [4, 2], [7])
    active["g"], active["flags"] = 7.0, 2
    new = checkin(rows, active, BANDS, [3, 5])
    assert rows.tobytes() == before.tobytes() and fixed["source_index"] == 7
    assert list(new["g"][[2, 4]]) == [7, 7] and list(new["n_iter"][[4, 2]]) == [3, 5]
    others = np.delete(np.arange(10), [2, 4])
    assert new[others].tobytes() == before[others].tobytes()
    active["source_index"] = 99
    with pytest.raises(KeyError):
        checkin(rows, active, BANDS)


def test_bounds_hold_the_start_and_are_wide_in_flux():
    rows = random_rows(50, seed=3)
    rows["is_point"][5], rows["rhalf"][5] = True, 0.0
    rows["g_err"][:10] = np.nan
    bounds = make_bounds(rows, BANDS)
    for band in BANDS:
        room = np.stack([rows[band] - bounds[band][:, 0], bounds[band][:, 1] - rows[band]])
        error = np.nan_to_num(rows[error_col(band)])
        assert np.all(room >= 49 * error) and np.all(room >= 9 * np.abs(rows[band]))
        assert np.any(bounds[band][:, 0] < 0), "fluxes may be negative"
    for name in ("q", "pa", "sersic", "rhalf"):
        low, high = bounds[name].T
        assert (low[5], high[5]) == (rows[name][5],) * 2
        assert np.all(np.delete(low < high, 5))


def test_the_box_of_a_position_stays_where_the_catalog_has_it():
    """A source at an edge of its box in each of four stages does not leave that of the first."""
    rows, options = random_rows(5, seed=3), Bounds(dpos=0.2)
    rows["ra0"], rows["dec0"] = rows["ra"], rows["dec"]
    box = make_bounds(rows, BANDS, options)
    for _ in range(4):
        now = make_bounds(rows, BANDS, options)
        for name in ("ra", "dec"):
            assert np.array_equal(now[name], box[name])
            rows[name] = now[name][:, 1]
    assert np.allclose(rows["dec"] - rows["dec0"], 0.2 / 3600, rtol=1e-6)


def test_held_parameters_have_no_room():
    rows = random_rows(5, seed=3)
    bounds = make_bounds(rows, BANDS, Bounds(held=("ra", "sersic")))
    for name in ("ra", "sersic"):
        assert np.array_equal(bounds[name], np.stack([rows[name], rows[name]], axis=-1))
    assert np.all(np.ptp(bounds["dec"], axis=1) > 0) and np.all(np.ptp(bounds["g"], axis=1) > 0)


def test_a_neighbour_with_a_wild_fit_is_fitted_along():
    """It does not overlap the bright one, but does not know how much light it has there."""
    rows = random_rows(3, seed=1, side=1)
    values = {"sersic": 3.0, "q": 1.0, "pa": 0.0, "roi": 1.0, "is_point": False, "is_valid": True}
    for name, value in values.items():
        rows[name] = value
    rows["q"][1], rows["pa"][1] = 0.4, 0.5 * np.pi
    rows["rhalf"], rows["ra"], rows["dec"] = (0.2, 1.1, 0.1), 150.0, (2.0, 2.0 + 3.3 / 3600, 2.0 - 9 / 3600)
    for band in BANDS:
        rows[band], rows[f"{band}_err"] = (3700.0, 330.0, 50.0), (25.0, 900.0, 10.0)
    halos = [patch.halo for patch in plan_patches(rows).patches]
    active = [patch.active for patch in plan_patches(rows).patches]
    assert dict(zip(active, halos, strict=True)) == {(0,): (1,), (1,): (0,), (2,): ()}
    for band in BANDS:
        rows[f"{band}_err"][1] = 40.0
    assert not any(patch.halo for patch in plan_patches(rows).patches)
