"""The first sky of fields drawn by GalSim: a faint majority, a rough catalog, sources that nobody listed."""

import galsim
import numpy as np
import pytest
from astropy.wcs import WCS

from fpho.background import apply_background, changed, continued, first_sky, sky_table
from fpho.background.first import covered
from fpho.background.table import DTYPE
from fpho.images import Exposure
from fpho.stages.detect import without_sky

SIDE, SCALE = 320, 0.05  # pixels, arcsec
LISTED, UNLISTED = 26, 75  # 360 and 1050 per square arcmin
FAINT = 0.02  # sigma per pixel: a bias that moves the flux of a source of 300 pixels by 0.35 of its error


def wcs():
    made = WCS(naxis=2)
    made.wcs.ctype, made.wcs.crval, made.wcs.crpix = (
        ["RA---TAN", "DEC--TAN"],
        [150.1, 2.2],
        [SIDE / 2, SIDE / 2],
    )
    made.wcs.cd = np.diag([-SCALE, SCALE]) / 3600
    return made


def sources(rng, number, low, high):
    """Columns x, y, flux (in sigma of a pixel), size (arcsec), index of a population with slope -1.7."""
    flux = (low**-0.7 + rng.uniform(size=number) * (high**-0.7 - low**-0.7)) ** (-1 / 0.7)
    size = np.clip(10 ** rng.normal(-0.75 + 0.12 * np.log10(flux / 300), 0.2), 0.04, 0.6)
    index = np.where(rng.uniform(size=number) < 0.2, 3.0, 1.0)
    return np.stack([*rng.uniform(0, SIDE - 1, (2, number)), flux, size, index], axis=-1)


def drawn(rows):
    psf = galsim.Moffat(beta=2.5, fwhm=0.15)
    image = galsim.ImageD(SIDE, SIDE, scale=SCALE)
    for x, y, flux, size, index in rows:
        profile = galsim.Convolve(galsim.Sersic(n=index, half_light_radius=size, flux=flux), psf)
        stamp = galsim.ImageD(160, 160, scale=SCALE)
        stamp.setCenter(round(x) + 1, round(y) + 1)
        profile.drawImage(stamp, center=galsim.PositionD(x + 1, y + 1))
        inside = stamp.bounds & image.bounds
        image[inside] += stamp[inside]
    return image.array


@pytest.fixture(scope="module")
def field():
    """(light listed, light not listed, rough light, rows of a rough catalog)."""
    rng = np.random.default_rng(5)
    listed, unlisted = sources(rng, LISTED, 60, 20000), sources(rng, UNLISTED, 8, 60)
    rough = listed.copy()
    rough[:, :2] += rng.normal(0, 0.5, (LISTED, 2))
    rough[:, 2:4] *= 10 ** rng.normal(0, 0.3, (LISTED, 2))
    rows = np.zeros(LISTED, [("ra", "f8"), ("dec", "f8"), ("roi", "f8")])
    rows["ra"], rows["dec"] = wcs().pixel_to_world_values(*rough[:, :2].T)
    rows["roi"] = 1.0
    return drawn(listed), drawn(unlisted), drawn(rough), rows


def observed(field, level, slope, seed=3):
    y, x = np.indices((SIDE, SIDE))
    sky = level * (1 + slope * (x - SIDE / 2) / SIDE + 0.5 * slope * (y - SIDE / 2) / SIDE)
    data = field[0] + field[1] + sky + np.random.default_rng(seed).normal(0, 1, (SIDE, SIDE))
    exposure = Exposure("a", "r", "mosaic", data.astype("f4"), np.ones((SIDE, SIDE), "f4"), wcs(), None)
    return exposure, sky + field[1].mean()


@pytest.mark.parametrize("model", [1.0, 0.0, 10.0], ids=["rough", "positions alone", "ten times too bright"])
@pytest.mark.parametrize(("level", "slope"), [(0.1, 0.0), (1.5, 0.6), (40.0, 0.6)])
def test_level_and_slope(field, level, slope, model):
    exposure, right = observed(field, level, slope)
    sky = first_sky(exposure, model * field[2], field[3])
    table = sky_table([sky], nsigma=3.0)
    left = apply_background(exposure, table).data - (exposure.data - right)
    if level > 0.1:  # 0.1 is found, too, but may lie below the threshold in so small an image
        assert table["used"].all()
    assert abs(left.mean()) < (FAINT if table["used"].all() else 0.12)
    assert np.abs(left - left.mean()).max() < 4 * FAINT
    assert 0.002 < sky.error < FAINT


def test_without_any_catalog(field):
    """What detection subtracts before it knows of a source."""
    exposure, right = observed(field, 40.0, 0.6)
    left = without_sky(exposure).data - (exposure.data - right)
    assert np.abs(left).max() < 0.2


def test_no_sky_is_not_subtracted(field):
    exposure, _ = observed(field, -field[1].mean(), 0.0)
    assert not sky_table([first_sky(exposure, field[2], field[3])], nsigma=3.0)["used"].any()


def test_circles(field):
    exposure, _ = observed(field, 0.0, 0.0)
    rows = field[3][:1].copy()
    inside = covered(exposure, rows)
    y, x = np.indices((SIDE, SIDE))
    ra, dec = wcs().pixel_to_world_values(x, y)
    away = np.hypot((ra - rows["ra"]) * np.cos(np.radians(dec)), dec - rows["dec"]) * 3600
    assert np.array_equal(inside, away <= 1.0)
    rows["ra"] += 1
    assert not covered(exposure, rows).any()


def row(used=True, **values):
    out = np.zeros(1, DTYPE)
    out["exposure"], out["used"] = "a", used
    for name, value in values.items():
        out[name] = value
    return out


def test_a_second_sky_goes_on_top_of_the_first():
    first = row(constant=2.0, x_slope=0.1, x_ref=10.0, error=0.3)
    more = row(constant=0.5, y_slope=0.2, x_ref=15.0, y_ref=5.0, error=0.1, significance=5.0)
    (total,) = continued(first, more)
    assert total["constant"] == pytest.approx(2.0 + 0.1 * 5 + 0.5) and total["error"] == 0.1
    assert (total["x_slope"], total["y_slope"], total["x_ref"], total["y_ref"]) == (0.1, 0.2, 15.0, 5.0)
    assert changed(first, continued(first, more))
    weak = row(used=False, constant=-0.2, x_ref=10.0, error=0.1, significance=2.0)
    assert continued(first, weak)["constant"] == pytest.approx(1.8) and changed(first, continued(first, weak))
    small = row(used=False, constant=0.01, error=0.1, significance=0.1)
    assert continued(first, small) == first and not changed(first, continued(first, small))
    unused = row(used=False, constant=0.3)
    assert continued(unused, more) == more and changed(unused, more) and not changed(unused, small)
