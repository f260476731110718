"""A simulated field: population, light and sky, rough catalog; galaxies that are no Sersic profiles."""

import galsim
import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from astropy.wcs import WCS

from fpho.config.field import SimulatedField
from fpho.parameters import axis_ratio
from fpho.simulate.field import write_field
from fpho.simulate.knots import clumpy_galaxy
from fpho.simulate.population import COUNTS_SLOPE, draw_population

SMALL = SimulatedField(
    sources=6, density=600, bands=["g", "r"], pixel_scale=[0.06, 0.1], exposures=2, depth=27.0
)

SEED = 6


def population(count, **more):
    place = (lambda n, rng: rng.uniform(-30, 30, (n, 2))), (lambda xy: (xy[:, 0] / 3600, xy[:, 1] / 3600))
    options = {"faintest": 28.0, "place": place} | more
    return draw_population(count, ["g", "r"], rng=np.random.default_rng(5), **options)


@pytest.fixture(scope="module")
def field(tmp_path_factory):
    folder = tmp_path_factory.mktemp("field")
    rows, images = write_field(SMALL, folder, SEED)
    return folder, rows, images


def test_counts_and_shapes_follow_the_population():
    rows = population(20000)
    magnitude = 31.4 - 2.5 * np.log10(rows["g"])
    counts, edges = np.histogram(magnitude, np.arange(23.0, 28.1, 0.5))
    slope, _ = np.polyfit(0.5 * (edges[1:] + edges[:-1]), np.log10(counts), 1)
    assert slope == pytest.approx(COUNTS_SLOPE, abs=0.02)
    galaxy = ~rows["is_point"]
    bright, faint = (np.median(rows["rhalf"][galaxy & cut]) for cut in (magnitude < 24, magnitude > 27.5))
    assert bright > 1.7 * faint
    assert 0.2 < axis_ratio(rows["q"][galaxy]).min() < 0.25
    assert 0.02 < rows["is_point"].mean() < 0.06


def test_companions_make_close_pairs():
    rows = population(2000)
    x, y = rows["ra"] * 3600, rows["dec"] * 3600
    distance = np.hypot(np.subtract.outer(x, x), np.subtract.outer(y, y)) + 99 * np.eye(len(rows))
    expected = 1 - np.exp(-len(rows) / 60**2 * np.pi * 0.3**2)  # of places by chance
    assert (distance.min(axis=1) < 0.3).mean() < 1.3 * expected
    assert (distance.min(axis=1) < 1.0).mean() > 0.2


def test_images_hold_the_light_and_the_sky(field):
    """Sum over an image against all fluxes; every source lies well inside with this seed."""
    folder, rows, images = field
    truth = Table.read(folder / "truth.fits", hdu="BACKGROUND")
    for image in images:
        with fits.open(folder / "images" / f"{image.id}.fits") as hdus:
            data, wcs = hdus["SCI"].data.astype("f8"), WCS(hdus["SCI"].header)
            assert np.all(hdus["ERR"].data == np.float32(image.noise))
        sky = image.background()
        (row,) = truth[truth["exposure"] == image.id]
        assert sky.mean() == pytest.approx(row["constant"], rel=1e-6)
        x, y = wcs.world_to_pixel_values(rows["ra"], rows["dec"])
        margin = 1.2 / image.scale
        ny, nx = image.shape
        inside = (x > margin) & (y > margin) & (x < nx - margin) & (y < ny - margin)
        assert inside.all()
        error = image.noise * np.sqrt(data.size)
        light = np.sum(data - sky)
        assert abs(light - rows[image.band].sum()) < 4 * error + 0.03 * rows[image.band].sum()


def test_catalog_is_rough_and_lists_what_can_be_seen(field):
    folder, rows, _ = field
    truth, catalog = Table.read(folder / "truth.fits", hdu=1), Table.read(folder / "catalog.fits")
    seen = np.maximum(truth["g_snr"], truth["r_snr"]) >= SMALL.listed_snr
    assert np.array_equal(truth["in_catalog"], seen) and len(catalog) == seen.sum() > 0
    assert "roi" not in catalog.colnames
    off = (catalog["dec"] - rows["dec"][seen]) * 3600
    assert 0 < np.abs(off).max() < 5 * 0.5 * SMALL.pixel_scale[0]


def test_a_field_is_that_of_its_seed(field, tmp_path):
    folder, rows, _ = field
    again, _ = write_field(SMALL, tmp_path, SEED)
    assert again.tobytes() == rows.tobytes()
    name = "images/g_1.fits"
    assert (tmp_path / name).read_bytes() == (folder / name).read_bytes()
    other, _ = write_field(SMALL.model_copy(update={"sources": 2}), tmp_path / "other", 4)
    assert other["ra"][0] != rows["ra"][0]


def test_clumpy_galaxies_have_their_flux_and_half_light_radius():
    """The half of the light within the ellipse of the stated radius, by GalSim's own image."""
    galaxy, radius = clumpy_galaxy(0.4, 0.6, 0.7, np.random.default_rng(1))
    step = 0.02
    seen = galsim.Convolve(galaxy, galsim.Gaussian(sigma=0.02))
    image = seen.drawImage(nx=401, ny=401, scale=step, method="auto", dtype=float).array
    y, x = (np.indices(image.shape) - 200) * step
    along, across = x * np.cos(0.7) + y * np.sin(0.7), y * np.cos(0.7) - x * np.sin(0.7)
    inside = np.hypot(along * np.sqrt(0.6), across / np.sqrt(0.6)) < radius
    assert image.sum() == pytest.approx(1.0, abs=0.02)
    assert image[inside].sum() == pytest.approx(0.5, abs=0.02)
