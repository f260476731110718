"""Objects on maps: a spiral is one, its neighbours are others, tiles change nothing, bands add up."""

import galsim
import numpy as np
import pytest
from scipy import stats

from fpho.detect.extraction import extract
from fpho.detect.grid import SkyGrid, common_grid
from fpho.detect.significance import deviate
from fpho.simulate.knots import clumpy_galaxy
from tests.patch.scenes import draw, make_rows

CORE = 2.0  # pixels


def smoothed(profiles, size=301, seed=0):
    """S/N map of GalSim profiles (pixels) through a Gaussian PSF: noise and light smoothed by it again."""
    psf = galsim.Gaussian(sigma=CORE)
    image = galsim.Image(size, size, scale=1.0)
    for profile, flux, offset in profiles:
        each = galsim.Convolve(profile, psf, psf) * flux * 2 * np.sqrt(np.pi) * CORE
        image += each.drawImage(image.copy(), offset=offset, method="no_pixel")
    white = np.random.default_rng(seed).standard_normal((size, size))
    stamp = psf.drawImage(nx=25, ny=25, scale=1.0, method="no_pixel").array * 2 * np.sqrt(np.pi) * CORE
    from scipy.signal import fftconvolve

    return image.array + fftconvolve(white, stamp, mode="same")


def test_spirals_stay_whole_and_their_companions_are_found():
    """A knot that stands apart, far out, cannot be told from a companion: one piece in all is allowed."""
    companion, pieces = galsim.Exponential(half_light_radius=3.0), 0
    for seed in range(5):
        spiral, _ = clumpy_galaxy(10.0, 0.7, 0.4, np.random.default_rng(seed))
        snr = smoothed(
            [(spiral, 8000, (0, 0)), (companion, 400, (50, -25)), (companion, 400, (-35, 45))], seed=seed
        )
        found = extract(snr, 5.0, CORE)
        for place in ((150, 150), (200, 125), (115, 195)):
            assert np.min(np.hypot(found.x - place[0], found.y - place[1])) < 3
        assert 0.1 < found.b[0] / found.a[0] < 0.9
        pieces += len(found.x) - 3
    assert pieces <= 1


def test_noise_has_no_objects():
    assert sum(len(extract(smoothed([], seed=seed), 5.0, CORE).x) for seed in range(10)) == 0


@pytest.mark.parametrize("bands", [1, 2, 7])
def test_significance_is_that_of_noise(bands):
    """Of a million draws of noise, as many lie beyond a deviate as a normal distribution has there."""
    values = np.random.default_rng(bands).standard_normal((bands, 1_000_000))
    chi = np.sqrt(np.sum(np.maximum(values, 0) ** 2, axis=0))
    z = deviate(chi, np.full(chi.shape, bands))
    for level in (1.0, 2.0, 3.0):
        wanted = stats.norm.sf(level)
        assert np.mean(z > level) == pytest.approx(wanted, abs=4 * np.sqrt(wanted / 1e6))
    if bands == 1:
        assert np.allclose(z[chi > 0], chi[chi > 0], atol=2e-3)
    far = deviate(np.array([34.99, 35.01, 500.0]), np.full(3, bands))
    assert np.all(np.diff(far) > 0) and far[2] == pytest.approx(500, abs=3)


def test_tiles_cover_the_sky_once():
    exposure = draw(make_rows(("blue",)), "blue", "e", shape=(90, 131))
    grid = common_grid([exposure])
    assert isinstance(grid, SkyGrid)
    seen = np.zeros(grid.shape, int)
    for tile in grid.tiles(size=40, margin=8):
        y, x = np.indices(tile.shape)
        row, column = tile.start
        seen[row : row + tile.shape[0], column : column + tile.shape[1]] += tile.owns(x, y)
        px, py = tile.positions(exposure)
        there = exposure.wcs.pixel_to_world_values(px[3, 5], py[3, 5])
        assert np.allclose(there, tile.to_sky(5, 3), atol=1e-7)
    assert np.all(seen == 1)
