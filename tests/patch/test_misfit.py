"""Light that the model gets wrong: variances from the images, never from the model being fitted."""

import galsim
import numpy as np
import pytest

from fpho.images import Exposure
from fpho.optimize import run_opt
from fpho.simulate import draw_noiseless, make_wcs
from tests.patch.scenes import DEC, PSFS, RA, draw, make_rows

BANDS = ("blue",)


def flux_and_error(model, q):
    optimum, _ = run_opt(model, q)
    return optimum.q[0], model.plan.unit[0, 0] * np.sqrt(optimum.covariance[0, 0])


def test_the_variance_is_that_of_the_images_whatever_the_model(prepared):
    """Rows of another stage, of half the size and a fifth of the flux, have the same weights."""
    rows = make_rows(BANDS, {"blue": 100.0, "rhalf": 0.3}, {"blue": 50.0, "offset": (0.9, 0.4)})
    exposure = draw(rows, "blue", "one", sigma=0.02)
    rows["ra0"], rows["dec0"] = rows["ra"], rows["dec"]
    later = rows.copy()
    later["blue"] *= 0.2
    later["rhalf"] *= 0.5
    later["ra"] += 0.02 / 3600
    first, second = (prepared(exposure, some, jitter=0.02)[0].arrays for some in (rows, later))
    plain = prepared(exposure, rows)[0].arrays
    assert np.array_equal(first.weight, second.weight)
    assert np.all(first.weight <= plain.weight) and first.weight.min() < 0.2 * plain.weight.max()


def test_no_flux_is_better_known_than_that(prepared):
    """Errors of bright sources are the asked part of the flux, of faint ones what noise makes them."""
    for kind in ({"is_point": True, "rhalf": 0.0}, {"rhalf": 0.25}):
        row = make_rows(BANDS, {"blue": 100.0, **kind})
        bright = draw(row, "blue", "one", sigma=2e-3)
        model, q, _ = prepared(bright, row, held=("ra", "dec", "q", "pa", "sersic", "rhalf"), jitter=0.02)
        flux, error = flux_and_error(model, q)
        assert error / flux == pytest.approx(0.02, rel=0.2)
        faint = draw(row, "blue", "one", sigma=4.0)
        errors = [flux_and_error(*prepared(faint, row, jitter=jitter)[:2])[1] for jitter in (0.0, 0.02)]
        assert errors[1] == pytest.approx(errors[0], rel=0.05)


def test_values_stay_where_they_are(prepared):
    """A bulge in a disc, which no Sersic profile is: as without jitter, from stage to stage.

    To 5%, as pixels far out keep their weight.
    """
    disc = make_rows(BANDS, {"blue": 70.0, "q": 0.8, "pa": 0.3, "rhalf": 0.35, "sersic": 1.0})
    bulge = make_rows(BANDS, {"blue": 30.0, "rhalf": 0.08, "sersic": 3.0})
    exposure = draw(np.concatenate([disc, bulge]), "blue", "one", sigma=0.01, shape=(128, 128), seed=4)
    start = disc.copy()
    start["blue"], start["rhalf"] = 40.0, 0.15
    found = {}
    for jitter in (0.0, 0.02):
        row = start.copy()
        for _ in range(2):
            model, q, _ = prepared(exposure, row, jitter=jitter)
            row = run_opt(model, q)[0].fill(None, row, None, model)[0]
        found[jitter] = row[0]
    for name in ("blue", "rhalf", "sersic"):
        assert found[0.02][name] == pytest.approx(found[0.0][name], rel=0.05)
    assert found[0.02]["blue_err"] > max(0.015 * found[0.02]["blue"], 3 * found[0.0]["blue_err"])


def _psf(wing):
    """The store's PSF with a part of its light moved to a wide wing that the store knows nothing of."""
    parts = [galsim.Gaussian(sigma=sigma, flux=(1 - wing) * part) for part, sigma in PSFS["blue"]]
    return galsim.Add([*parts, galsim.Gaussian(sigma=6.0, flux=wing)])


def test_jitter_absorbs_a_wrong_psf(prepared):
    """2% of the light in a wing that the model lacks, which moves fluxes by 0.3%, at S/N 800."""
    rng = np.random.default_rng(8)
    pulls = {0.0: [], 0.003: []}
    for _ in range(12):
        row = make_rows(BANDS, {"blue": 100.0, "rhalf": rng.uniform(0.1, 0.3), "q": rng.uniform(0.75, 1)})
        row["pa"] = rng.uniform(-1, 1)
        wcs, shape = make_wcs(RA, DEC, 0.05, (72, 72)), (72, 72)
        image = draw_noiseless(row, wcs, _psf(0.02), shape, "blue")
        sigma = np.sqrt(np.sum(image**2)) / 800
        data = image + sigma * rng.standard_normal(shape)
        exposure = Exposure(
            "one",
            "blue",
            "exposure",
            data.astype("f4"),
            np.full(shape, 1 / sigma, "f4"),
            wcs,
            wcs.to_header(),
        )
        for jitter, some in pulls.items():
            flux, error = flux_and_error(*prepared(exposure, row, held=("sersic",), jitter=jitter)[:2])
            some.append((flux - 100) / error)
    spread = {jitter: np.sqrt(np.mean(np.square(some))) for jitter, some in pulls.items()}
    assert spread[0.0] > 1.6 and 0.3 < spread[0.003] < 1.2
