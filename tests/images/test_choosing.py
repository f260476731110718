"""A stage takes the images of its kind band by band, else what there is."""

from dataclasses import replace

import numpy as np
import pytest

from fpho.images import ExposureSpec, open_chosen, read_exposure, write_store
from fpho.images.choosing import chosen
from fpho.layout import Layout

from .making import header, write

SHAPE = (16, 24)
# Of band g there are both kinds, of r mosaics alone, of z exposures alone.
IMAGES = {"mosaic": {"G": "g", "R": "r"}, "exposure": {"g1": "g", "g2": "g", "z1": "z"}}


@pytest.mark.parametrize(
    ("on", "mosaics", "exposures"),
    [("mosaic", "G R", "z1"), ("exposure", "R", "g1 g2 z1"), ("all", "G R", "g1 g2 z1")],
)
def test_band_by_band(on, mosaics, exposures):
    assert chosen(IMAGES, on) == {"mosaic": set(mosaics.split()), "exposure": set(exposures.split())}


@pytest.mark.parametrize("kind", ["mosaic", "exposure"])
def test_one_kind_only(kind):
    images = {kind: {"a": "g", "b": "r"}}
    for on in ("mosaic", "exposure", "all"):
        assert chosen(images, on) == {kind: {"a", "b"}}


@pytest.fixture(scope="module")
def layout(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    data = np.random.default_rng(1).normal(0, 1, SHAPE)
    path = write(folder / "a.fits", SCI=(data, header(SHAPE, BUNIT="nJy")), ERR=np.ones(SHAPE))
    one = read_exposure(ExposureSpec(id="a", band="r", path=path))
    made = Layout(folder / "out")
    for kind, bands in IMAGES.items():
        images = [replace(one, id=name, band=band, kind=kind) for name, band in bands.items()]
        write_store(made.pixels(kind), made.meta(kind), images)
    return made


def test_stores_of_several_stages(layout):
    def ids(*on, **more):
        return [store.ids for store in open_chosen(layout, *on, **more)]

    assert ids("mosaic") == [["G", "R"], ["z1"]]
    assert ids("exposure") == [["R"], ["g1", "g2", "z1"]]
    assert ids("mosaic", "exposure") == ids("all") == [["G", "R"], ["g1", "g2", "z1"]]
    (mosaics, _) = open_chosen(layout, "exposure", shifts={"R": (2.0, 0.0)})
    plain = open_chosen(layout, "mosaic")[0]
    x, _ = mosaics.wcs("R").world_to_pixel_values(*plain.wcs("R").pixel_to_world_values(5.0, 5.0))
    assert x == pytest.approx(7.0)


def test_no_store_no_images(tmp_path):
    assert open_chosen(Layout(tmp_path), "all") == []
