"""Patches and rendering against GalSim, and the bookkeeping of pixels."""

from dataclasses import replace

import numpy as np
import pytest

from fpho.errors import InputError
from fpho.geometry import CircularRegion
from fpho.kernel import cpu
from fpho.patch import (
    CPUPatchMixin,
    DirectPatch,
    GPUPatchMixin,
    cut_tiles,
    place_sources,
    render,
    source_state,
    subtract_sources,
)
from fpho.patch.tiles import select_tiles, to_image
from fpho.sersic import load_table

from .scenes import DEC, RA, build_arrays, draw, make_rows, make_store

BANDS = ("blue", "red")
TABLE = load_table()
REGION = CircularRegion(RA, DEC, 1.5)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return make_store(tmp_path_factory.mktemp("psf") / "psfs.h5")


@pytest.fixture(scope="module")
def rows():
    return make_rows(
        BANDS,
        {"blue": 100.0, "red": 300.0, "q": 0.8, "pa": 0.6, "rhalf": 0.25, "sersic": 1.5},
        {"blue": 40.0, "red": 20.0, "is_point": True, "rhalf": 0.0, "offset": (0.9, -0.4)},
        {"blue": 80.0, "red": 90.0, "q": 0.7, "pa": -1.1, "sersic": 3.0, "offset": (-1.2, 1.1)},
    )


@pytest.mark.parametrize("rotation", [0.0, 37.0])
def test_render_agrees_with_galsim(rows, store, rotation):
    """1.5e-3 of the peak: the Sersic mixture is good to 1e-3, 1/12 pixel^2 for the pixel to 5e-4 here."""
    exposure = draw(rows, "red", "e1", rotation=rotation, offset=(0.1, -0.2))
    model = render(rows, exposure, store, TABLE, BANDS)
    assert model.shape == exposure.data.shape
    assert np.abs(model - exposure.data).max() < 1.5e-3 * exposure.data.max()
    assert model.sum() == pytest.approx(exposure.data.sum(), rel=2e-3)


@pytest.mark.parametrize("corner, size", [((3, 13), (9, 6)), ((0, 8), (17, 24)), ((11, 0), (2, 1))])
def test_a_box_is_a_part_of_the_whole(rows, store, corner, size):
    """Not the same bits: a box leaves other pixels below the limits under which Gaussians are cut off."""
    exposure = draw(rows, "red", "e1", rotation=37.0, offset=(0.1, -0.2))
    box = tuple(slice(start, start + width) for start, width in zip(corner, size, strict=True))
    whole = render(rows, exposure, store, TABLE, BANDS)
    part = render(rows, exposure, store, TABLE, BANDS, box=box)
    assert part.shape == size
    assert np.abs(part - whole[box]).max() < 1e-5 * whole.max()


def test_only_pixels_in_the_circle_count(rows):
    exposure = draw(rows, "red", "e1", rotation=20.0, offset=(0.7, 0.3))
    tiles = cut_tiles(exposure, REGION)
    image = to_image(tiles.ierr, tiles.tile_x, tiles.tile_y, exposure.data.shape)
    y, x = np.indices(exposure.data.shape)
    ra, dec = exposure.wcs.pixel_to_world_values(x, y)
    distance = 3600 * np.hypot((ra - RA) * np.cos(np.radians(DEC)), dec - DEC)
    assert np.array_equal(image > 0, distance <= REGION.radius)
    data = to_image(tiles.data, tiles.tile_x, tiles.tile_y, exposure.data.shape)
    assert np.array_equal(data[image > 0], exposure.data[image > 0])


def test_exposures_without_pixels_are_dropped(rows, store):
    here, away = (draw(rows, "red", name, offset=(offset, 0.0)) for name, offset in (("e1", 0), ("e2", 60)))
    masked = replace(here, id="e3", ierr=np.zeros_like(here.ierr))
    other = replace(here, id="e4", band="green")
    patch = build_arrays([away, masked, other, here], REGION, rows, store, BANDS)
    assert (patch.n_exposures, list(patch.band), patch.n_sources) == (1, [1], 3)
    empty = build_arrays([away], REGION, rows, store, BANDS)
    chi2, gradient, _ = cpu.evaluate(empty, source_state(rows, BANDS, TABLE))
    assert chi2.shape == (0,) and not gradient.any()


def test_fixed_sources_leave_nothing(rows, store):
    """Subtracting all sources leaves the referee's image empty, and the arrays before it as they were."""
    exposures = [draw(rows, "blue", "e1", offset=(0.3, 0.1)), draw(rows, "red", "e2", rotation=50.0)]
    tiles = select_tiles(exposures, REGION, BANDS)
    arrays = build_arrays(exposures, REGION, rows[:1], store, BANDS)
    before = arrays.data.copy()
    left = subtract_sources(arrays, place_sources(tiles, rows, store, BANDS, TABLE))
    good = arrays.weight > 0
    assert np.abs(left.data[good]).max() < 1.5e-3 * before.max()
    assert np.array_equal(arrays.data, before)


def test_snr_cap_and_background_table(rows):
    exposure = draw(rows, "red", "e1", sigma=0.2)
    table = {"exposure": "e1", "constant": 0.5, "used": True}
    from fpho.background.table import DTYPE

    tweak = np.zeros(1, DTYPE)
    for name, value in table.items():
        tweak[name] = value
    (plain,) = select_tiles([exposure], REGION, BANDS)
    (tiles,) = select_tiles([exposure], REGION, BANDS, max_snr=5.0, tweakbg=tweak)
    good = plain.ierr > 0
    assert np.allclose(tiles.data[good], plain.data[good] - 0.5, atol=1e-5)
    assert np.max(np.abs(tiles.data) * tiles.ierr) < 5.001
    assert np.all(tiles.ierr <= plain.ierr)


class Direct(DirectPatch, CPUPatchMixin):
    pass


def test_bookkeeping_of_a_patcher(rows, store):
    exposures = [draw(rows, "red", "r1", rotation=50.0), draw(rows, "blue", "b1"), draw(rows, "red", "r2")]
    exposures[0].ierr[40:50, 45:60] = 0
    patcher = Direct(exposures, store, TABLE)
    patcher.build_patch(REGION, None, allbands=BANDS)
    assert patcher.exposures == ["r1", "b1", "r2"]
    assert list(patcher.band_N) == [1, 2]
    assert patcher.patch_reference_coordinates == (RA, DEC)
    start = 0
    for count, exposure, tiles in zip(patcher.exposure_N, exposures, patcher.tiles, strict=True):
        x, y = patcher.xpix[start : start + count], patcher.ypix[start : start + count]
        assert np.all(exposure.ierr[y, x] > 0)
        assert np.array_equal(exposure.data[y, x], tiles.data[tiles.ierr > 0])
        start += count
    assert start == len(patcher.xpix) == len(patcher.ypix)


def test_gpu_without_cupy_stops_with_the_cure(rows, store, monkeypatch):
    from fpho.kernel.gpu import transport

    transport.require_gpu.cache_clear()
    monkeypatch.setattr(transport, "find_spec", lambda name: None)

    class Patcher(DirectPatch, GPUPatchMixin):
        pass

    patcher = Patcher([draw(rows, "red", "e1")], store)
    patcher.build_patch(REGION, None, allbands=BANDS)
    with pytest.raises(InputError, match=r"fpho\[cuda12\]"):
        patcher.prepare_model(active=rows)
