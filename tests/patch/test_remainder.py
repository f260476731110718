"""Fits through PSFs that the mixture describes badly: what it leaves is taken off the data, and drawn."""

from dataclasses import replace

import numpy as np
import pytest

from fpho.config import Bounds
from fpho.geometry import CircularRegion
from fpho.images import Exposure
from fpho.optimize import run_opt
from fpho.parameters import fill_rows
from fpho.patch import place_sources, render
from fpho.patch.remainder import remainder_image
from fpho.psf import PSFStore, fit_mixture, write_store
from fpho.psf.accuracy import optical_image, optical_psfs
from fpho.psf.build import as_group, whole
from fpho.sersic import load_table
from fpho.simulate import draw_noiseless, make_wcs

from .scenes import DEC, RA, Patcher, make_rows

BAND, SCALE, SHAPE = "blue", 0.05, (48, 56)
TABLE = load_table()


@pytest.fixture(scope="module")
def optics(tmp_path_factory):
    """GalSim's PSF with struts (pixels), and stores of three Gaussians with and without their remainder."""
    psf = list(optical_psfs())[3][1]
    image = optical_image(psf, half_width=40)
    fit = fit_mixture(image, n_components=3, oversample=4, pixel_included=False, keep_total=True)
    folder = tmp_path_factory.mktemp("psf")
    for name in ("whole", "plain"):
        write_store(folder / f"{name}.h5", {BAND: as_group([whole(fit) if name == "whole" else fit])})
    return psf, PSFStore(folder / "whole.h5"), PSFStore(folder / "plain.h5")


@pytest.fixture(scope="module")
def rows():
    return make_rows(
        (BAND,),
        {BAND: 1000.0, "q": 0.85, "pa": 0.5, "rhalf": 0.15, "sersic": 1.0, "offset": (0.01, -0.02)},
        {BAND: 300.0, "is_point": True, "rhalf": 0.0, "offset": (0.8, 0.5)},
    )


def drawn(psf, rows, snr=1000.0):
    wcs = make_wcs(RA, DEC, SCALE, SHAPE, 20.0, (0.0, 0.0))
    data = draw_noiseless(rows, wcs, psf, SHAPE, BAND)
    ierr = np.full(SHAPE, snr / np.sqrt(np.sum(data**2)), "f4")
    return Exposure("e", BAND, "exposure", data.astype("f4"), ierr, wcs, wcs.to_header())


def patcher_of(exposure, store, **options):
    patcher = Patcher([exposure], store, **options)
    patcher.build_patch(CircularRegion(RA, DEC, 2.0), None, allbands=(BAND,))
    return patcher


def fitted(exposure, store, rows, fixed=None):
    """Rows at the optimum of a fit that starts at them."""
    patcher = patcher_of(exposure, store)
    bounds = patcher.make_bounds(rows, Bounds())
    model, q = patcher.prepare_model(active=rows, fixed=fixed, bounds=bounds)
    optimum, _ = run_opt(model, q)
    return fill_rows(rows, optimum.q, (BAND,), patcher.patch_reference_coordinates)


def test_model_images_are_right(optics, rows):
    """Pixels to 0.2% of the peak (the Sersic mixture's own error is 0.1%); without the remainder 2%."""
    psf, whole, plain = optics
    exposure = drawn(psf, rows)
    errors = [
        abs(render(rows, exposure, one, TABLE, (BAND,)) - exposure.data).max() for one in (whole, plain)
    ]
    peak = exposure.data.max()
    assert errors[0] < 2e-3 * peak
    assert errors[1] > 1e-2 * peak


def test_one_more_fit_is_unbiased(optics, rows):
    """At S/N 1000: fluxes to 0.1%, the size to 0.3%, after a fit with the mixture alone."""
    psf, whole, plain = optics
    exposure = drawn(psf, rows)
    first = fitted(exposure, plain, rows)
    assert abs(first[BAND] / rows[BAND] - 1).max() > 3e-3
    second = fitted(exposure, whole, first)
    assert second[BAND] == pytest.approx(rows[BAND], rel=1e-3)
    assert second["rhalf"][0] == pytest.approx(rows["rhalf"][0], rel=3e-3)


def test_fixed_sources_leave_nothing(optics, rows):
    """A neighbour that is subtracted is subtracted whole: its residual is below 0.2% of its peak."""
    psf, whole, plain = optics
    exposure = drawn(psf, rows[1:])
    left = []
    for store in (whole, plain):
        patcher = patcher_of(exposure, store)
        model, _ = patcher.prepare_model(active=rows[:0], fixed=rows[1:])
        left.append(abs(model.arrays.data).max() / exposure.data.max())
    assert left[0] < 2e-3 < 1e-2 < left[1]


def test_masked_pixels_and_the_option(optics, rows):
    psf, whole, _ = optics
    exposure = drawn(psf, rows)
    ierr = exposure.ierr.copy()
    ierr[20:30, 20:30] = 0
    patcher = patcher_of(replace(exposure, ierr=ierr), whole)
    with_it = patcher.prepare_model(active=rows)[0].arrays
    without = (
        patcher_of(replace(exposure, ierr=ierr), whole, remainder=False).prepare_model(active=rows)[0].arrays
    )
    changed = with_it.data != without.data
    assert changed.any() and not changed[with_it.weight == 0].any()
    assert np.array_equal(with_it.weight, without.weight)


def test_faint_sources_are_left_alone(optics, rows):
    psf, whole, _ = optics
    faint = rows.copy()
    faint[BAND] *= 1e-4
    exposure = drawn(psf, rows)
    noise = 1 / exposure.ierr[0, 0]
    placed = [place_sources([exposure], some, whole, (BAND,), TABLE) for some in (faint, rows)]
    assert remainder_image(exposure, 0, placed[0], whole, (BAND,), (0, 0), SHAPE, noise) is None
    image = remainder_image(exposure, 0, placed[1], whole, (BAND,), (0, 0), SHAPE, noise)
    part = remainder_image(exposure, 0, placed[1], whole, (BAND,), (10, 5), (20, 30), noise)
    assert np.array_equal(image[5:25, 10:40], part)


def test_neighbours_that_are_redrawn(optics, rows):
    """Their remainder at the rows' values is off the data whatever the draw."""
    psf, whole, _ = optics
    exposure = drawn(psf, rows)
    patcher = patcher_of(exposure, whole)
    free, _ = patcher.prepare_model(active=rows[:1])
    both, _ = patcher.prepare_model(active=rows[:1], fixed=rows[1:])
    neighbours = patcher.around(free, rows[1:], None)
    given = neighbours.given(rows[1:])
    assert np.abs(given.arrays.data - both.arrays.data).max() < 1e-4 * exposure.data.max()


def test_light_is_not_made(optics, rows):
    """GalSim's galaxy and the model have the same light within 8 pixels of it."""
    psf, whole, _ = optics
    exposure = drawn(psf, rows[:1])
    model = render(rows[:1], exposure, whole, TABLE, (BAND,))
    y, x = np.indices(SHAPE)
    near = np.hypot(x - 27, y - 23) < 8
    assert model[near].sum() == pytest.approx(exposure.data[near].sum(), rel=1e-3)
