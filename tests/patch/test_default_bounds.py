"""Default bounds hold galaxies as they are: edge-on discs, flat ones of low surface brightness (GalSim)."""

import numpy as np
import pytest

from fpho.flags import Flag
from fpho.geometry import CircularRegion
from fpho.optimize import run_opt
from fpho.patch import CPUPatchMixin, DirectPatch
from fpho.results import optimum_rows

from .scenes import DEC, RA, draw, make_rows, make_store

SHAPES = {
    "edge-on": {"q": np.sqrt(0.08), "pa": 0.6, "sersic": 1.0, "rhalf": 0.3},
    "flat": {"q": 0.9, "pa": -0.4, "sersic": 0.38, "rhalf": 0.4},
}


class Direct(DirectPatch, CPUPatchMixin):
    pass


@pytest.mark.parametrize("name", SHAPES)
def test_the_shape_is_found_inside_the_bounds(name, tmp_path):
    """Within 4 sigma of the truth at S/N of some hundreds, from a rounder start, without AT_BOUND."""
    truth = make_rows(("red",), {"red": 3000.0, **SHAPES[name]})
    patcher = Direct([draw(truth, "red", "r", sigma=0.5, seed=3)], make_store(tmp_path / "psfs.h5"))
    patcher.build_patch(CircularRegion(RA, DEC, 2.4), None, allbands=("red",))
    start = truth.copy()
    start["q"], start["sersic"] = 0.8, 1.5
    model, q = patcher.prepare_model(active=start)
    optimum, _ = run_opt(model, q)
    found = optimum_rows(model, optimum, start)
    assert not found["flags"][0] & Flag.AT_BOUND
    error = shape_errors(model, optimum)
    for column in ("q", "sersic", "rhalf"):
        away = abs(found[column][0] - truth[column][0])
        assert away < 4 * error[column] + 0.004 * truth[column][0], column  # mixtures are right to 0.3%


def shape_errors(model, optimum) -> dict[str, float]:
    """Standard deviations by draws from the Gaussian at the optimum."""
    z = np.random.default_rng(0).multivariate_normal(optimum.z, optimum.covariance, 400)
    spread = model.transform.transform(z).std(axis=0)
    return dict(zip(model.plan.columns, spread, strict=True))
