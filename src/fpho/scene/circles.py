"""Circles on the sky around sources that are fitted together, and how far a source's light counts."""

from dataclasses import replace

import numpy as np

from ..geometry import CircularRegion, separation, unit_vectors
from ..parameters import bands_of, error_col
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
    return make_regions(rows, [np.arange(len(rows))], options, share)[0]


def make_regions(rows, groups, options, share: float = SHARE) -> list[CircularRegion]:
    """The same of groups, each the indices of some of the scene rows (S,): all at once, as there are many."""
    reach, members = np.zeros(len(rows)), np.unique(np.concatenate([np.zeros(0, int), *groups]))
    some = rows[members]
    reach[members] = np.maximum(some["roi"], light_radius(some, share))
    ra, dec, radius = _circles(rows, reach, groups, options)
    radius = np.clip(radius, options.patch_minradius, _widest(options))
    circles = zip(ra.tolist(), dec.tolist(), radius.tolist(), strict=True)
    return [CircularRegion(*circle) for circle in circles]


def wide_regions(rows, groups, halos, options, share: float = SHARE) -> list[CircularRegion]:
    """`make_regions` of groups with their halos; where that is too wide, about the group alone."""
    both = [np.concatenate(two) for two in zip(groups, halos, strict=True)]
    fit = fitting(rows, both, options)
    chosen = [all_ if fits_ else own for all_, own, fits_ in zip(both, groups, fit, strict=True)]
    regions = make_regions(rows, chosen, options, share)
    return [
        replace(region, radius=_widest(options)) if len(halo) and not fits_ else region
        for region, halo, fits_ in zip(regions, halos, fit, strict=True)
    ]


def fits(rows, options) -> bool:
    """Whether the roi of sources and the buffer fit into one patch."""
    return bool(fitting(rows, [np.arange(len(rows))], options)[0])


def fitting(rows, groups, options) -> np.ndarray:
    """The same (G,) of groups of scene rows (S,)."""
    return _circles(rows, rows["roi"], groups, options)[2] <= _widest(options)


def light_radius(rows, share: float = SHARE) -> np.ndarray:
    """Semi-major radius (S,) in arcsec beyond which a galaxy has a share of its light, or light of S/N FAINT.

    The S/N is that of the best band; without errors UNKNOWN of the light is left out.
    """
    names = bands_of(rows)
    with np.errstate(divide="ignore", invalid="ignore"):
        snr = np.array([np.abs(rows[name]) / rows[error_col(name)] for name in names])
    snr = np.max(snr, axis=0, initial=0, where=np.isfinite(snr))
    index = np.where(rows["is_point"], 1.0, np.clip(rows["sersic"], 0.3, 8.0))
    seen = radius_of_information(np.minimum((FAINT / np.maximum(snr, FAINT)) ** 2, 1), index)
    radius = np.where(snr > 0, np.minimum(seen, radius_of(1 - share, index)), radius_of(1 - UNKNOWN, index))
    return np.where(rows["is_point"], 0.0, rows["rhalf"] / rows["q"] * radius)


def _circles(rows, reach, groups, options) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Circles (ra, dec in degrees, radius in arcsec), each (G,), around groups of rows (S,) with a reach."""
    if not len(groups):
        return np.zeros(0), np.zeros(0), np.zeros(0)
    members, sizes = np.concatenate(groups), [len(some) for some in groups]
    starts = np.cumsum([0, *sizes[:-1]])
    xyz = unit_vectors(rows["ra"][members], rows["dec"][members])
    middle = 0.5 * (np.minimum.reduceat(xyz, starts) + np.maximum.reduceat(xyz, starts))
    ra = np.degrees(np.arctan2(middle[:, 1], middle[:, 0])) % 360
    dec = np.degrees(np.arcsin(middle[:, 2] / np.sqrt(np.sum(middle**2, axis=1))))
    centres = np.repeat(ra, sizes), np.repeat(dec, sizes)
    away = separation(*centres, rows["ra"][members], rows["dec"][members])
    return ra, dec, np.maximum.reduceat(away + reach[members], starts) + options.buffer


def _widest(options) -> float:
    return max(options.patch_minradius, options.patch_maxradius)


def reach_of(rows) -> np.ndarray:
    """Distance in arcsec to which a source's light counts."""
    return np.maximum(rows["roi"], HALF_LIGHT_RADII * rows["rhalf"])
