"""`benchmarks/compare_runs.py`, by which a run on a GPU is held against one on the CPU."""

import runpy
import sys

import pytest
from astropy.table import Table

from tests.conftest import TOP

SIGMA = {"ra": 1e-6, "dec": 1e-6, "g": 2.0, "axis_ratio": 0.01, "position_angle": 1.0, "rhalf": 0.01}
SIGMA |= {"rhalf_major": 0.01, "sersic": 0.1}


def run_folder(folder, *, optimum=0.0, median=0.0, ids=("a", "b")):
    """A run of two sources whose fluxes of the optimum and of the posterior are moved by some sigma."""
    n = len(ids)
    rows = {"id": list(ids), "ra": [150.0] * n, "dec": [2.0] * n, "g": [100.0 + 2.0 * optimum] * n}
    rows |= {"g_err": [2.0] * n, "q": [0.8] * n, "pa": [0.3] * n, "rhalf": [0.2] * n, "sersic": [2.0] * n}
    values = {"ra": 150.0, "dec": 2.0, "g": 100.0 + 2.0 * median, "axis_ratio": 0.64, "position_angle": 17.0}
    values |= {"rhalf": 0.2, "rhalf_major": 0.25, "sersic": 2.0}
    columns = {"id": list(ids), "ess": [400.0] * n}
    for name, sigma in SIGMA.items():
        columns |= {name: [values[name]] * n, f"{name}_err": [sigma] * n}
    for name in ("catalogs", "scene"):
        (folder / name).mkdir(parents=True)
    Table(columns).write(folder / "catalogs" / "posterior.fits")
    Table(rows).write(folder / "scene" / "optimize.fits")
    return folder


@pytest.mark.parametrize(
    "change, code, words",
    [
        ({}, 0, "optimum: largest difference 0.000"),
        ({"optimum": 0.04, "median": 0.2}, 0, "median: largest difference 0.200"),
        ({"optimum": 0.07}, 1, "source a: optimum of g differs by -0.070"),
        ({"median": 0.6}, 1, "source b: median of g differs by -0.600"),
        ({"median": float("nan")}, 1, "median of g differs by +nan"),
        ({"ids": ("a",)}, 1, "2 sources against 1"),
        ({"ids": ("a", "c")}, 1, "source b is in one of the runs only"),
    ],
)
def test_differences_are_named(tmp_path, monkeypatch, capsys, change, code, words):
    one, other = run_folder(tmp_path / "one"), run_folder(tmp_path / "other", **change)
    monkeypatch.setattr(sys, "argv", ["compare_runs.py", str(one), str(other)])
    with pytest.raises(SystemExit) as end:
        runpy.run_path(str(TOP / "benchmarks" / "compare_runs.py"), run_name="__main__")
    stopped = isinstance(end.value.code, str)  # a message, which Python prints and turns into 1
    assert (1 if stopped else end.value.code) == code
    assert words in (end.value.code if stopped else capsys.readouterr().out)
