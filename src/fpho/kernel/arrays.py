"""The array contract of the kernel: what every backend takes and returns.

The kernel knows pixels and Gaussians, no file, catalog or unit other than those
written here. Arrays are never changed by a kernel function.

Shapes: T tiles of 8 x 8 pixels, E exposures, S sources, B bands, N PSFs of at most J
Gaussians, K Gaussians of a profile at most.
"""

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

TILE = 8  # pixels on a side of a tile
N_SHAPE = 7  # parameters of a source after its fluxes: see SOURCE_COLS
SOURCE_COLS = ("east", "north", "m_ee", "m_nn", "m_en", "sersic", "rhalf")


@dataclass(frozen=True)
class PatchArrays:
    """Pixels and geometry of one patch.

    Pixel p of a tile stands at x = tile_x + p % 8, y = tile_y + p // 8 (zero-indexed, x = FITS axis 1).
    """

    data: np.ndarray  # (T, 64) float32, nJy per pixel, finite everywhere
    weight: np.ndarray  # (T, 64) float32, 1 / variance (nJy^-2); 0 where masked or padded
    tile_x: np.ndarray  # (T,) int32
    tile_y: np.ndarray  # (T,) int32
    exposure_start: np.ndarray  # (E + 1,) int64: tiles of exposure e are start[e]:start[e + 1]
    band: np.ndarray  # (E,) int32: index of the exposure's band
    position: np.ndarray  # (E, S, 2) float64: pixel (x, y) of each source's reference position
    scale: np.ndarray  # (E, S, 2, 2) float64: D, pixel (x, y) per arcsec (east, north) there
    gain: np.ndarray  # (E, S) float64: image units per nJy (1 for calibrated images)
    psf_index: np.ndarray  # (E, S) int32: row of `psf`
    psf: np.ndarray  # (N, J, 6) float64: amplitude, x, y (pixel), Cxx, Cyy, Cxy (pixel^2); effective PSF
    psf_count: np.ndarray  # (N,) int32: components in use

    @property
    def n_exposures(self) -> int:
        """Exposures, E."""
        return len(self.band)

    @property
    def n_sources(self) -> int:
        """Sources, S."""
        return self.position.shape[1]

    def with_fields(self, **fields) -> "PatchArrays":
        """Other pixel values or sources on the same tiles; what was prepared for the tiles is kept."""
        other = replace(self, **fields)
        if "_plan" in self.__dict__:
            object.__setattr__(other, "_plan", self.__dict__["_plan"])
        return other


def near_pixels(arrays: PatchArrays, reach: float) -> np.ndarray:
    """(E, S) whether an exposure has a good pixel within `reach` pixels of a source's reference position."""
    near = np.zeros((arrays.n_exposures, arrays.n_sources), bool)
    place, most = np.arange(TILE * TILE), TILE / 2 + reach
    for e, (a, b) in enumerate(pairwise(arrays.exposure_start)):
        corner_x, corner_y, weight = arrays.tile_x[a:b], arrays.tile_y[a:b], arrays.weight[a:b]
        for s, (x0, y0) in enumerate(arrays.position[e]):
            tile = np.maximum(np.abs(corner_x + TILE / 2 - x0), np.abs(corner_y + TILE / 2 - y0)) <= most
            x, y = corner_x[tile, None] + place % TILE, corner_y[tile, None] + place // TILE
            near[e, s] = np.any((weight[tile] > 0) & (np.hypot(x - x0, y - y0) < reach))
    return near


@dataclass(frozen=True)
class SourceArrays:
    """Parameters of the sources at one point of parameter space.

    `sources` (S, B + 7): fluxes (nJy) by band; east, north offset from the reference position
    (arcsec); m_ee, m_nn, m_en of the shape matrix (`fpho.parameters.shape_matrix`); sersic, rhalf
    (those two are not read by the kernel: they enter through `profile`).

    `profile` (S, K, 6) float64: weight a, variance v (arcsec^2), da/dn, dv/dn, da/drhalf, dv/drhalf of
    the profile's Gaussians; component k of a source has covariance v M on the sky. A point source has
    one component with v = 0. Components at k >= profile_count are not read.
    """

    sources: np.ndarray  # (S, B + 7) float64
    profile: np.ndarray  # (S, K, 6) float64
    profile_count: np.ndarray  # (S,) int32
    background: np.ndarray  # (E,) float64, nJy per pixel, added to the model

    def __getitem__(self, key) -> "SourceArrays":
        """One or some of several states, whose arrays have a first axis more; [None] makes one such."""
        return SourceArrays(
            self.sources[key], self.profile[key], self.profile_count[key], self.background[key]
        )
