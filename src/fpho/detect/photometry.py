"""Sizes and fluxes of objects to start from: SEP's ellipses and Kron apertures on each band's mean image."""

from dataclasses import dataclass

import numpy as np
import sep

from ..geometry import pixel_scale
from ..parameters import error_col
from .extraction import Objects
from .grid import cut_out, resample

KRON = 2.5  # first moments that an aperture reaches (Kron 1980, ApJS 43, 305)
SEARCH = 6.0  # root mean squares within which that moment is taken
HALF_OF_CORE = 1.3  # half-light radius of a telescope's PSF, in sigmas of its core
SMALLEST = 0.3  # half-light radius of a galaxy to start from, at the least, in sigmas of the core
AROUND = (1.3, 1.8)  # apertures: the ring whose mean is what neighbours' wings and sky leave
LEAST = 2.5  # smallest aperture, in sigmas of the PSF's core


@dataclass(frozen=True)
class Sums:
    """Inverse-variance mean of a band's exposures on a tile."""

    data: np.ndarray  # (ny, nx) nJy per pixel of the grid
    variance: np.ndarray  # (ny, nx); infinite where there is no data


def sum_band(tile, exposures) -> Sums:
    """Mean image of the exposures of one band on a tile."""
    total, weight = np.zeros(tile.shape), np.zeros(tile.shape)
    for exposure in exposures:
        x, y = tile.positions(exposure)
        cut = cut_out(x, y, exposure.data.shape, 2)
        if cut is None:
            continue
        x, y = x - cut[1].start, y - cut[0].start
        area = (tile.grid.pixel / pixel_scale(exposure.wcs, exposure.data.shape)) ** 2
        inverse = exposure.ierr[cut].astype("f8") ** 2
        total += resample(inverse * exposure.data[cut], x, y, 1)  # of (v area) / (sigma^2 area)
        weight += np.maximum(resample(inverse, x, y, 1), 0) / area
    seen = weight > 0
    data = np.divide(total, weight, out=np.zeros(tile.shape), where=seen)
    return Sums(data, np.divide(1.0, weight, out=np.full(tile.shape, np.inf), where=seen))


def measure_objects(objects: Objects, sums: dict[str, Sums], core: float) -> dict[str, np.ndarray]:
    """Half-light radius (pixels of the map, the PSF taken off), axis ratio b/a; by band flux and error (nJy).

    core : sigma of the PSF's core, pixels of the map. A band without data at a source: flux 0, error NaN.
    """
    image = _detection_image(sums)
    segments = {"seg_id": objects.label, "segmap": objects.labels}
    place = objects.x, objects.y
    a, b = (np.maximum(axis, core) for axis in (objects.a, objects.b))
    theta = np.clip(objects.theta, -np.pi / 2, np.pi / 2)
    reach, _ = sep.kron_radius(image, *place, a, b, theta, SEARCH, **segments)
    reach = np.maximum(KRON * np.where(np.isfinite(reach), reach, 1.0), LEAST * core / b)
    reach = np.minimum(reach, SEARCH)
    around = AROUND[0] * reach, AROUND[1] * reach
    total, _, _ = sep.sum_ellipse(image, *place, a, b, theta, reach, bkgann=around, **segments)
    half, _ = sep.flux_radius(image, *place, a * reach, 0.5, normflux=np.maximum(total, 1e-30), **segments)
    own = HALF_OF_CORE * core
    half = np.where(np.isfinite(half), half, own)
    out = {"half": np.sqrt(np.maximum(half**2 - own**2, (SMALLEST * core) ** 2)), "ratio": b / a}
    for band, one in sums.items():
        mask = ~np.isfinite(one.variance)
        variance = np.where(mask, 0.0, one.variance)
        flux, error, flag = sep.sum_ellipse(
            one.data, *place, a, b, theta, reach, var=variance, mask=mask, bkgann=around, **segments
        )
        seen = (flag & sep.APER_ALLMASKED == 0) & np.isfinite(flux) & (error > 0)
        out[band], out[error_col(band)] = np.where(seen, flux, 0.0), np.where(seen, error, np.nan)
    return out


def _detection_image(sums: dict[str, Sums]) -> np.ndarray:
    """Mean of the bands, each weighted by its typical noise."""
    weights = {}
    for band, one in sums.items():
        seen = np.isfinite(one.variance)
        weights[band] = 1 / np.median(one.variance[seen]) if seen.any() else 0.0
    norm = sum(weights.values()) or 1.0
    return sum(weights[band] / norm * one.data for band, one in sums.items())
