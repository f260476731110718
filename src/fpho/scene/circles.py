"""Circles on the sky around sources that are fitted together, and how far a source's light counts."""

from dataclasses import replace

import numpy as np

from ..geometry import CircularRegion, separation, unit_vectors

HALF_LIGHT_RADII = 5.0  # within which a fixed source counts, also beyond its roi


def make_region(rows, options) -> CircularRegion:
    """Circle that holds the roi of sources and the buffer around them, within the limits of `options`."""
    ra, dec, radius = _circle(rows, options)
    return CircularRegion(ra, dec, float(np.clip(radius, options.patch_minradius, _widest(options))))


def wide_region(rows, halo, options) -> CircularRegion:
    """`make_region` of sources and their halo; where that is too wide, about the sources alone."""
    both = np.concatenate([rows, halo])
    if fits(both, options):
        return make_region(both, options)
    own = make_region(rows, options)
    return replace(own, radius=_widest(options)) if len(halo) else own


def fits(rows, options) -> bool:
    """Whether the roi of sources and the buffer fit into one patch."""
    return _circle(rows, options)[2] <= _widest(options)


def _circle(rows, options) -> tuple[float, float, float]:
    xyz = unit_vectors(rows["ra"], rows["dec"])
    middle = 0.5 * (xyz.min(axis=0) + xyz.max(axis=0))
    ra = np.degrees(np.arctan2(middle[1], middle[0])) % 360
    dec = np.degrees(np.arcsin(middle[2] / np.sqrt(np.sum(middle**2))))
    reach = np.max(separation(ra, dec, rows["ra"], rows["dec"]) + rows["roi"])
    return float(ra), float(dec), float(reach + options.buffer)


def _widest(options) -> float:
    return max(options.patch_minradius, options.patch_maxradius)


def reach_of(rows) -> np.ndarray:
    """Distance in arcsec to which a source's light counts."""
    return np.maximum(rows["roi"], HALF_LIGHT_RADII * rows["rhalf"])
