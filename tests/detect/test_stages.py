"""The stages `background` and `detect` on a run's folder: one source missing, a forgotten sky."""

from dataclasses import replace

import numpy as np
import pytest

from fpho.background import read_tweakbg
from fpho.config import make_config
from fpho.errors import InputError
from fpho.flags import Flag
from fpho.images import write_store
from fpho.layout import Layout
from fpho.scene import read_scene, write_scene
from fpho.stages import detect
from fpho.stages.running import run_stage
from tests.patch.scenes import draw, make_rows, make_store

BANDS = ("blue", "red")
SKY = {"m-blue": 0.0, "m-red": 0.05, "e-red": 0.03}


@pytest.fixture(scope="module")
def truth():
    return make_rows(
        BANDS,
        {"blue": 120.0, "red": 150.0, "rhalf": 0.3, "q": 0.85},
        {"blue": 40.0, "red": 40.0, "is_point": True, "rhalf": 0.0, "offset": (-1.5, 1.2)},
        {"blue": 9.0, "red": 12.0, "rhalf": 0.12, "offset": (1.4, 1.1)},
    )


@pytest.fixture(scope="module")
def folder(truth, tmp_path_factory):
    """A run after optimization: stores, PSFs, Sersic table, and a scene that lacks the last source."""
    from fpho.sersic import DEFAULT_PATH

    layout = Layout(tmp_path_factory.mktemp("run"))
    layout.psf_store.parent.mkdir()
    make_store(layout.psf_store)
    layout.sersic_table.parent.mkdir()
    layout.sersic_table.write_bytes(DEFAULT_PATH.read_bytes())
    made = {"mosaic": [], "exposure": []}
    for name, sky in SKY.items():
        kind = "mosaic" if name.startswith("m") else "exposure"
        image = draw(truth, name[2:], name, sigma=0.06, sky=sky, seed=len(name), shape=(110, 118))
        made[kind].append(replace(image, kind=kind))
    for kind, images in made.items():
        write_store(layout.pixels(kind), layout.meta(kind), images)
    write_scene(layout.scene("optimize"), truth[:2], BANDS)
    return layout


def config(layout, **options):
    return make_config({"outdir": str(layout.outdir), "bands": list(BANDS), **options})


@pytest.mark.parametrize("option", ["detect.enabled", "catalog.detect"])
def test_background_then_detection(folder, truth, option):
    """Also where the images made the catalog: what detection has not split off is looked for again."""
    run_stage("background", config(folder), folder)
    table = read_tweakbg(folder.background)
    assert list(table["exposure"]) == list(SKY)
    assert np.all(np.abs(table["constant"] - list(SKY.values())) < 3 * table["error"])
    assert list(table["used"]) == [False, True, True]
    run_stage("detect", config(folder, **{option: True}), folder)
    rows, bands, _ = read_scene(folder.scene("detect"))
    assert list(rows["id"]) == ["s0", "s1", "new1"] and tuple(bands) == BANDS
    assert rows["flags"][2] == Flag.DETECTED_IN_RESIDUAL
    assert 3600 * abs(rows["dec"][2] - truth["dec"][2]) < 0.03


@pytest.mark.parametrize("options", [{}, {"catalog.detect": True, "detect.enabled": False}])
def test_detection_off_keeps_the_scene(folder, options):
    run_stage("detect", config(folder, **options), folder)
    before, after = (read_scene(folder.scene(stage))[0] for stage in ("optimize", "detect"))
    assert before.tobytes() == after.tobytes()


def test_nothing_is_subtracted_when_fitted_inside_the_patches(folder):
    run_stage("background", config(folder, **{"background.mode": "in_fit"}), folder)
    table = read_tweakbg(folder.background)
    assert list(table["exposure"]) == list(SKY) and not table["used"].any()
    assert "in_fit" in folder.background.read_text()


def test_a_given_table_is_used_as_it_is(folder, tmp_path):
    path = tmp_path / "mine.tsv"
    path.write_text("exposure\tconstant\nm-red\t0.25\n")
    options = config(folder, **{"background.tweakbg": str(path)})
    run_stage("background", options, folder)
    (row,) = read_tweakbg(folder.background)
    assert (row["exposure"], row["constant"], row["used"]) == ("m-red", 0.25, True)
    path.write_text("exposure\tconstant\nm-rde\t0.25\n")
    with pytest.raises(InputError, match="'m-red'"):
        run_stage("background", options, folder)


def test_a_catalog_from_the_images(folder, truth):
    rows = detect.detect_initial(config(folder, **{"catalog.detect_nsigma": 8.0}), folder, BANDS)
    assert len(rows) == 3
    for row in truth:
        assert np.min(np.hypot(rows["ra"] - row["ra"], rows["dec"] - row["dec"])) < 0.05 / 3600
