"""Where to start sources of a catalog that says less than is needed: sizes and fluxes from the images."""

import numpy as np

from ..parameters import error_col
from .measuring import RHALF_OF_SIGMA, SIZES, measure, next_source, peak_dtype
from .peaks import typical_core


def has_gaps(rows, bands) -> np.ndarray:
    """Valid sources (S,) whose radius or one of whose fluxes is not known (NaN)."""
    unknown = np.isnan(rows["rhalf"])
    for band in bands:
        unknown |= np.isnan(rows[band])
    return rows["is_valid"] & unknown


def fill_gaps(rows, exposures, psfstore, bands, *, roi: float, limits=None, interpolation="nearest"):
    """A copy of scene rows (S,) in which unknown radii and fluxes are measured, as for detected sources.

    Fluxes with a radius that is known are those of the size that fits best, good enough to start from. A
    band in which a source lies on no image gets 0.

    Parameters
    ----------
    exposures : list of `Exposure`, less their background
    roi : radius of influence (arcsec) of sources that have none; a measured radius may make it larger
    limits : parameter to (lower, upper): a measured radius is brought inside
    """
    out, gaps = rows.copy(), has_gaps(rows, bands)
    core = typical_core(exposures, psfstore, bands, interpolation)
    blank = [np.zeros(exposure.data.shape, "f4") for exposure in exposures]
    apart = np.full(len(rows), np.inf)
    apart[rows["is_valid"]] = next_source(rows[rows["is_valid"]])
    for points, sizes in ((True, [0.0]), (False, SIZES * core * RHALF_OF_SIGMA)):
        some = np.flatnonzero(gaps & (rows["is_point"] == points))
        peaks = np.zeros(len(some), peak_dtype(bands))
        peaks["ra"], peaks["dec"] = rows["ra"][some], rows["dec"][some]
        measure(peaks, exposures, blank, psfstore, bands, sizes, interpolation, apart[some])
        _take(out, some, peaks, bands, roi, limits or {})
    return out


def _take(out, some, peaks, bands, roi: float, limits) -> None:
    """Measured values into the unknown ones of `out[some]`, in place."""
    unknown = np.isnan(out["rhalf"][some])
    radius = np.clip(peaks["rhalf"], *limits.get("rhalf", (0, np.inf)))
    wider = unknown & (out["roi"][some] == roi)
    out["roi"][some] = np.where(wider, np.maximum(roi, 2 * radius / out["q"][some]), out["roi"][some])
    out["rhalf"][some] = np.where(unknown, radius, out["rhalf"][some])
    for band in bands:
        unknown = np.isnan(out[band][some])
        for name in (band, error_col(band)):
            out[name][some] = np.where(unknown, peaks[name], out[name][some])
