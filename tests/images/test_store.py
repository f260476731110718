"""Stores: what comes out is what the files gave, and a region reads only its own tiles."""

import pickle
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS, DistortionLookupTable

from fpho.errors import DamagedError, InputError
from fpho.geometry import CircularRegion, linearize
from fpho.images import (
    ExposureSpec,
    kept_exposure,
    open_store,
    read_exposure,
    tile_image,
    untile_image,
    write_exposure,
    write_store,
)
from fpho.images.wcs import header_wcs
from fpho.patch.tiles import cut_tiles, keep_region

from .making import DEC, RA, header, write

SHAPE = (403, 517)  # no multiples of 8


@pytest.fixture(scope="module")
def exposure(tmp_path_factory):
    rng = np.random.default_rng(3)
    err = rng.uniform(1, 2, SHAPE)
    err[100:120, 50:90] = np.nan
    planes = {"SCI": (rng.normal(0, 2, SHAPE), header(SHAPE, FLUXSCL=2.0)), "ERR": err}
    path = write(tmp_path_factory.mktemp("images") / "a.fits", **planes)
    return read_exposure(ExposureSpec(id="a", band="r", path=path, psf="p"))


@pytest.fixture(scope="module")
def paths(exposure, tmp_path_factory):
    folder = tmp_path_factory.mktemp("stores")
    names = folder / "pixels", folder / "meta.h5"
    other = replace(exposure, id="b", band="g", kind="mosaic")
    assert write_store(*names, iter([exposure, other])) == ["a", "b"]
    return names


def test_tiles_are_blocks_of_eight():
    image = np.arange(12 * 17).reshape(12, 17)
    tiles = tile_image(image)
    assert tiles.shape == (6, 64)
    assert np.array_equal(tiles[1].reshape(8, 8), image[:8, 8:16])
    assert (
        np.array_equal(tiles[5].reshape(8, 8)[:4, 0], image[8:, 16]) and tiles[5].sum() == image[8:, 16].sum()
    )
    assert np.array_equal(untile_image(tiles, image.shape), image)


def test_whole_exposure_comes_back(exposure, paths):
    store = open_store(*paths)
    back = store.exposure("a")
    assert np.array_equal(back.data, exposure.data) and np.array_equal(back.ierr, exposure.ierr)
    assert (back.band, back.kind, back.psf, back.noise_scale) == ("r", "exposure", "p", 1.0)
    assert back.header["FLUXSCL"] == 2.0
    for a, b in zip(linearize(back.wcs, RA, DEC), linearize(exposure.wcs, RA, DEC), strict=True):
        assert np.array_equal(a, b)
    assert (store.band("b"), store.kind("b"), store.shape("b")) == ("g", "mosaic", SHAPE)


@pytest.mark.parametrize("offset", [(0.0, 0.0), (12.9, 10.0), (3.1, -6.7)])
def test_regions_give_the_same_tiles_as_the_file(exposure, paths, offset):
    region = CircularRegion(RA + offset[0] / 3600, DEC + offset[1] / 3600, 2.1)
    found, wanted = keep_region(open_store(*paths).tiles("a", region), region), cut_tiles(exposure, region)
    for name in ("data", "ierr", "tile_x", "tile_y"):
        assert np.array_equal(getattr(found, name), getattr(wanted, name)), name
    assert len(found.tile_x) and not np.any(found.tile_x % 8) and not np.any(found.tile_y % 8)


def test_regions_off_the_image(paths):
    store = open_store(*paths)
    far = CircularRegion(RA + 120, -DEC, 2.0)
    assert store.overlapping(far) == [] and len(store.tiles("a", far).data) == 0
    assert store.overlapping(CircularRegion(RA, DEC, 2.0)) == ["a", "b"]
    beside = CircularRegion(RA + 16.0 / 3600 / np.cos(np.radians(DEC)), DEC, 2.0)
    assert store.overlapping(beside) == [], "within the circle around the image, not on it"


def test_a_region_reads_only_its_own_chunks(exposure, paths, tmp_path):
    """Every chunk that the region needs not is overwritten in the file: the region must not notice."""
    damaged = tmp_path / "pixels" / "a.h5"
    damaged.parent.mkdir()
    damaged.write_bytes((paths[0] / "a.h5").read_bytes())
    region = CircularRegion(RA, DEC, 2.0)
    wanted = open_store(*paths).tiles("a", region)
    with h5py.File(damaged) as file:
        tiles = file["pixels"]
        info = [tiles.id.get_chunk_info(i) for i in range(tiles.id.get_num_chunks())]
        high, wide = tiles.chunks[:2]
    needed = set(zip(wanted.tile_y // 8 // high, wanted.tile_x // 8 // wide, strict=True))
    spared = [one for one in info if (one.chunk_offset[0] // high, one.chunk_offset[1] // wide) not in needed]
    assert len(spared) == len(info) - len(needed) > 0.7 * len(info)
    with open(damaged, "r+b") as file:
        for one in spared:
            file.seek(one.byte_offset)
            file.write(b"\xff" * one.size)
    assert np.array_equal(open_store(damaged.parent, paths[1]).tiles("a", region).data, wanted.data)


def test_lookup_distortion_survives_the_store(tmp_path):
    """HST's tables of residual distortion (CPDIS): here 0.3 pixel in x everywhere."""
    shape = (64, 64)
    wcs = WCS(header(shape))
    wcs.cpdis1, wcs.cpdis2 = (
        DistortionLookupTable(np.full((4, 4), by, "f4"), (1, 1), (1, 1), (21, 21)) for by in (0.3, 0.0)
    )
    made = wcs.to_fits(relax=True)  # header with CPDIS1 and DP1, and the table
    made[0].header["FLUXSCL"] = 1.0
    science = fits.ImageHDU(np.zeros(shape), made[0].header, name="SCI")
    planes = [science, fits.ImageHDU(np.ones(shape), name="ERR"), *made[1:]]
    fits.HDUList([fits.PrimaryHDU(), *planes]).writeto(tmp_path / "a_flc.fits")
    exposure = read_exposure(ExposureSpec(id="a", band="r", path=tmp_path / "a_flc.fits"))
    plain, _ = linearize(header_wcs(exposure.header, "a"), RA, DEC)
    bent, _ = linearize(exposure.wcs, RA, DEC)
    assert np.allclose(bent - plain, [[-0.3, 0.0]], atol=1e-3)
    write_store(tmp_path / "p.h5", tmp_path / "m.h5", [exposure])
    back = open_store(tmp_path / "p.h5", tmp_path / "m.h5")
    assert np.allclose(linearize(back.wcs("a"), RA, DEC)[0], bent, atol=1e-9)


def test_only_exposures_that_a_region_touches_are_opened_and_stay_open(
    paths, exposure, tmp_path, monkeypatch
):
    """Of two exposures, one beside the region; the file of that one may be anything."""
    crval = exposure.header["CRVAL2"] + 60 / 3600
    moved = exposure.header.copy()
    moved["CRVAL2"] = crval
    far = replace(exposure, id="far", wcs=header_wcs(moved, "far"), header=moved)
    names = tmp_path / "pixels", tmp_path / "meta.h5"
    write_store(*names, [exposure, far])
    (tmp_path / "pixels" / "far.h5").write_bytes(b"no")
    opened, real = [], h5py.File

    def seen(path, *args, **options):
        opened.append(path.name)
        return real(path, *args, **options)

    store, region = open_store(*names), CircularRegion(RA, DEC, 2.0)
    monkeypatch.setattr(h5py, "File", seen)
    assert store.near(region) == ["a"]
    for _ in range(3):
        store.tiles("a", region)
    assert opened == ["a.h5"]
    other = pickle.loads(pickle.dumps(store))
    assert np.array_equal(other.tiles("a", region).data, store.tiles("a", region).data)
    with pytest.raises(DamagedError, match=r"far\.h5"):
        store.exposure("far")


def test_a_file_of_another_run_is_not_read(exposure, tmp_path):
    """The index says of which exposures it speaks; one that is gone, or another, is damage."""
    names = tmp_path / "pixels", tmp_path / "meta.h5"
    write_store(*names, [exposure])
    store = open_store(*names)
    write_exposure(names[0] / "a.h5", replace(exposure, data=exposure.data + 1))
    with pytest.raises(DamagedError, match="another exposure"):
        store.exposure("a")
    (names[0] / "a.h5").unlink()
    with pytest.raises(DamagedError, match="is gone"):
        store.exposure("a")
    write_store(*names, [replace(exposure, id="b")])
    assert [path.name for path in names[0].iterdir()] == ["b.h5"]


def test_kept_is_what_was_made_of_the_same(exposure, tmp_path):
    path = tmp_path / "a.h5"
    assert kept_exposure(path, {"n": 1}) is None
    entry = write_exposure(path, exposure, {"n": 1, "of": ("x", "y")})
    assert kept_exposure(path, {"n": 1, "of": ("x", "y")}) == entry
    assert kept_exposure(path, {"n": 2}) is None
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)
    assert kept_exposure(path, {"n": 1, "of": ("x", "y")}) is None


def test_empty_and_missing_stores(tmp_path):
    write_store(tmp_path / "p.h5", tmp_path / "m.h5", [])
    assert open_store(tmp_path / "p.h5", tmp_path / "m.h5").ids == []
    with pytest.raises(InputError, match=r"none\.h5.*fpho preprocess"):
        open_store(tmp_path / "p.h5", tmp_path / "none.h5")


def test_what_is_read_before_any_checksum_has_one_of_hdf5(paths):
    """Texts of any length lie in a heap without checksums: with bits flipped there HDF5 loops for ever."""
    with h5py.File(Path(paths[0]) / "a.h5") as file:
        assert h5py.check_string_dtype(file.attrs.get_id("content").dtype).length == 32
