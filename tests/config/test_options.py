"""Options that are right by themselves and wrong with the inputs are found before anything is fitted."""

from pathlib import Path

import pytest

from fpho.config import make_config
from fpho.errors import InputError
from fpho.images import ExposureSpec
from fpho.layout import Layout
from fpho.stages.inputs import check_outdir, resolve
from fpho.stages.options import option_problems

TABLES = {"images": "images.tsv", "psfs": "psfs.tsv", "catalog": {"path": "peaks.fits"}}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("images.tsv", "psfs.tsv"):
        Path(name).write_text("")
    return tmp_path


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"bands": ["g", "X"]}, "bands names X, of which images.tsv has no image"),
        ({"detect.bands": ["X"]}, "detect.bands names X"),
        ({"psfs": "images.tsv"}, "images and psfs name one file"),
        ({"priors.flux.name": "lognormal"}, "priors.flux"),
        ({"priors.position.name": "lognormal"}, "priors.position"),
        ({"priors.sersic.name": "rayleigh"}, "priors.sersic"),
        ({"registration.table": "nowhere.tsv"}, "nowhere.tsv: no such table of shifts"),
    ],
)
def test_what_is_wrong_with_the_inputs_is_named(folder, options, words):
    config = make_config(TABLES | options)
    inputs = resolve(config, Layout(folder))
    problems = list(option_problems(config, inputs, [ExposureSpec(id="a", band="g", path=folder / "a.fits")]))
    assert len(problems) == 1 and words in str(problems[0])


def test_nothing_is_wrong_with_defaults(folder):
    config = make_config(TABLES)
    specs = [ExposureSpec(id="a", band="g", path=folder / "a.fits")]
    assert list(option_problems(config, resolve(config, Layout(folder)), specs)) == []


def test_an_outdir_that_takes_no_files(tmp_path):
    check_outdir(tmp_path / "new" / "deep")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="is a file, not a folder"):
        check_outdir(tmp_path / "file" / "results")
    with pytest.raises(InputError, match="takes no files"):
        check_outdir(Path("/proc/results"))


def test_a_catalog_of_ones_own_for_a_simulated_scene(tmp_path):
    """Forced photometry on the built-in example starts from a catalog that is given."""
    layout = Layout(tmp_path)
    drawn = resolve(make_config({"simulate.scene": "tiny"}), layout)
    assert drawn.catalog == layout.simulation / "catalog.fits"
    given = resolve(make_config({"simulate.scene": "tiny", "catalog.path": "peaks.fits"}), layout)
    assert (given.images, given.catalog) == (drawn.images, Path("peaks.fits"))
    assert resolve(make_config({"simulate.scene": "tiny", "catalog.detect": True}), layout).catalog is None
