"""Files of states: what astropy writes, byte for byte, also where the header is that of an earlier state."""

import io

import numpy as np
import pytest
from astropy.io import fits

from fpho.parameters import scene_dtype
from fpho.scene import read_scene, state, write_scene

BANDS = ["F200W", "α"]


def rows(seed, n=7):
    made = np.zeros(n, scene_dtype(BANDS))
    rng = np.random.default_rng(seed)
    for name in made.dtype.names:
        kind = made.dtype[name].kind
        if kind == "f":
            made[name] = rng.normal(size=n)
        elif kind == "U":
            made[name] = [f"{name}_{i * seed}" for i in range(n)]
        else:
            made[name] = rng.integers(0, 2 if kind == "b" else 1 << 40, n)
    made["rhalf"][:1] = np.nan
    made["id"][1:2] = " a  "
    return made


def assert_same(found, wanted):
    for name in wanted.dtype.names:
        blanks = np.char.rstrip if wanted.dtype[name].kind == "U" else np.asarray
        np.testing.assert_array_equal(found[name], blanks(wanted[name]))


@pytest.mark.parametrize("n", [0, 1, 7, 300])
def test_bytes_are_those_of_astropy(tmp_path, monkeypatch, n):
    more = {"snr": (np.arange(float(n)), "", "signal to noise")}
    vectors = {"flux_cov": (np.ones((n, 2, 2)), "nJy2", "covariance")}
    kinds = [{}, {"meta": {"SEED": 3}}, {"meta": {"SEED": 4}}, {"more": more}, {"more": vectors}]
    for number, extra in enumerate(kinds):
        paths = [tmp_path / f"{name}{number}.fits" for name in ("quick", "by_astropy")]
        monkeypatch.setattr(state, "_layouts", {})
        for seed in (1, 2):  # the second has the header of the first
            write_scene(paths[0], rows(seed, n), BANDS, **extra)
            with monkeypatch.context() as patch:
                patch.setattr(state, "CELLS", {})  # nothing that need not be left to astropy
                write_scene(paths[1], rows(seed, n), BANDS, **extra)
            assert paths[0].read_bytes() == paths[1].read_bytes()
        with fits.open(io.BytesIO(paths[0].read_bytes()), checksum=True) as hdus:
            hdus.verify("exception")


def test_other_columns_have_headers_of_their_own(tmp_path):
    path = tmp_path / "state.fits"
    for n in (7, 8):
        write_scene(path, rows(1, n), BANDS)
        read, bands, header = read_scene(path)
        assert_same(read, rows(1, n))
        assert bands == BANDS and header["NAXIS2"] == n


def test_what_is_read_can_be_changed(tmp_path):
    path = tmp_path / "state.fits"
    write_scene(path, rows(1), BANDS)
    first, bands, header = read_scene(path)
    first["rhalf"], header["FILTERS"] = -1, ""
    bands.clear()
    again, bands, header = read_scene(path)
    assert_same(again, rows(1))
    assert bands == BANDS and header["FILTERS"]


def test_states_of_this_process_are_read_as_by_astropy(tmp_path, monkeypatch):
    """Names with blanks at their end, letters of other alphabets, NaN; and the header."""
    path, made = tmp_path / "state.fits", rows(3)
    made["id"][:3] = "β Ori", "a  ", ""
    write_scene(path, made, BANDS, {"SEED": 5})
    quick = state._read(path)
    monkeypatch.setattr(state, "_layouts", {})
    slow = state._read(path)
    assert_same(quick[0], slow[0])
    assert quick[1:] == slow[1:] and slow[2]["SEED"] == 5
    assert list(quick[0]["id"][:3]) == ["β Ori", "a", ""]
