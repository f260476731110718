"""The scenes of the benchmarks: made by a fixed function, with noise, nothing read from outside.

Sources of n 0.6-4.5, rhalf 0.05-0.28 arcsec and b/a 0.3-1 at random places; PSFs of 4 Gaussians
(core to wings, as fits to real cameras have them); one pixel scale per band, 0.03 or 0.06 arcsec, exposures
each with its own rotation and dither.
"""

import dataclasses

import numpy as np

from fpho.kernel import cpu
from fpho.kernel.arrays import PatchArrays, SourceArrays
from fpho.parameters import ellipticity, shape_matrix
from fpho.sersic import load_table

SCENES = {  # sources, bands, exposures per band, pixels on a side
    "5 sources": (5, 3, 2, 128),
    "15 sources": (15, 6, 4, 200),
    "1 source": (1, 1, 1, 64),
}
PSF_SIGMA = np.array([0.032, 0.060, 0.13, 0.40])  # arcsec
PSF_FLUX = np.array([0.45, 0.33, 0.15, 0.07])
NOISE = 1.0  # nJy per pixel


def make_psf(rng, pixel_scale) -> np.ndarray:
    """Four slightly elliptical Gaussians, (4, 6), in pixels, the pixel's response included."""
    psf = np.zeros((4, 6))
    psf[:, 0] = PSF_FLUX
    psf[:, 1:3] = rng.normal(0, 0.03, (4, 2))
    variance = (PSF_SIGMA * rng.uniform(0.9, 1.2) / pixel_scale) ** 2
    psf[:, 3:5] = variance[:, None] * rng.uniform(0.92, 1.08, (4, 2)) + 1 / 12
    psf[:, 5] = variance * rng.uniform(-0.05, 0.05, 4)
    return psf


def make_sources(rng, n_sources, n_bands, n_exposures) -> SourceArrays:
    """Random galaxies, no background."""
    q = np.sqrt(rng.uniform(0.3, 1, n_sources))
    n, rhalf = rng.uniform(0.6, 4.5, n_sources), np.exp(rng.uniform(np.log(0.05), np.log(0.28), n_sources))
    profile, count = load_table().evaluate(n, rhalf, np.zeros(n_sources, bool))
    shape = shape_matrix(*ellipticity(q, rng.uniform(-1.5, 1.5, n_sources))).reshape(n_sources, 3)
    flux, offset = rng.uniform(100, 2000, (n_sources, n_bands)), rng.normal(0, 0.005, (n_sources, 2))
    sources = np.concatenate([flux, offset, shape, n[:, None], rhalf[:, None]], axis=1)
    return SourceArrays(sources, profile, count, np.zeros(n_exposures))


def make_scene(name: str, seed: int = 20) -> tuple[PatchArrays, SourceArrays]:
    """One of SCENES, with data = model + noise for parameters 1% away from those returned."""
    n_sources, n_bands, per_band, side = SCENES[name]
    rng = np.random.default_rng(seed)
    n_exposures = n_bands * per_band
    band = np.repeat(np.arange(n_bands, dtype="i4"), per_band)
    pixel_scale = np.where(band % 2 == 0, 0.03, 0.06)
    angle = rng.uniform(0, 2 * np.pi, n_exposures)
    rotation = np.array([[-np.cos(angle), np.sin(angle)], [np.sin(angle), np.cos(angle)]]).transpose(2, 0, 1)
    # the same sky: sources lie within 0.4 of the width of the finest image
    sky = rng.uniform(-0.4, 0.4, (n_sources, 2)) * side * 0.03
    D = rotation / pixel_scale[:, None, None]
    y, x = np.mgrid[0:side:8, 0:side:8]
    count = x.size
    patch = PatchArrays(
        data=np.zeros((n_exposures * count, 64), "f4"),
        weight=np.full((n_exposures * count, 64), NOISE**-2, "f4"),
        tile_x=np.tile(x.ravel(), n_exposures).astype("i4"),
        tile_y=np.tile(y.ravel(), n_exposures).astype("i4"),
        exposure_start=np.arange(n_exposures + 1, dtype="i8") * count,
        band=band,
        position=np.einsum("eij,sj->esi", D, sky) + side / 2 + rng.uniform(-2, 2, (n_exposures, 1, 2)),
        scale=np.repeat(D[:, None], n_sources, axis=1),
        gain=np.ones((n_exposures, n_sources)),
        psf_index=np.repeat(np.arange(n_exposures, dtype="i4")[:, None], n_sources, axis=1),
        psf=np.array([make_psf(rng, s) for s in pixel_scale]),
        psf_count=np.full(n_exposures, 4, "i4"),
    )
    state = make_sources(rng, n_sources, n_bands, n_exposures)
    truth = dataclasses.replace(state, sources=state.sources * rng.uniform(0.99, 1.01, state.sources.shape))
    patch.data[:] = cpu.model(patch, truth) + rng.normal(0, NOISE, patch.data.shape).astype("f4")
    return patch, state
