"""Peaks as rows of a scene: new sources in a given one, or a catalog of its own."""

import numpy as np

from ..flags import Flag
from ..geometry import separation
from ..parameters import error_col, scene_dtype
from ..scene.catalog import START
from .peaks import Detection, find_peaks


def find_new(rows, exposures, models, psfstore, bands, *, min_separation: float, **options) -> np.ndarray:
    """Peaks (N,) in the residuals that lie at least `min_separation` (arcsec) from every known source.

    `options` as in `find_peaks`.
    """
    peaks = find_peaks(exposures, models, psfstore, bands, **options).peaks
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


def detect_catalog(exposures, psfstore, bands, *, nsigma: float, roi: float, limits=None, **options):
    """Scene rows (N,) of all sources found in images, with sizes and fluxes to start from.

    The images' background should be subtracted. `options` as in `find_peaks`.
    """
    blank = [np.zeros(exposure.data.shape, "f4") for exposure in exposures]
    found: Detection = find_peaks(exposures, blank, psfstore, bands, nsigma=nsigma, **options)
    rows = _as_rows(found.peaks, scene_dtype(bands), bands, limits or {})
    rows["id"] = [str(i + 1) for i in range(len(rows))]
    rows["source_index"] = np.arange(len(rows))
    rows["roi"] = np.maximum(roi, 2 * rows["rhalf"])
    return rows


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
    for name, (low, high) in limits.items():
        rows[name] = np.clip(rows[name], low, high)
    rows["is_valid"] = True
    return rows
