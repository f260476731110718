"""Random small scenes for the tests of the kernel."""

import numpy as np

from fpho.kernel.arrays import PatchArrays, SourceArrays
from fpho.parameters import ellipticity, shape_matrix


def profile_table(rng, n_sources, components):
    """Plausible profiles with random smooth derivatives (a stand-in for a Sersic table), (S, K, 6)."""
    weight = rng.dirichlet(np.ones(components), n_sources)
    sigma = np.geomspace(0.08, 2.5, components) * rng.uniform(0.05, 0.6, (n_sources, 1))
    slope = rng.normal(0, 0.1, (n_sources, components, 4)) * np.stack([weight, sigma**2] * 2, axis=-1)
    return np.concatenate([weight[..., None], sigma[..., None] ** 2, slope], axis=-1)


def psf_table(rng, n_psf, components):
    """Slightly elliptical, off-centre Gaussians of sigma 0.7 to about 5 pixels, (N, J, 6)."""
    psf = np.zeros((n_psf, components, 6))
    psf[..., 0] = rng.dirichlet(4.0 / np.arange(1, components + 1), n_psf)
    psf[..., 1:3] = rng.normal(0, 0.05, (n_psf, components, 2))
    variance = np.geomspace(0.7, 5, components) ** 2
    psf[..., 3:5] = variance[:, None] * rng.uniform(0.85, 1.15, (n_psf, components, 2))
    psf[..., 5] = variance * rng.uniform(-0.1, 0.1, (n_psf, components))
    return psf


def tiles(width, height):
    """Origins (tile_x, tile_y) of the tiles of an image, row by row."""
    y, x = np.mgrid[0:height:8, 0:width:8]
    return x.ravel().astype("i4"), y.ravel().astype("i4")


def scene(seed, *, n_sources=3, n_bands=2, n_exposures=2, shape=(40, 56), k=6, j=3, ratio=(0.05, 1.0)):
    """A random scene (PatchArrays, SourceArrays) with noise and masked pixels."""
    rng = np.random.default_rng(seed)
    ny, nx = shape
    tx, ty = tiles(nx, ny)
    count = len(tx)
    pixel_scale = rng.uniform(0.03, 0.06, n_exposures)
    angle = rng.uniform(0, 2 * np.pi, n_exposures)
    rotation = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]).transpose(2, 0, 1)
    scale = rotation[:, None] / pixel_scale[:, None, None, None] * np.ones((1, n_sources, 1, 1))
    scale = scale * rng.uniform(0.98, 1.02, scale.shape)
    q = np.sqrt(rng.uniform(*ratio, n_sources))
    matrix = shape_matrix(*ellipticity(q, rng.uniform(-2, 2, n_sources)))
    sources = np.concatenate(
        [
            rng.uniform(20, 200, (n_sources, n_bands)),
            rng.normal(0, 0.02, (n_sources, 2)),
            matrix.reshape(n_sources, 3),
            np.ones((n_sources, 2)),
        ],
        axis=1,
    )
    weight = np.full((count * n_exposures, 64), 25.0, "f4")
    weight[rng.random(weight.shape) < 0.05] = 0.0
    patch = PatchArrays(
        data=np.zeros_like(weight),
        weight=weight,
        tile_x=np.tile(tx, n_exposures),
        tile_y=np.tile(ty, n_exposures),
        exposure_start=np.arange(n_exposures + 1, dtype="i8") * count,
        band=(np.arange(n_exposures) % n_bands).astype("i4"),
        position=rng.uniform(0, 1, (n_exposures, n_sources, 2)) * (nx, ny),
        scale=scale,
        gain=rng.uniform(0.9, 1.1, (n_exposures, n_sources)),
        psf_index=(np.arange(n_exposures)[:, None] + np.zeros((1, n_sources))).astype("i4"),
        psf=psf_table(rng, n_exposures, j),
        psf_count=np.full(n_exposures, j, "i4"),
    )
    state = SourceArrays(
        sources=sources,
        profile=profile_table(rng, n_sources, k),
        profile_count=np.full(n_sources, k, "i4"),
        background=rng.normal(0, 0.05, n_exposures),
    )
    patch.data[:] = rng.normal(0, 0.2, weight.shape) + rng.uniform(0, 0.5, (len(weight), 1))
    return patch, state
