"""Figures of merit see what a mixture gets wrong, and where: each is moved by its own kind of error."""

import numpy as np
import pytest

from fpho.psf import PSFStore, effective_image, fit_mixture, write_store
from fpho.psf.build import as_group, whole
from fpho.psf.mixture import evaluate
from fpho.psf.quality import FIRST_ORDER, LIMITS, WANTED, figures, misses

TRUE = np.array([[0.7, 0, 0, 1.5, 1.5, 0], [0.3, 0, 0, 12.0, 12.0, 0]])


@pytest.fixture(scope="module")
def image():
    y, x = np.indices((61, 61)) - 30
    return effective_image(evaluate(TRUE, x, y))


def changed(**cells):
    """The true mixture with more components, or with other cells."""
    more = cells.pop("more", np.zeros((0, 6)))
    out = np.vstack([TRUE, more])
    for name, value in cells.items():
        out[0 if name.endswith("0") else 1, "axyuvw".index(name[0])] = value
    return out


def test_the_truth_has_no_error(image):
    found = figures(image, TRUE)
    assert not found["poor"]
    assert all(abs(found[name]) < 2e-4 for name in WANTED if name != "encircled_energy")
    assert set(WANTED) == set(LIMITS) <= set(found)


def test_light_in_the_wrong_quadrant(image):
    """Moved from west to east, 8 pixels out: no azimuthal figure sees it, those in two dimensions do."""
    moved = np.array([[0.02, 8.0, 0, 4, 4, 0], [-0.02, -8.0, 0, 4, 4, 0]])
    found = figures(image, changed(more=moved))
    assert found["quadrant"] == pytest.approx(0.02, rel=0.2) and found["poor"]
    azimuthal = ("ring", "encircled_energy", "galaxy_flux_1", "galaxy_flux_2", "point_flux")
    assert all(abs(found[name]) < 0.5 * LIMITS[name] for name in azimuthal)


def test_diagonal_quadrants_count_too(image):
    moved = np.array([[0.02, 6.0, 6.0, 3, 3, 0], [-0.02, -6.0, -6.0, 3, 3, 0]])
    assert figures(image, changed(more=moved))["quadrant"] == pytest.approx(0.02, rel=0.2)


def test_a_shift(image):
    """All components by 0.1 pixel: that is the shift of a fitted star."""
    found = figures(image, TRUE + [0, 0.08, -0.06, 0, 0, 0])
    assert found["centroid"] == pytest.approx(0.1, rel=0.05) and found["poor"]
    assert abs(found["galaxy_flux_2"]) < 1e-3


def test_light_in_the_wrong_ring(image):
    """The halo narrower: rings and encircled energy; the extended galaxies' fluxes hardly."""
    found = figures(image, changed(u1=9.0, v1=9.0))
    assert found["ring"] > LIMITS["ring"] and found["encircled_energy"] > LIMITS["encircled_energy"]
    assert abs(found["galaxy_flux_2"]) < abs(found["galaxy_flux_half"])


def test_a_wrong_total(image):
    """Light that is lacking biases fluxes of all sizes by as much."""
    found = figures(image, TRUE * [0.98, 1, 1, 1, 1, 1])
    for name in ("point_flux", "galaxy_flux_half", "galaxy_flux_1", "galaxy_flux_2"):
        assert found[name] == pytest.approx(1 / 0.98 - 1, rel=0.01)


def test_the_fit_puts_light_into_the_right_quadrants():
    """A faint spike to one side: the mixture has the light of each quadrant to what is wanted."""
    y, x = np.indices((61, 61)) - 30
    spike = np.array([[0.03, 9.0, 2.0, 14.0, 1.0, 1.5]])
    fit = fit_mixture(evaluate(np.vstack([TRUE * [0.97, 1, 1, 1, 1, 1], spike]), x, y), max_components=5)
    assert abs(fit.quality["quadrant"]) < WANTED["quadrant"] and abs(fit.quality["centroid"]) < 0.02


def test_the_store_holds_them(tmp_path, image):
    fit = fit_mixture(image, n_components=2)
    write_store(tmp_path / "s.h5", {"a": as_group([fit])})
    assert PSFStore(tmp_path / "s.h5").quality("a") == fit.quality | {"known": True}


def test_a_remainder_that_is_kept_leaves_a_part_of_itself():
    """A mixture that is wrong by 1.2% of the light in a quadrant is poor alone, not with what it leaves."""
    y, x = np.indices((61, 61)) - 30
    spike = np.array([[0.024, 12.0, 0.0, 30.0, 1.0, 0.0]])
    alone = fit_mixture(evaluate(np.vstack([TRUE * [0.976, 1, 1, 1, 1, 1], spike]), x, y), n_components=1)
    kept = whole(alone)
    assert alone.quality["poor"] and alone.remainder is None
    assert kept.remainder is not None and kept.quality["quadrant"] == alone.quality["quadrant"]
    assert kept.quality["poor"] == misses(kept.quality, remainder=True)
    worst = max(abs(alone.quality[name]) / limit for name, limit in LIMITS.items())
    assert kept.quality["poor"] == (worst >= FIRST_ORDER)
