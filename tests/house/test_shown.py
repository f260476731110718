"""What users hold shows itself in a line, and in a notebook as a small table."""

import numpy as np
import pytest

from fpho.config import make_config
from fpho.images import Exposure
from fpho.optimize import Optimum
from fpho.posterior import Posterior
from fpho.sersic import load_table
from tests.posterior.scenes import make_arrays, make_rows


def exposure():
    ierr = np.zeros((4, 5), "f4")
    ierr[:2] = 0.25
    return Exposure("one", "r", "mosaic", np.zeros((4, 5), "f4"), ierr, None, None)


def posterior():
    rows = make_rows(["g", "r"], {"g": 10.0, "r": 20.0})
    return Posterior(make_arrays(rows, ["g", "r"], n_exposures=3), rows, ["g", "r"], load_table())


def optimum():
    return Optimum(np.zeros(7), np.zeros(7), -12.345, np.zeros(7), np.eye(7), True, 9, 0.5)


@pytest.mark.parametrize(
    ("make", "line", "cells"),
    [
        (exposure, "<Exposure one: mosaic in r, 5 x 4 pixels, 50.0% good>", "<td>4</td>"),
        (posterior, "<Posterior: 1 sources, 3 exposures in g, r,", "<th>good pixels</th>"),
        (optimum, "<Optimum: ln p -12.35, 7 coordinates, 9 evaluations, converged>", "<th>seconds</th>"),
    ],
)
def test_a_line_and_a_table(make, line, cells):
    shown = make()
    assert repr(shown).startswith(line) and "\n" not in repr(shown)
    assert cells in shown._repr_html_()


def test_a_configuration_shows_what_differs_from_the_defaults():
    text = make_config({"sample.warmup": 32, "outdir": "a<b"})._repr_html_()
    assert "<tr><th>outdir</th><td>a&lt;b</td></tr><tr><th>sample.warmup</th><td>32</td></tr>" in text
    assert text.count("<tr>") == 2
