"""Peaks as rows of a scene: new sources in a given one, or a catalog of its own."""

import numpy as np

from ..flags import Flag
from ..geometry import separation
from ..parameters import error_col, scene_dtype
from ..scene.catalog import OF_POINT, START
from .measuring import RHALF_OF_SIGMA, fit_sizes, next_source
from .peaks import find_peaks, objects_by_tile, on_sky, typical_core
from .photometry import measure_objects, sum_band

LOCAL_SIZES = (0.0, 0.35, 1.0, 2.0, 4.0)  # sigmas of the PSF's core: a star, the smallest galaxy, larger ones
LOCAL = 0.8  # of the threshold: what a source needs against its surroundings, else it is a bump on a galaxy
SURE = 2.0  # sigma by which a galaxy is ruled out


def find_new(rows, exposures, models, psfstore, bands, *, min_separation: float, **options) -> np.ndarray:
    """Peaks (N,) in the residuals that lie at least `min_separation` (arcsec) from every known source.

    `options` as in `find_peaks`.
    """
    peaks = find_peaks(exposures, models, psfstore, bands, **options)
    apart = [nearest(rows, peak) >= min_separation for peak in peaks]
    return peaks[np.array(apart, bool)]


def add_new(rows, peaks, bands, *, roi: float, limits=None) -> np.ndarray:
    """Scene rows with peaks appended, flagged and named new1, new2 ...; the rows given are not changed.

    Parameters
    ----------
    roi : radius of influence of the new sources, arcsec
    limits : parameter to (lower, upper): starting shapes are brought inside
    """
    new = _as_rows(peaks, rows.dtype, bands, limits or {})
    taken = set(rows["id"])
    names = (f"new{i}" for i in range(1, len(rows) + len(peaks) + 1))
    free = (name for name in names if name not in taken)
    new["id"] = [next(free) for _ in new]
    new["source_index"] = np.arange(len(new)) + (rows["source_index"].max() + 1 if len(rows) else 0)
    new["flags"] = int(Flag.DETECTED_IN_RESIDUAL)
    new["roi"] = roi
    return np.concatenate([rows, new])


def detect_catalog(
    exposures,
    psfstore,
    bands,
    *,
    nsigma: float,
    roi: float,
    limits=None,
    sum_bands=None,
    interpolation="nearest",
):
    """Scene rows (N,) of all sources found in images, with shapes and fluxes to start from; brightest first.

    The images' background should be subtracted. sum_bands : those that sources are looked for in; None: all.
    """
    blank = [np.zeros(exposure.data.shape, "f4") for exposure in exposures]
    used = list(bands if sum_bands is None else sum_bands)
    core = typical_core(exposures, psfstore, used, interpolation)
    found = objects_by_tile(exposures, blank, psfstore, used, core, nsigma, 0.0, interpolation)
    parts = [_measured(tile, objects, exposures, bands, core) for tile, objects in found]
    rows = np.concatenate([np.zeros(0, scene_dtype(bands)), *parts])
    rows = rows[np.argsort(-_brightness(rows, bands), kind="stable")]
    sizes = np.multiply(LOCAL_SIZES, core) * RHALF_OF_SIGMA
    fits = fit_sizes(rows, exposures, blank, psfstore, bands, sizes, interpolation)
    _name_stars(rows, fits, bands)
    rows = rows[fits.gain[fits.best(next_source(rows)), np.arange(len(rows))] >= (LOCAL * nsigma) ** 2]
    rows["id"] = [str(i + 1) for i in range(len(rows))]
    rows["source_index"] = np.arange(len(rows))
    _inside(rows, limits or {})
    rows["roi"] = np.maximum(roi, 2 * rows["rhalf"])
    return rows


def _measured(tile, objects, exposures, bands, core) -> np.ndarray:
    """Rows of objects of a tile, as galaxies."""
    rows = _as_rows(on_sky(tile, objects, bands), scene_dtype(bands), bands, {})
    if not len(rows):
        return rows
    pixel = tile.grid.pixel
    sums = {band: sum_band(tile, [one for one in exposures if one.band == band]) for band in bands}
    values = measure_objects(objects, sums, core / pixel)
    rows["rhalf"] = values["half"] * pixel
    rows["q"], rows["pa"] = np.sqrt(values["ratio"]), -objects.theta  # the grid's x axis points west
    for name in (name for band in bands for name in (band, error_col(band))):
        rows[name] = values[name]
    return rows


def _name_stars(rows, fits, bands) -> None:
    """Stars among the rows made points, with a point's fluxes, in place.

    A source is taken for a star where the PSF alone fits its pixels better than the PSF widened to a small
    galaxy, by so much that the galaxy is ruled out.
    """
    star = fits.gain[0] > fits.gain[1] + SURE**2
    rows["is_point"] = star
    for name, value in OF_POINT.items():
        rows[name][star] = value
    for i, band in enumerate(bands):
        rows[band][star], rows[error_col(band)][star] = fits.flux[0, star, i], fits.error[0, star, i]


def _brightness(rows, bands) -> np.ndarray:
    """Root of the squared S/N of all bands' fluxes (N,)."""
    snr = [rows[band] / np.where(rows[error_col(band)] > 0, rows[error_col(band)], np.inf) for band in bands]
    return np.sqrt(np.sum(np.square(snr), axis=0))


def nearest(rows, peak) -> float:
    """Distance (arcsec) of a peak to the nearest of the rows; infinite without any."""
    if not len(rows):
        return np.inf
    return float(np.min(separation(peak["ra"], peak["dec"], rows["ra"], rows["dec"])))


def _as_rows(peaks, dtype, bands, limits) -> np.ndarray:
    rows = np.zeros(len(peaks), dtype)
    for name in ("ra", "dec", "rhalf", *(name for band in bands for name in (band, error_col(band)))):
        rows[name] = peaks[name]
    rows["ra0"], rows["dec0"] = rows["ra"], rows["dec"]
    for name, value in START.items():
        rows[name] = value
    _inside(rows, limits)
    rows["is_valid"] = True
    return rows


def _inside(rows, limits) -> None:
    """Shapes of galaxies brought inside their allowed ranges, in place."""
    for name, (low, high) in limits.items():
        rows[name] = np.where(rows["is_point"], rows[name], np.clip(rows[name], low, high))
