"""A made-up field with its page, and a real browser."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from astropy.table import Table
from astropy.wcs import WCS

from fpho.flags import Flag
from fpho.geometry import CircularRegion
from fpho.page import Content, build_page
from fpho.products.picture import Picture

from ..needs import lacking, needed

BANDS = ["F1", "F2", "F3"]
SHAPE = 260, 330  # (ny, nx)
HOSTILE = [
    "<img src=x onerror='fpho.bad=1'>",
    "</script><script>fpho.bad=1</script>",
    '"><svg onload=fpho.bad=1>',
    "javascript:fpho.bad=1",
    "__proto__",
    'a,"b"\nc\u2028d',
    "${fpho.bad=1}`",
]


def turned_wcs(angle: float = 30.0, shape=SHAPE, scale: float = 0.05, ra=359.999, dec=40.0) -> WCS:
    """A mosaic turned by an angle (degrees), across ra = 0."""
    c, s = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval, wcs.wcs.crpix = [ra, dec], [shape[1] / 2, shape[0] / 2]
    wcs.wcs.cd = scale / 3600 * np.array([[-c, s], [s, c]])
    return wcs


def catalog(x, y, wcs, rng) -> Table:
    """A catalog of sources at pixels, with all that `postsample_catalog` gives to a page."""
    count = len(x)
    ra, dec = wcs.pixel_to_world_values(x, y)
    ids = [HOSTILE[i] if i < len(HOSTILE) else f"name{i}" for i in range(count)]
    table = Table({"id": ids, "source_index": 10 + np.arange(count), "ra": ra, "dec": dec})
    table["patch"] = np.arange(count) // 5
    table["flags"] = np.where(np.arange(count) % 4 == 0, int(Flag.POOR_FIT), 0)
    table["is_point"] = np.arange(count) % 7 == 0
    for k, band in enumerate(BANDS):
        table[band] = 10 ** rng.uniform(1, 4, count) * (1 + k)
        table[f"{band}_err"] = 7.0
        for circle, part in (("psf", 0.5), ("0_3", 0.8)):
            table[f"{band}_aper_{circle}"] = part * table[band]
            table[f"{band}_aper_{circle}_err"] = 5.0
    table[BANDS[0]][3] = -5.0  # a flux without a magnitude
    low, high = {"rhalf_major": 0.1, "axis_ratio": 0.3, "sersic": 0.5, "position_angle": 0.0}, 0.9
    for name, least in low.items():
        table[name] = rng.uniform(least, high, count)
    table["rhalf"] = table["rhalf_major"] * np.sqrt(table["axis_ratio"])
    for name in ("ra", "dec", "rhalf", *low):
        table[f"{name}_err"] = 0.01
    for name, value in {"n_draws": 60, "rhat": 1.002, "ess": 812.0, "chi2": 1.1}.items():
        table[name] = value
    table["ra"].unit = table["dec"].unit = "deg"
    return table


def chains(table, rng, count: int = 60) -> Table:
    """Draws about the values of a catalog."""
    out = Table({"n_chains": np.full(len(table), 4)})
    for name in ("ra", "dec", *BANDS, "axis_ratio", "position_angle", "rhalf", "rhalf_major", "sersic"):
        error = table[f"{name}_err"] / (3600 if name in ("ra", "dec") else 1)
        out[name] = np.asarray(table[name])[:, None] + np.asarray(error)[:, None] * rng.standard_normal(
            (len(table), count)
        )
    return out


@dataclass(frozen=True)
class Made:
    """A page, and what it was made of."""

    folder: Path
    table: Table
    draws: Table
    pictures: dict
    xy: np.ndarray


def make_page(folder, count: int, seed: int = 4, with_chains: bool = True, sheets=()) -> Made:
    """Sources on a jittered lattice: each is the brightest pixel of its surroundings."""
    rng = np.random.default_rng(seed)
    wcs, (ny, nx) = turned_wcs(), SHAPE
    columns = int(np.ceil(np.sqrt(count * nx / ny)))
    place = np.arange(count)
    x = (place % columns + 0.5) * nx / columns
    y = (place // columns + 0.5) * ny / np.ceil(count / columns)
    x, y = np.rint(x).astype(int).clip(0, nx - 1), np.rint(y).astype(int).clip(0, ny - 1)
    table = catalog(x, y, wcs, rng)
    pictures = {}
    for band in BANDS:
        model = np.zeros(SHAPE)
        model[y, x] = 40.0
        data = model + rng.standard_normal(SHAPE)
        pictures[band] = Picture(f"{band}_m", band, "mosaic", data, model, np.ones(SHAPE), wcs)
    content = Content(
        title="made up",
        table=table,
        bands=BANDS,
        frames=[(wcs, SHAPE)],
        pictures=lambda band: [pictures[band]],
        patches=[(0, CircularRegion(359.999, 40.0, 3.0)), (1, None)],
        chains=[chains(table, rng)] if with_chains else [],
        sheets=sheets,
    )
    build_page(folder, content, draws=40)
    return Made(
        Path(folder), table, content.chains[0] if with_chains else None, pictures, np.stack([x, y], -1)
    )


@pytest.fixture(scope="session")
def made(tmp_path_factory) -> Made:
    """40 sources, the first with hostile ids."""
    return make_page(tmp_path_factory.mktemp("page") / "a page #1 é", 40)


@pytest.fixture(scope="session")
def browser():
    """A headless Chromium: the system's."""
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        lacking("Chromium, in which the page is tried")
    with needed("playwright.sync_api").sync_playwright() as tool:
        running = tool.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield running
        running.close()
