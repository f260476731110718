"""What tests of single patches share."""

import pytest

from fpho.bounds import make_bounds
from fpho.config import Bounds
from fpho.geometry import CircularRegion
from tests.patch.scenes import DEC, RA, Patcher, make_store


@pytest.fixture
def prepared(tmp_path):
    """A function: exposure, rows and options to (model, q, patcher), in one band."""
    store, bands = make_store(tmp_path / "psfs.h5"), ("blue",)

    def prepare(exposure, rows, held=(), **options):
        patcher = Patcher([exposure], store)
        patcher.build_patch(CircularRegion(RA, DEC, 10.0), None, allbands=bands)
        bounds = make_bounds(rows, bands, Bounds(held=held, dpos=0.1))
        return (*patcher.prepare_model(active=rows, bounds=bounds, **options), patcher)

    return prepare
