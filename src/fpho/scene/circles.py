"""Circles on the sky around sources that are fitted together, and how far a source's light counts."""

from dataclasses import replace

import numpy as np

from ..geometry import CircularRegion, separation, unit_vectors
from ..sersic.profile import radius_of, radius_of_information

HALF_LIGHT_RADII = 5.0  # within which a fixed source counts, also beyond its roi
SHARE = 0.01  # of a source's light that may lie outside of its pixels,
CROWDED = 0.25  # the same where others lie on these pixels, which are taken for right at their values,
FAINT = 1.0  # or light of that S/N, which pixels would not show
UNKNOWN = 0.05  # and where no error is known


def make_region(rows, options, share: float = SHARE) -> CircularRegion:
    """Circle that holds the roi and all light but a `share` of sources, and the buffer around them.

    Its radius is within the limits of `options`.
    """
    ra, dec, radius = _circle(rows, np.maximum(rows["roi"], light_radius(rows, share)), options)
    return CircularRegion(ra, dec, float(np.clip(radius, options.patch_minradius, _widest(options))))


def wide_region(rows, halo, options, share: float = SHARE) -> CircularRegion:
    """`make_region` of sources and their halo; where that is too wide, about the sources alone."""
    both = np.concatenate([rows, halo])
    if fits(both, options):
        return make_region(both, options, share)
    own = make_region(rows, options, share)
    return replace(own, radius=_widest(options)) if len(halo) else own


def fits(rows, options) -> bool:
    """Whether the roi of sources and the buffer fit into one patch."""
    return _circle(rows, rows["roi"], options)[2] <= _widest(options)


def light_radius(rows, share: float = SHARE) -> np.ndarray:
    """Semi-major radius (S,) in arcsec beyond which a galaxy has a share of its light, or light of S/N FAINT.

    The S/N is that of the best band; without errors UNKNOWN of the light is left out.
    """
    names = [name for name in rows.dtype.names if f"{name}_err" in rows.dtype.names]
    with np.errstate(divide="ignore", invalid="ignore"):
        snr = np.array([np.abs(rows[name]) / rows[f"{name}_err"] for name in names])
    snr = np.max(snr, axis=0, initial=0, where=np.isfinite(snr))
    index = np.where(rows["is_point"], 1.0, np.clip(rows["sersic"], 0.3, 8.0))
    seen = radius_of_information(np.minimum((FAINT / np.maximum(snr, FAINT)) ** 2, 1), index)
    radius = np.where(snr > 0, np.minimum(seen, radius_of(1 - share, index)), radius_of(1 - UNKNOWN, index))
    return np.where(rows["is_point"], 0.0, rows["rhalf"] / rows["q"] * radius)


def _circle(rows, reach, options) -> tuple[float, float, float]:
    xyz = unit_vectors(rows["ra"], rows["dec"])
    middle = 0.5 * (xyz.min(axis=0) + xyz.max(axis=0))
    ra = np.degrees(np.arctan2(middle[1], middle[0])) % 360
    dec = np.degrees(np.arcsin(middle[2] / np.sqrt(np.sum(middle**2))))
    reach = np.max(separation(ra, dec, rows["ra"], rows["dec"]) + reach)
    return float(ra), float(dec), float(reach + options.buffer)


def _widest(options) -> float:
    return max(options.patch_minradius, options.patch_maxradius)


def reach_of(rows) -> np.ndarray:
    """Distance in arcsec to which a source's light counts."""
    return np.maximum(rows["roi"], HALF_LIGHT_RADII * rows["rhalf"])
