"""Shifts of exposures, on scenes drawn by GalSim with a WCS that is off by a known amount."""

import dataclasses

import numpy as np
import pytest

from fpho.errors import InputError
from fpho.images import ShiftedWCS
from fpho.patch import render
from fpho.registration import fit_shift, measure_shift, read_shifts, shift_table, write_shifts
from fpho.sersic import load_table
from tests.patch.scenes import DEC, RA, draw, make_rows, make_store

BANDS = ("blue", "red")
SHIFTS = {"one": (0.30, -0.20), "two": (-0.30, 0.20), "three": (0.0, 0.0)}


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    """Rows, and three exposures whose WCS say something else than where the sources were drawn."""
    source = {"blue": 4000.0, "red": 5000.0, "rhalf": 0.15, "q": 0.8}
    rows = make_rows(BANDS, source, {**source, "offset": (0.9, 0.7), "pa": 0.6})
    exposures = []
    for i, (name, shift) in enumerate(SHIFTS.items()):
        one = draw(rows, "blue", name, sigma=2.0, seed=i, sky=0.5)
        wrong = ShiftedWCS(one.wcs, -np.array(shift))
        exposures.append(dataclasses.replace(one, wcs=wrong))
    return rows, exposures, make_store(tmp_path_factory.mktemp("psf") / "psfs.h5")


def measure(scene):
    rows, exposures, store = scene
    table, found = load_table(), []
    for exposure in exposures:

        def model(wcs, exposure=exposure):
            return render(rows, dataclasses.replace(exposure, wcs=wcs), store, table, BANDS)

        found.append((exposure, *measure_shift(exposure, model)))
    return found


def test_shifts_come_out_within_their_errors(scene):
    """Within 4 sigma of the truth, and the errors are those of the S/N: below 0.02 pixel at this noise."""
    for exposure, shift, error in measure(scene):
        assert np.all(error < 0.02)
        assert np.all(np.abs(shift - SHIFTS[exposure.id]) < 4 * error)


def test_table_keeps_the_frame_and_leaves_out_what_is_not_significant(scene, tmp_path):
    rows = shift_table(measure(scene), RA, DEC, nsigma=5.0)
    assert [row["used"] for row in rows] == [1, 1, 0]
    assert abs(np.mean([row["dx"] for row in rows])) < 0.01  # the mean on the sky is taken out
    path = tmp_path / "tweakwcs.tsv"
    write_shifts(path, rows, "a comment")
    shifts = read_shifts(path)
    assert set(shifts) == {"one", "two"}
    np.testing.assert_allclose(shifts["one"], [rows[0]["dx"], rows[0]["dy"]], rtol=1e-3)


def test_nothing_to_measure_moves_nothing(scene):
    _, exposures, _ = scene
    blank = np.zeros(exposures[0].data.shape)
    shift, error = measure_shift(exposures[0], lambda wcs: blank)
    assert np.all(shift == 0) and np.all(np.isinf(error))
    table = shift_table([(exposures[0], shift, error)], RA, DEC, 5.0)
    assert table[0]["used"] == 0


def test_fit_is_exact_for_a_linear_model():
    rng = np.random.default_rng(5)
    by_x, by_y, model = rng.standard_normal((3, 20, 20))
    data = 1.1 * model + 0.3 * by_x - 0.2 * by_y + 0.7
    shift, _ = fit_shift(data, np.ones((20, 20)), model, by_x, by_y)
    np.testing.assert_allclose(shift, [0.3, -0.2], atol=1e-10)


def test_a_table_without_columns_is_refused(tmp_path):
    path = tmp_path / "bad.tsv"
    path.write_text("name\tx\nA\t1\n")
    with pytest.raises(InputError, match="dx"):
        read_shifts(path)
