"""Starts that a fit can hardly leave are named: source, value, bound."""

from fpho.config import Bounds
from fpho.scene import starting_problems
from tests.scene.making import random_rows


def test_good_starts_need_no_word():
    rows = random_rows(20, seed=1)
    rows["roi"] = 2 * rows["rhalf"]
    rows["rhalf"][3] = float("nan")
    assert starting_problems(rows, Bounds()) == []


def test_what_lies_outside_is_named():
    rows = random_rows(20, seed=1)
    rows["roi"] = 2 * rows["rhalf"]
    bounds = Bounds(rhalf_range=(0.01, 0.6), sersic_range=(0.5, 6.0))
    rows["rhalf"][2], rows["roi"][2], rows["sersic"][4:11] = 0.7, 2.0, 7.0
    rows["sersic"][11], rows["is_valid"][11] = 9.0, False
    rows["sersic"][12], rows["is_point"][12] = 9.0, True
    sersic, rhalf = starting_problems(rows, bounds)
    assert "7 of the sources, s4 (sersic = 7)" in sersic and "and 2 others" in sersic
    assert "bounds.sersic_range = (0.5, 6)" in sersic
    assert "s2 (rhalf = 0.7)" in rhalf and "bounds.rhalf_range" in rhalf
    held = Bounds(rhalf_range=(0.01, 0.6), sersic_range=(0.5, 6.0), held=("sersic", "rhalf"))
    assert starting_problems(rows, held) == []


def test_a_circle_smaller_than_its_source_is_named():
    rows = random_rows(5, seed=1)
    rows["roi"] = 2 * rows["rhalf"]
    rows["roi"][1] = 1.2 * rows["rhalf"][1]
    (small,) = starting_problems(rows, Bounds())
    assert "1 of the sources, s1 (roi" in small and "half-light radii" in small
