"""A catalog without `roi`: the pixels follow the galaxy's size, so bright large galaxies keep their flux."""

import numpy as np
import pytest
from astropy.table import Table

from fpho.config import Bounds, Patches
from fpho.flags import Flag
from fpho.optimize import run_opt
from fpho.patch import CPUPatchMixin, DirectPatch
from fpho.results import optimum_rows
from fpho.scene import read_catalog
from fpho.scene.circles import make_region

from .scenes import DEC, RA, draw, make_rows, make_store


class Direct(DirectPatch, CPUPatchMixin):
    pass


@pytest.mark.parametrize(("rhalf", "scale"), [(1.8, 0.15), (9.0, 0.75)])
def test_flux_of_a_large_galaxy_from_a_catalog_without_roi(rhalf, scale, tmp_path):
    """S/N of some hundreds, the catalog's size 20% off: within 4 sigma and 4% of the truth of GalSim.

    With 1 arcsec for all, the first had a third too much flux, the second lost more than half.
    """
    truth = make_rows(("red",), {"red": 4e4, "q": 0.9, "pa": 0.6, "sersic": 1.2, "rhalf": rhalf})
    exposure = draw(truth, "red", "r", scale=scale, shape=(112, 112), sigma=2.0, seed=5)
    columns = {"ra": [RA], "dec": [DEC], "sersic": [1.5], "rhalf": [0.8 * rhalf], "red": [3e4]}
    Table({**columns, "axis_ratio": [0.7], "position_angle": [50.0]}).write(tmp_path / "catalog.fits")
    row = read_catalog(tmp_path / "catalog.fits", ["red"])
    patcher = Direct([exposure], make_store(tmp_path / "psfs.h5"))
    for _ in range(2):  # a pass, and the next one with the region of the sizes found
        patcher.build_patch(make_region(row, Patches(patch_maxradius=40.0)), None, allbands=("red",))
        model, q = patcher.prepare_model(active=row, bounds=patcher.make_bounds(row, Bounds()))
        row = optimum_rows(model, run_opt(model, q)[0], row)
    away = row["red"][0] - 4e4
    assert abs(away) < 4 * row["red_err"][0] and abs(away) < 0.04 * 4e4
    assert row["rhalf"][0] == pytest.approx(rhalf, rel=0.04)
    assert not row["flags"][0] & (Flag.LIGHT_OUTSIDE | Flag.AT_BOUND)
    assert np.isfinite(row["red_err"]).all()
