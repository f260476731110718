"""A catalog that says less starts near the truth: sizes and fluxes are measured in the images."""

import numpy as np
import pytest

from fpho.detect import fill_gaps, has_gaps
from fpho.parameters import error_col
from tests.detect.test_detect import BANDS, rows, store, views  # noqa: F401  fixtures


@pytest.fixture(scope="module")
def known(rows):  # noqa: F811
    """The scene with its truth, less the faint source."""
    return rows[:2]


@pytest.fixture(scope="module")
def started(known, store):  # noqa: F811
    bare = known.copy()
    bare["roi"][0] = 0.5
    bare["rhalf"] = np.where(bare["is_point"], 0.0, np.nan)
    for band in BANDS:
        bare[band] = bare[error_col(band)] = np.nan
    assert has_gaps(bare, BANDS).all()
    return fill_gaps(bare, views(known), store, BANDS, roi=0.5, limits={"rhalf": (0.01, 5.0)})


def test_fluxes_and_sizes_are_near_the_truth(known, started):
    """Those of galaxies are 10 to 40% low for a Gaussian's; a point's are right within their errors."""
    assert not has_gaps(started, BANDS).any()
    assert 0.5 < started["rhalf"][0] / known["rhalf"][0] < 1.5 and started["rhalf"][1] == 0
    assert (
        started["roi"][0] == 2 * started["rhalf"][0] / started["q"][0]
        and started["roi"][1] == known["roi"][1]
    )
    for band in BANDS:
        assert 0.5 < started[band][0] / known[band][0] < 1.1
        assert abs(started[band][1] - known[band][1]) < 5 * started[error_col(band)][1]


def test_what_is_known_stays(known, started, store):  # noqa: F811
    """One flux is measured; nothing else changes. A band without an image gives 0."""
    some = known.copy()
    some["blue"][0] = np.nan
    filled = fill_gaps(some, views(known), store, BANDS, roi=1.0)
    assert filled["blue"][0] == pytest.approx(started["blue"][0], rel=0.3)
    for name in set(filled.dtype.names) - {"blue", "blue_err"}:
        assert np.array_equal(filled[name], known[name]), name
    assert filled["blue"][1] == known["blue"][1]
    only_red = [one for one in views(known) if one.band == "red"]
    assert fill_gaps(some, only_red, store, BANDS, roi=1.0)["blue"][0] == 0


def test_nothing_to_measure(known, store):  # noqa: F811
    assert fill_gaps(known, views(known), store, BANDS, roi=1.0).tobytes() == known.tobytes()
