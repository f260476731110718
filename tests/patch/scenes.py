"""Small scenes drawn by GalSim, for the tests of patches, background and detection."""

import galsim
import numpy as np

from fpho.images import Exposure
from fpho.parameters import scene_dtype
from fpho.patch import CPUPatchMixin, DirectPatch, pixel_arrays, place_sources, select_tiles
from fpho.psf import PSFStore, write_store
from fpho.sersic import load_table
from fpho.simulate import draw_noiseless, make_wcs

RA, DEC = 150.1, 2.2
PSFS = {"blue": ((0.8, 1.3), (0.2, 2.6)), "red": ((0.7, 1.7), (0.3, 3.4))}  # (fraction, sigma in pixels)


class Patcher(DirectPatch, CPUPatchMixin):
    """Patches from memory."""


def build_arrays(exposures, region, rows, store, bands):
    """The kernel's arrays of a region and scene rows, without a patcher."""
    tiles = select_tiles(exposures, region, bands)
    return pixel_arrays(tiles, bands, place_sources(tiles, rows, store, bands, load_table()))


def galsim_psf(band):
    """Two Gaussians: what the store's mixture holds exactly, but for the pixel."""
    return galsim.Add([galsim.Gaussian(sigma=sigma, flux=part) for part, sigma in PSFS[band]])


def make_store(path) -> PSFStore:
    """Store of the same PSFs, the pixel's response as 1/12 pixel^2."""
    groups = {}
    for band, parts in PSFS.items():
        mixture = [[part, 0, 0, sigma**2 + 1 / 12, sigma**2 + 1 / 12, 0] for part, sigma in parts]
        groups[band] = (np.array([mixture]), None, [])
    write_store(path, groups)
    return PSFStore(path)


def make_rows(bands, *sources):
    """Scene rows; a source: dict of values that differ from those of a round disk at the field's centre."""
    rows = np.zeros(len(sources), scene_dtype(bands))
    for i, (row, source) in enumerate(zip(rows, sources, strict=True)):
        values = {"ra": RA, "dec": DEC, "q": 1.0, "sersic": 1.0, "rhalf": 0.2, "roi": 1.0, "is_valid": True}
        values |= {"source_index": i, "id": f"s{i}", **source}
        east, north = values.pop("offset", (0.0, 0.0))
        for name, value in values.items():
            row[name] = value
        row["ra"] += east / 3600 / np.cos(np.radians(DEC))
        row["dec"] += north / 3600
    return rows


def draw(
    rows,
    band,
    name,
    *,
    shape=(96, 104),
    scale=0.05,
    rotation=0.0,
    offset=(0.0, 0.0),
    sigma=0.0,
    seed=0,
    sky=0.0,
):
    """An `Exposure` of the rows with white noise (nJy per pixel) of `sigma`, or without."""
    wcs = make_wcs(RA, DEC, scale, shape, rotation, offset)
    image = draw_noiseless(rows, wcs, galsim_psf(band), shape, band) + sky
    noise = sigma * np.random.default_rng(seed).standard_normal(shape)
    ierr = np.full(shape, 1 / (sigma or 1.0), "f4")
    return Exposure(
        id=name,
        band=band,
        kind="exposure",
        data=(image + noise).astype("f4"),
        ierr=ierr,
        wcs=wcs,
        header=wcs.to_header(),
        psf="",
        noise_scale=1.0,
    )
