"""Groups that are too much for one patch are cut where they hang together least."""

import itertools

import numpy as np
import pytest

from fpho.config import Patches
from fpho.geometry import separation
from fpho.passes.cost import CostLaw
from fpho.passes.cutting import SMALLEST, weakest_cut
from fpho.passes.planning import plan_patches
from fpho.scene import group
from fpho.scene.circles import make_region
from tests.scene.making import random_rows


def link(rows, i: int, j: int) -> float:
    """Overlap of two sources as a part of the smaller roi; negative if they are not linked."""
    one, other = rows[i], rows[j]
    away = separation(one["ra"], one["dec"], other["ra"], other["dec"])
    return float((one["roi"] + other["roi"] - away) / min(one["roi"], other["roi"]))


def fair_links(rows) -> list[float]:
    """Links of the tree of strongest ones (Kruskal's way) that leave enough sources to either side."""
    pairs = sorted(itertools.combinations(range(len(rows)), 2), key=lambda pair: -link(rows, *pair))
    where, tree = list(range(len(rows))), []
    for i, j in pairs:
        if where[i] != where[j] and link(rows, i, j) > 0:
            tree.append((i, j))
            where = [where[i] if one == where[j] else one for one in where]
    found = []
    for cut in tree:
        side, others = {cut[0]}, [pair for pair in tree if pair != cut]
        for _ in rows:
            side |= {k for pair in others if side & set(pair) for k in pair}
        if min(len(side), len(rows) - len(side)) >= SMALLEST * len(rows):
            found.append(link(rows, *cut))
    return found


@pytest.mark.parametrize("seed", range(4))
def test_the_weakest_of_the_strongest_links_is_cut(seed):
    rows = random_rows(60, seed=seed, side=15)
    labels = group(rows["ra"], rows["dec"], rows["roi"])
    rows = rows[labels == np.bincount(labels).argmax()]
    first = weakest_cut(rows)
    strongest = max(link(rows, i, j) for i in np.flatnonzero(first) for j in np.flatnonzero(~first))
    fair = fair_links(rows)
    assert len(rows) > 5 and first.any() and not first.all()
    if fair:
        assert strongest == pytest.approx(min(fair))
    for part in (rows[first], rows[~first]):
        assert not np.any(group(part["ra"], part["dec"], part["roi"])), "each hangs together"


def test_two_clumps_on_a_bridge_come_apart():
    rows = random_rows(13, seed=1)
    rows["roi"] = 1.0
    east = np.array([0, 0.5, 1, 0.5, 0, 1, 2.9, 4.8, 4.8, 5.3, 5.8, 5.3, 4.8])
    north = np.array([0, 0.5, 0, 1, 1, 1, 0.0, 0, 0.6, 0.5, 0, 1, 1])
    rows["dec"] = 2.0 + north / 3600
    rows["ra"] = 150.0 + east / 3600 / np.cos(np.radians(2.0))
    first = weakest_cut(rows)
    assert set(map(frozenset, (np.flatnonzero(first), np.flatnonzero(~first)))) in (
        {frozenset(range(6)), frozenset(range(6, 13))},
        {frozenset(range(7)), frozenset(range(7, 13))},
    )


WIDE = {"patch_maxradius": 100.0, "maxactive_per_patch": 300}


def test_groups_that_take_too_long_are_cut_even_if_strict():
    rows, law = random_rows(300, seed=4, side=20), CostLaw(True)
    whole = plan_patches(rows, Patches(**WIDE, max_seconds=1e9), law=law)
    longest = max(patch.seconds for patch in whole.patches)
    assert not any(patch.truncated for patch in whole.patches)
    assert plan_patches(rows, Patches(**WIDE, max_seconds=3 * longest), law=law) == whole
    options = Patches(**WIDE, max_seconds=longest / 5)
    cut = plan_patches(rows, options, law=law)
    assert any(patch.truncated for patch in cut.patches) and len(cut.patches) > len(whole.patches)
    for patch in cut.patches:  # what halos add comes on top
        region = make_region(rows[list(patch.active)], options)
        alone = law.seconds(rows, [patch.active], [region])[0]
        assert alone <= options.max_seconds or len(patch.active) == 1
    assert sorted(i for patch in cut.patches for i in patch.active) == list(range(300))


def test_a_large_group_is_cut_quickly():
    rows = random_rows(3000, seed=2, side=60)
    plan = plan_patches(rows, Patches(strict=False, maxactive_per_patch=10))
    assert max(len(patch.active) for patch in plan.patches) <= 10
