"""Pixels in a store are what was written, or damage is told: also where HDF5 itself does not notice."""

import shutil
from dataclasses import replace

import h5py
import numpy as np
import pytest

from fpho.errors import DamagedError
from fpho.images import ExposureSpec, open_store, read_exposure, write_store
from fpho.images.sums import read_tiles, tile_sums

from .making import header, write

SHAPE = (96, 120)


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    folder, rng = tmp_path_factory.mktemp("stores"), np.random.default_rng(3)
    planes = {"SCI": (rng.normal(0, 2, SHAPE), header(SHAPE, FLUXSCL=2.0)), "ERR": rng.uniform(1, 2, SHAPE)}
    one = read_exposure(ExposureSpec(id="a", band="r", path=write(folder / "a.fits", **planes), psf="p"))
    write_store(folder / "pixels", folder / "meta.h5", iter([one, replace(one, id="b", band="g")]))
    return folder / "pixels", folder / "meta.h5"


def read(paths):
    store = open_store(*paths)
    return [
        (one.data.tobytes(), one.ierr.tobytes()) for one in (store.tiles(name, None) for name in store.ids)
    ]


def test_a_changed_bit_is_found_or_does_no_harm(paths, tmp_path):
    """Half of them in HDF5's indices, where its own checksums of chunks let one in a hundred pass."""
    shutil.copytree(paths[0], tmp_path / "pixels")
    spoilt = tmp_path / "pixels" / "a.h5"
    good = spoilt.read_bytes()
    wanted, rng, found = read(paths), np.random.default_rng(1), 0
    for i in range(150):
        content = bytearray(good)
        content[rng.integers(12_000 if i % 2 else len(good))] ^= 1 << int(rng.integers(8))
        spoilt.write_bytes(content)
        try:
            assert read((spoilt.parent, paths[1])) == wanted
        except DamagedError:
            found += 1
    assert found > 50


@pytest.mark.parametrize("how", ["cut off", "zeros", "others"])
def test_a_spoilt_part_is_found_or_does_no_harm(paths, tmp_path, how):
    shutil.copytree(paths[0], tmp_path / "pixels")
    spoilt = tmp_path / "pixels" / "b.h5"
    good, wanted, rng = spoilt.read_bytes(), read(paths), np.random.default_rng(2)
    for _ in range(25):
        content, at = bytearray(good), int(rng.integers(len(good)))
        if how == "cut off":
            del content[at:]
        else:
            part = content[at : at + 700]
            content[at : at + 700] = bytes(len(part)) if how == "zeros" else rng.bytes(len(part))
        spoilt.write_bytes(content)
        try:
            assert read((spoilt.parent, paths[1])) == wanted
        except DamagedError as error:
            assert error.where.endswith("b.h5")


def test_every_bit_of_a_tile_counts():
    rng = np.random.default_rng(2)
    tiles = rng.normal(size=(1, 64)).astype("f4")
    sums = tile_sums(tiles)
    for _ in range(200):
        changed = tiles.copy()
        changed.view("u4")[0, rng.integers(64)] ^= np.uint32(1 << int(rng.integers(32)))
        assert tile_sums(changed) != sums
    assert tile_sums(tiles[:, ::-1]) != sums and len(tile_sums(tiles[:0])) == 0
    many = rng.normal(size=(40_000, 64)).astype("f4")
    assert np.array_equal(tile_sums(many)[[0, 20_000]], tile_sums(many[[0, 20_000]]))


def test_lost_checksums_are_damage(tmp_path):
    """A bit of the link to them is enough to lose them; pixels are not taken unseen then."""
    pixels = tmp_path / "pixels.h5"
    with h5py.File(pixels, "w") as file:
        file["pixels"] = np.ones((1, 2, 2, 64), "f4")
        with pytest.raises(DamagedError, match=r"pixels.h5.*checksums of the pixels"):
            read_tiles(pixels, file, slice(0, 1), slice(0, 2))
