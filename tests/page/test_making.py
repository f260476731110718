"""How a page is made: its grid, its maps, its tiles, its scripts."""

import base64
import json
import re
import threading
from urllib.request import urlopen

import numpy as np
import pytest
from astropy.wcs import NoConvergence
from PIL import Image

from fpho.errors import InputError
from fpho.page.grid import band_maps, choose_grid, north_of
from fpho.page.pyramid import TILE, halved, levels_of, write_pyramid
from fpho.page.scripts import text, write_script
from fpho.page.serving import server
from fpho.page.shading import BLANK, blue_to_red, greys
from fpho.page.sources import columns_of, draws_of
from fpho.products.picture import Picture

from .conftest import BANDS, HOSTILE, SHAPE, chains, make_page, turned_wcs


def picture(wcs, data, kind="mosaic", sigma=1.0, masked=()) -> Picture:
    ierr = np.full(data.shape, 1 / sigma)
    for place in masked:
        ierr[place] = 0
    return Picture("one", "F1", kind, data, 0 * data, ierr, wcs)


def numbers(stored):
    """What `scripts.packed` wrote."""
    kinds = {"Float32Array": "<f4", "Float64Array": "<f8", "Int32Array": "<i4", "Uint8Array": "u1"}
    return np.frombuffer(base64.b64decode(stored["bytes"]), kinds[stored["type"]])


def test_an_image_that_holds_all_sources_keeps_its_pixels():
    wcs, data = turned_wcs(), np.arange(np.prod(SHAPE), dtype="f8").reshape(SHAPE)
    ra, dec = wcs.pixel_to_world_values([20, 300], [30, 250])
    grid = choose_grid([(turned_wcs(0, (100, 100), 0.13), (100, 100)), (wcs, SHAPE)], ra, dec)
    assert grid.shape == SHAPE and grid.pixel == pytest.approx(0.05, rel=1e-5)
    maps = band_maps(grid, [picture(wcs, data, sigma=2.0)])
    assert np.allclose(maps.data * maps.noise, data, rtol=1e-4) and maps.noise == pytest.approx(2.0, rel=1e-4)
    # at 30 degrees from the up direction, on the side of decreasing x
    assert north_of(grid) == pytest.approx([np.sin(np.radians(30)), np.cos(np.radians(30))], abs=1e-3)


def test_images_side_by_side_are_shown_with_north_up():
    first, second = turned_wcs(20, ra=359.997), turned_wcs(-50, ra=0.003)
    ra, dec = np.array([359.997, 0.003]), np.array([40.0, 40.0])
    data = np.zeros(SHAPE)
    spot = tuple(reversed([int(v) for v in np.rint(first.world_to_pixel_values(359.9965, 40.0005))]))
    data[spot] = 50.0
    grid = choose_grid([(first, SHAPE), (second, SHAPE)], ra, dec)
    assert north_of(grid) == pytest.approx([0, 1], abs=1e-6)
    maps = band_maps(grid, [picture(first, data), picture(second, np.zeros(SHAPE))])
    bright = np.argwhere(np.nan_to_num(maps.data) > 20)
    x, y = grid.wcs.world_to_pixel_values(*first.pixel_to_world_values(spot[1], spot[0]))
    assert 1 <= len(bright) <= 3 and np.abs(bright - [y, x]).max() < 1.1
    for wcs in (first, second):
        x, y = grid.wcs.world_to_pixel_values(
            *wcs.pixel_to_world_values(*[[0, 0, 329, 329], [0, 259, 0, 259]])
        )
        assert (x > -1).all() and (x < grid.shape[1]).all() and (y > -1).all() and (y < grid.shape[0]).all()


class Folding:
    """A WCS whose polynomials lead far places back into the image, and fail still farther out."""

    def __init__(self, wcs):
        self.wcs, self.pixel_to_world_values = wcs, wcs.pixel_to_world_values

    def world_to_pixel_values(self, ra, dec):
        x, y = self.wcs.world_to_pixel_values(ra, dec)
        if np.abs(x).max() > 3000:
            raise NoConvergence("too far", best_solution=np.stack([x, y], -1), divergent=np.arange(len(x)))
        return np.where(x > 900, x - 700, x), y


def test_an_image_is_shown_where_it_lies_alone():
    far, near = turned_wcs(0, ra=0.2), turned_wcs(0)
    grid = choose_grid([(near, SHAPE), (far, SHAPE)], np.array([359.999, 0.2]), np.array([40.0, 40.0]))
    maps = band_maps(grid, [picture(Folding(near), np.ones(SHAPE))])
    rows, columns = np.nonzero(np.isfinite(maps.data))
    x, y = grid.wcs.world_to_pixel_values(359.999, 40.0)
    assert np.ptp(columns) < 1.5 * SHAPE[1] and np.ptp(rows) < 1.5 * SHAPE[0]
    assert [columns.mean(), rows.mean()] == pytest.approx([float(x), float(y)], abs=2)
    assert len(rows) == pytest.approx(2 * np.prod(SHAPE), rel=0.02)  # pixels are finer by sqrt(2)


def test_exposures_are_averaged_by_their_weights_and_mosaics_go_before_them():
    wcs, one = turned_wcs(), np.ones(SHAPE)
    ra, dec = wcs.pixel_to_world_values(*np.array(SHAPE)[::-1] / 2)
    grid = choose_grid([(wcs, SHAPE)], ra, dec)
    row = np.s_[5:8, :]
    parts = [picture(wcs, 10 * one, "exposure", 1.0), picture(wcs, 16 * one, "exposure", 2.0, [row])]
    maps = band_maps(grid, parts)
    assert maps.data[100, 100] * maps.noise == pytest.approx((10 + 16 / 4) / (1 + 1 / 4), rel=1e-4)
    assert maps.residual[100, 100] == pytest.approx(11.2 * np.sqrt(1.25), rel=1e-4)
    assert maps.data[6, 100] * maps.noise == pytest.approx(10, rel=1e-4)
    both = band_maps(grid, [*parts, picture(wcs, 30 * one, "mosaic", 1.0, [row])])
    assert both.data[100, 100] * both.noise == pytest.approx(30, rel=1e-4)
    assert both.data[6, 100] * both.noise == pytest.approx(10, rel=1e-4)
    nowhere = band_maps(grid, [picture(wcs, one, masked=[np.s_[:40]])])
    assert np.isnan(nowhere.data[:38]).all() and np.isfinite(nowhere.data[42:]).all()


def test_pixels_of_another_size_keep_flux_and_significance():
    """Values are per pixel of the grid; a residual in sigma is that of the image's own pixel."""
    fine, coarse = turned_wcs(0), turned_wcs(0, (130, 165), 0.1)
    ra, dec = fine.pixel_to_world_values([20, 300], [30, 250])
    grid = choose_grid([(fine, SHAPE), (coarse, (130, 165))], ra, dec)
    maps = band_maps(grid, [picture(coarse, np.full((130, 165), 8.0), sigma=2.0)])
    assert maps.data[100, 100] * maps.noise == pytest.approx(2.0, rel=1e-3)
    assert maps.residual[100, 100] == pytest.approx(4.0, rel=1e-3)


def test_a_pyramid_is_the_image_from_the_top(tmp_path):
    shape = 700, 1100
    image = np.random.default_rng(1).uniform(-4, 4, shape).astype("f4")
    image[:30, :50] = np.nan
    write_pyramid(tmp_path, image, blue_to_red, "png")
    low, high = levels_of(shape)
    assert (low, high) == (9, 11) and TILE == 512
    tiles = [
        [np.asarray(Image.open(tmp_path / f"11/{c}_{r}.png").convert("RGB")) for c in range(3)]
        for r in range(2)
    ]
    whole = np.vstack([np.hstack(line) for line in tiles])
    assert np.array_equal(whole[::-1], blue_to_red(image))
    assert (whole[-30:, :50] == BLANK).all()
    assert sorted(path.name for path in (tmp_path / "9").iterdir()) == ["0_0.png"]


def test_halved_is_the_mean_of_what_is_known():
    image = np.arange(20, dtype="f4").reshape(4, 5)
    image[0, 0] = np.nan
    small = halved(image)
    assert small.shape == (2, 3)
    assert small[0, 0] == pytest.approx(np.mean([1, 5, 6])) and small[1, 1] == pytest.approx(
        np.mean([12, 13, 17, 18])
    )
    assert np.isnan(halved(np.full((2, 2), np.nan, "f4"))).all()
    assert halved(np.ones((3, 5, 7), "f4")).shape == (3, 3, 4)


def test_greys_go_from_white_to_black():
    shades = greys(np.array([[-5.0, -3.0, 0.0, 3.0, 50.0, 90.0, np.nan]], "f4"), 50.0)[0, :, 0].astype(int)
    assert shades[0] == shades[1] == 255 and shades[4] == shades[5] == 0 and shades[6] == BLANK[0]
    assert (np.diff(shades[1:5]) < 0).all()


@pytest.mark.parametrize("word", HOSTILE)
def test_scripts_hold_texts_and_numbers_as_they_are(tmp_path, word):
    values = {"id": [word], "x": np.array([1.5, np.nan], "f4")}
    write_script(tmp_path / "one.js", "sources", values)
    script = (tmp_path / "one.js").read_text()
    assert not set("<>&\u2028") & set(script)
    name, stored = json.loads(re.fullmatch(r"fpho\.take\((.*)\);\n", script, re.DOTALL)[1].join("[]"))
    assert name == "sources" and stored["id"] == [word]
    assert np.array_equal(numbers(stored["x"]), values["x"], equal_nan=True)
    with pytest.raises(TypeError):
        text({"x": object()})


def test_columns_are_those_of_the_catalog(made):
    wcs = turned_wcs()
    grid = choose_grid([(wcs, SHAPE)], made.table["ra"], made.table["dec"])
    columns = columns_of(made.table, BANDS, grid)
    assert np.array_equal(columns["ra"], made.table["ra"]) and columns["id"] == list(made.table["id"])
    assert np.allclose(np.stack([columns["x"], columns["y"]], -1), made.xy, atol=0.02)
    assert np.allclose(columns["F2"], made.table["F2"], rtol=1e-6)
    stored = json.loads((made.folder / "data/sources.js").read_text()[len('fpho.take("sources",') : -3])
    assert set(stored) == set(columns)
    assert np.array_equal(numbers(stored["flags"]), made.table["flags"])


def test_draws_are_kept_to_a_small_part_of_their_width(made):
    row = chains(made.table, np.random.default_rng(2))[5]
    kept = draws_of(row, BANDS, 30)
    assert kept["chains"] == 4 and "rhalf_major" not in kept
    places = np.linspace(0, 59, 30).round().astype(int)
    for name in ("F1", "dec"):
        one, truth = kept[name], np.asarray(row[name])
        back = one["low"] + one["width"] * one["steps"] / 65535
        assert np.abs(back - truth[places]).max() <= 0.51 * np.ptp(truth) / 65535
    row["sersic"][:] = np.nan  # as of a point source
    assert "sersic" not in draws_of(row, BANDS, 30) and draws_of(row, BANDS, 0) is None


def test_a_page_is_replaced_whole(tmp_path, monkeypatch):
    old = make_page(tmp_path / "page", 4)
    (old.folder / "mine").write_text("of before")
    monkeypatch.setattr("fpho.page.build._write_data", lambda *a: (_ for _ in ()).throw(OSError("full")))
    with pytest.raises(OSError):
        make_page(tmp_path / "page", 5)
    assert (old.folder / "mine").is_file() and [p.name for p in tmp_path.iterdir()] == ["page"]
    monkeypatch.undo()
    make_page(tmp_path / "page", 5)
    assert not (old.folder / "mine").exists() and [p.name for p in tmp_path.iterdir()] == ["page"]


def test_sheets_that_are_there_come_along(tmp_path):
    for name in ("source11.pdf", "source12_draws.png", "source12.pdf"):
        (tmp_path / name).write_bytes(b"%PDF")
    made = make_page(tmp_path / "page", 4, sheets=sorted(tmp_path.glob("source*")))
    field = json.loads((made.folder / "data/field.js").read_text()[len('fpho.take("field",') : -3])
    assert field["sheets"] == [11, 12]
    assert sorted(path.name for path in (made.folder / "sheets").iterdir()) == [
        "source11.pdf",
        "source12.pdf",
    ]


def test_it_is_served_to_this_machine_alone(made):
    with server(made.folder) as one:
        threading.Thread(target=one.serve_forever, daemon=True).start()
        try:
            host, port = one.server_address
            assert host == "127.0.0.1"
            with urlopen(f"http://127.0.0.1:{port}/index.html", timeout=5) as answer:
                assert b"openseadragon" in answer.read()
            with pytest.raises(InputError, match=str(port)):
                server(made.folder, port)
        finally:
            one.shutdown()


def test_programs_of_others_come_with_their_licences(made):
    vendor = made.folder / "vendor"
    for name in ("openseadragon", "tabulator"):
        assert "Copyright" in (vendor / f"{name}.LICENSE.txt").read_text()
