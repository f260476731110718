"""Stores with what no PSF has are refused, by group and component; odd but possible ones are not."""

import h5py
import numpy as np
import pytest

from fpho.errors import InputError
from fpho.psf import PSFStore, write_store
from fpho.psf.store import DTYPE

MIXTURE = np.array([[0.7, 0.1, 0.0, 1.0, 1.2, 0.1], [0.3, 0.0, 0.2, 5.0, 4.0, -0.5]])


def changed(component, column, value):
    mixture = MIXTURE.copy()
    mixture[component, column] = value
    return mixture


def read(path, mixture, half_width=20.0):
    more = {"half_width": half_width} if half_width else {}
    write_store(path, {"good": (MIXTURE[None], None, [], {}), "odd": (mixture[None], None, [], more)})
    return PSFStore(path)


@pytest.mark.parametrize(
    ("mixture", "match"),
    [
        (changed(0, 0, np.nan), "component 0 is not finite"),
        (changed(1, 3, np.inf), "component 1 is not finite"),
        (changed(1, 3, -0.2), "covariance of component 1 is not positive definite"),
        (changed(0, 5, 1.5), "covariance of component 0 is not positive definite"),
        (changed(0, 0, 1.7), "amplitudes sum to 2"),
        (changed(0, 0, 0.0), "amplitudes sum to 0.3"),
        (MIXTURE * [250, 1, 1, 1, 1, 1], "amplitudes sum to 250"),
        (np.vstack([changed(0, 0, 80.7), [[-80.0, 0, 0, 1.01, 1.2, 0.1]]]), "has the amplitude"),
        (changed(1, 1, 60.0), "component 1 lies 60 pixels off"),
        (changed(1, 3, 1e7), "component 1 has a sigma"),
        (np.array([[-0.3, 0, 0, 1, 1, 0], [1.3, 0, 0, 9, 9, 0]]), "brightest place is negative"),
    ],
)
def test_refused_by_group_and_component(tmp_path, mixture, match):
    with pytest.raises(InputError, match=rf"store\.h5: /odd.*{match}"):
        read(tmp_path / "store.h5", mixture)


@pytest.mark.parametrize(
    "mixture",
    [
        MIXTURE * [0.75, 1, 1, 1, 1, 1],  # light that the stamp does not hold
        np.vstack([changed(0, 0, 1.2), [[-0.5, 0, 0, 2, 2, 0]]]),  # negative parts
        changed(0, 3, 1e-4) * [1, 1, 1, 1, 1, 0],  # narrow in one direction
        changed(1, 1, 15.0),  # a ghost
    ],
)
def test_possible_mixtures_are_read(tmp_path, mixture):
    assert np.array_equal(read(tmp_path / "store.h5", mixture).mixture("odd"), mixture)


def test_without_the_stamps_size_the_widths_tell_what_is_far(tmp_path):
    assert read(tmp_path / "store.h5", changed(1, 1, 15.0), None)
    with pytest.raises(InputError, match="beyond the stamp"):
        read(tmp_path / "store.h5", changed(1, 1, 40.0), None)


@pytest.mark.parametrize(
    ("name", "value", "match"),
    [
        ("parameters", np.zeros((0, 2), DTYPE), "shape"),
        ("parameters", np.zeros((1, 2)), "lacks"),
        ("detector_locations", np.array([[np.nan], [0.0]]), "detector_locations are not finite"),
        ("quality", np.zeros(3, [("poor", "?")]), "3 rows of quality"),
    ],
)
def test_parts_that_do_not_fit(tmp_path, name, value, match):
    write_store(tmp_path / "s.h5", {"r": (MIXTURE[None], [(0, 0)], [{"poor": False}], {})})
    with h5py.File(tmp_path / "s.h5") as whole, h5py.File(tmp_path / "other.h5", "w") as file:
        whole.copy("r", file)  # without the checksum of files written here
        del file["r"][name]
        file["r"][name] = value
    with pytest.raises(InputError, match=match):
        PSFStore(tmp_path / "other.h5")


def test_the_pixel_that_a_store_is_for(tmp_path):
    write_store(tmp_path / "s.h5", {"r": (MIXTURE[None], None, [], {"pixel_scale": 0.03})})
    assert PSFStore(tmp_path / "s.h5").pixel_scale("r") == 0.03
    assert read(tmp_path / "t.h5", MIXTURE).pixel_scale("odd") is None
