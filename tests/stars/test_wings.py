"""What is as faint as the wings of stars and spoils their PSF: an uneven sky, and galaxies beside them."""

import galsim
import numpy as np
from numpy.random import default_rng

from fpho.detect import uneven_sky
from fpho.images import Exposure
from fpho.psf.empirical import Stamps
from fpho.simulate import make_wcs
from fpho.stars import gather, psfs_of_stars
from fpho.stars.gathering import Gathered, _sky

SIDE = 640  # pixels
SKY = 0.25  # sigma, from the middle of the image to an edge
NEIGHBOUR = 600.0  # sigma: its light, which is in no pixel above 4


def psf():
    return galsim.Convolve(galsim.Moffat(beta=3.0, half_light_radius=1.5), galsim.Pixel(1.0))


def exposure(number: int) -> Exposure:
    """Ten stars of S/N 400 to 800, three of them with a faint galaxy beside them, on a sloping sky."""
    rng = default_rng([12, number])
    image = galsim.Image(SIDE, SIDE, scale=1.0)

    def add(profile, x, y):
        profile.drawImage(image, center=galsim.PositionD(x + 1, y + 1), add_to_image=True, method="no_pixel")

    for i in range(10):
        x, y = 80 + 160 * (i % 4) + rng.uniform(), 110 + 210 * (i // 4) + rng.uniform()
        add(psf() * (2000 + 240 * i), x, y)
        if i % 4 == 1:
            galaxy = galsim.Convolve(galsim.Exponential(half_light_radius=8), psf())
            add(galaxy * NEIGHBOUR, x + 16 * np.cos(i), y + 16 * np.sin(i))
    slope = SKY * (np.arange(SIDE) / (SIDE / 2) - 1)
    data = image.array + slope + slope[:, None] + rng.standard_normal((SIDE, SIDE))
    wcs = make_wcs(150.0, 2.0, 0.05, (SIDE, SIDE))
    return Exposure(str(number), "F200W", "exposure", data.astype("f4"), np.ones((SIDE, SIDE), "f4"), wcs, {})


def test_flux_of_a_star_through_the_psf_of_others():
    """Within 2% of that through the true PSF, weighed as a fit weighs pixels; 5% off if all are used."""
    (made,) = psfs_of_stars(gather(exposure(number) for number in range(3)))
    pixels = np.arange(-20, 21.0)
    u, v = np.meshgrid(pixels, pixels)
    truth = psf().drawImage(nx=41, ny=41, scale=1.0, method="no_pixel").array
    model = made.made.values(u, v) * made.made.inside
    assert abs(np.sum(truth * model) / np.sum(model**2) - 1) < 0.02
    assert abs(made.offset) < 3 * made.error + 0.002


def test_the_sky_has_no_faint_galaxies_in_it():
    """400 galaxies that no single pixel shows are 0.06 sigma per pixel: most of it is not sky."""
    rng = default_rng(1)
    galaxy = galsim.Convolve(galsim.Exponential(half_light_radius=2.5), psf()) * 60.0
    stamp = galaxy.drawImage(nx=41, ny=41, scale=1.0, method="no_pixel").array
    data = rng.standard_normal((SIDE, SIDE))
    for x, y in rng.integers(0, SIDE - 41, (400, 2)):
        data[y : y + 41, x : x + 41] += stamp
    shape, wcs = (SIDE, SIDE), make_wcs(150.0, 2.0, 0.05, (SIDE, SIDE))
    image = Exposure("a", "F200W", "exposure", data.astype("f4"), np.ones(shape, "f4"), wcs, {})
    nothing = np.zeros(shape, bool)
    assert uneven_sky(image, nothing).mean() > 0.035
    assert abs(_sky(image, nothing).mean()) < 0.015


HALF = 17  # pixels, of stamps


def crowded(seed: int) -> Gathered:
    """Twelve stars in two exposures; every second one has another beside it, of a tenth of its light."""
    rng = default_rng(seed)
    fine = psf()

    def drawn(x, y):
        return fine.drawImage(
            nx=2 * HALF + 1, ny=2 * HALF + 1, scale=1.0, method="no_pixel", offset=(x, y)
        ).array.ravel()

    data = []
    for i in range(12):
        flux, turn, far = 1000 + 300 * i, rng.uniform(0, 2 * np.pi), rng.uniform(3, 7)
        for x, y in rng.uniform(-0.5, 0.5, (2, 2)):
            light = drawn(x, y)
            if i % 2:
                light = light + 0.1 * drawn(x + far * np.cos(turn), y + far * np.sin(turn))
            data.append(flux * light + rng.standard_normal(light.size))
    axis = np.arange(-HALF, HALF + 1.0)
    x, y = (np.tile(values.ravel(), (len(data), 1)) for values in np.meshgrid(axis, axis))
    stamps = Stamps(x, y, np.array(data), np.ones(x.shape), np.repeat(np.arange(12), 2))
    return Gathered(stamps, np.zeros((24, 2)), np.full(24, 300.0), 3.0)


def test_half_of_the_stars_have_another_beside_them():
    """The fluxes of a PSF that has such light in it are 5% too bright."""
    (made,) = psfs_of_stars(crowded(1))
    pixels = np.arange(-HALF, HALF + 1.0)
    truth = psf().drawImage(nx=len(pixels), ny=len(pixels), scale=1.0, method="no_pixel").array
    model = made.made.values(*np.meshgrid(pixels, pixels)) * made.made.inside
    assert abs(np.sum(truth * model) / np.sum(model**2) - 1) < 0.015
    assert not made.poor
