"""How wide the PSFs of a run are, which says how far light of its sources reaches."""

from types import SimpleNamespace

import numpy as np
import pytest

from fpho.passes.psfs import half_light, widest_of

SIGMAS = {"g": 1.0, "r": 3.0, "i": 9.0}  # pixels


def gaussian(sigma: float) -> np.ndarray:
    """A PSF of one round Gaussian, (1, 6)."""
    return np.array([[1.0, 0.0, 0.0, sigma**2, sigma**2, 0.0]])


def test_half_the_light_of_a_gaussian():
    assert half_light(gaussian(2.5)) == pytest.approx(2.5 * np.sqrt(2 * np.log(2)), rel=0.03)


def test_the_widest_is_that_of_the_bands_that_are_fitted():
    """On the sky: 40 x 30 pixels within a circle of 2.5 arcsec are 0.1 arcsec each."""
    store = SimpleNamespace(
        ids=["one", "two", "three"],
        band={"one": "g", "two": "r", "three": "i"}.get,
        psf=lambda name: "",
        shape=lambda name: (40, 30),
        footprint=lambda name: SimpleNamespace(radius=2.5),
    )
    psfs = SimpleNamespace(
        resolve=lambda name, band, psf: band, mixture=lambda key, x, y: gaussian(SIGMAS[key])
    )
    for bands, sigma in ((("g",), 1.0), (("r", "g"), 3.0), (("g", "i"), 9.0)):
        found = widest_of([store], psfs, bands)
        assert found == pytest.approx(0.1 * sigma * np.sqrt(2 * np.log(2)), rel=0.03)
    assert widest_of([], psfs, ("g",)) == 0.0
