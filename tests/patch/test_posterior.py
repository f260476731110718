"""From a patch to a posterior: what `prepare_model` promises, on images that GalSim drew."""

import numpy as np
import pytest

from fpho.geometry import CircularRegion
from fpho.parameters import q_names
from fpho.patch import CPUPatchMixin, DirectPatch
from fpho.scene import make_bounds

from .scenes import DEC, RA, draw, make_rows, make_store

BANDS = ("blue", "red")
REGION = CircularRegion(RA, DEC, 1.6)


class Direct(DirectPatch, CPUPatchMixin):
    pass


@pytest.fixture(scope="module")
def patcher(tmp_path_factory):
    store = make_store(tmp_path_factory.mktemp("psf") / "psfs.h5")
    rows = make_rows(
        BANDS,
        {"blue": 100.0, "red": 200.0, "q": 0.8, "pa": 0.6, "rhalf": 0.25},
        {"blue": 60.0, "red": 50.0, "is_point": True, "rhalf": 0.0, "offset": (0.8, -0.5)},
        {"blue": 90.0, "red": 80.0, "sersic": 2.0, "offset": (-0.9, 0.7)},
    )
    exposures = [
        draw(rows, "red", "r1", rotation=30.0, sigma=0.1, seed=1),
        draw(rows, "blue", "b1", sigma=0.06, scale=0.04, seed=2, sky=0.03),
    ]
    made = Direct(exposures, store)
    made.build_patch(REGION, None, allbands=BANDS)
    made.rows = rows
    return made


def test_the_truth_leaves_noise(patcher):
    """Chi-square per pixel is 1 at the truth, with the third source fixed and the sky at the end of q."""
    active, fixed = patcher.rows[:2], patcher.rows[2:]
    model, q = patcher.prepare_model(
        active=active, fixed=fixed, bounds=make_bounds(active, BANDS), in_fit_background=True
    )
    assert len(q) == 2 * len(q_names(BANDS)) + 2
    q[-1] = 0.03  # exposures are in the order given: r1, b1
    residuals = model.residuals(q)
    assert [len(one) for one in residuals] == list(patcher.exposure_N)
    for chi2, count in zip(model.chi2(q), patcher.exposure_N, strict=True):
        assert abs(chi2 / count - 1) < 4 * np.sqrt(2 / count)
    start = patcher.exposure_N[0]
    sigma = 0.06 * np.ones(patcher.exposure_N[1])
    assert np.sum((residuals[1] / sigma) ** 2) == pytest.approx(model.chi2(q)[1], rel=1e-4)
    assert len(patcher.xpix[start:]) == len(residuals[1])


def test_residuals_stand_where_xpix_says(patcher):
    """Without flux the residuals are the data at (xpix, ypix)."""
    dark = patcher.rows.copy()
    for band in BANDS:
        dark[band] = 0.0
    model, q = patcher.prepare_model(active=dark, bounds=make_bounds(patcher.rows, BANDS))
    splits = np.cumsum(patcher.exposure_N)[:-1]
    places = zip(np.split(patcher.xpix, splits), np.split(patcher.ypix, splits), strict=True)
    for exposure, residual, (x, y) in zip(patcher._pixels, model.residuals(q), places, strict=True):
        assert np.allclose(residual, exposure.data[y, x], atol=1e-6)


def test_preparing_twice_gives_the_same(patcher):
    """Nothing is subtracted in place."""
    arguments = {"active": patcher.rows[:1], "fixed": patcher.rows[1:]}
    arguments["bounds"] = make_bounds(patcher.rows[:1], BANDS)
    values = []
    for _ in range(2):
        model, q = patcher.prepare_model(**arguments)
        values.append(model.lnprob_and_grad(model.transform.inverse_transform(q))[0])
    assert values[0] == values[1]
