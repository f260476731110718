"""The loop of the documentation: every source gets its draws, states are written, seeds repeat."""

import json

import numpy as np
import pytest

from fpho import LinkedSuperScene, SuperScene
from fpho.errors import InputError
from fpho.parameters import SHAPE_COLS
from fpho.scene import group, read_scene
from tests.scene.making import BANDS, random_rows


def make(cls, tmp_path, **options):
    rows = random_rows(60, seed=11, side=40)
    bounds = {"sqrtq_range": (0.3, 1.0), "dpos": 0.2}
    settings = {"roi": rows["roi"], "bounds_kwargs": bounds, "target_niter": 20, **options}
    return cls(sourcecat=rows, bands=list(BANDS), statefile=tmp_path / "final_scene.fits", **settings)


@pytest.mark.parametrize("cls", [LinkedSuperScene, SuperScene])
def test_the_loop_ends(cls, tmp_path):
    scene = make(cls, tmp_path, maxactive_per_patch=5, strict=False, patch_maxradius=6.0)
    assert tuple(scene.shape_cols) == SHAPE_COLS
    patches = 0
    while scene.undone:
        region, active, fixed = scene.checkout_region(seed_index=-1)
        bounds, cov = scene.bounds_and_covs(active["source_index"])
        assert cov is None and len(bounds) == len(active) <= 5
        assert np.all(region.contains(active["ra"], active["dec"])) and region.radius <= 6
        assert not set(active["source_index"]) & set(fixed["source_index"])
        active["g"] += 1
        scene.checkin_region(active, fixed, 20, block_covs=np.eye(3), taskID=0)
        assert np.array_equal(scene.bounds_and_covs(active["source_index"])[1], np.eye(3))
        patches += 1
    scene.writeout()
    rows, bands, _ = read_scene(tmp_path / "final_scene.fits")
    assert tuple(bands) == BANDS and rows["n_iter"].min() >= 20
    log = json.loads((tmp_path / "final_scene.log.json").read_text())
    assert len(log) == patches
    assert {name for entry in log for name in entry["sources"]} == set(rows["id"])
    scene.reset()
    assert scene.undone


def test_a_scene_shows_what_is_left(tmp_path):
    scene = make(LinkedSuperScene, tmp_path)
    text = f"<LinkedSuperScene: 60 sources in {', '.join(BANDS)}, 60 of them without their 20 draws>"
    assert repr(scene) == text
    scene.checkout_region()
    assert f"<th>is_active</th><td>{scene.rows['is_active'].sum()}</td>" in scene._repr_html_()


def test_a_group_is_checked_out_whole(tmp_path):
    scene = make(LinkedSuperScene, tmp_path, maxactive_per_patch=1, strict=True, patch_maxradius=100)
    labels = group(scene.rows["ra"], scene.rows["dec"], scene.rows["roi"])
    _, active, _ = scene.checkout_region(seed_index=3)
    assert np.array_equal(active["source_index"], np.flatnonzero(labels == labels[3]))
    with pytest.raises(InputError, match="active already"):
        scene.checkout_region(seed_index=3)


def test_seeds_repeat(tmp_path):
    drawn = []
    for seed in (1, 1, 2):
        scene = make(LinkedSuperScene, tmp_path, seed=seed)
        drawn.append([tuple(scene.checkout_region()[1]["source_index"]) for _ in range(4)])
    assert drawn[0] == drawn[1] != drawn[2]


def test_a_catalog_without_a_column_is_named(tmp_path):
    names = [name for name in random_rows(1, 1).dtype.names if name != "pa"]
    with pytest.raises(InputError, match="pa"):
        LinkedSuperScene(sourcecat=random_rows(3, 1)[names], bands=BANDS)
