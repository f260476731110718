"""Axes of the sky: astropy's WCSAxes on whatever WCS an image has."""

import numpy as np
from astropy.coordinates import SkyCoord
from astropy.wcs.wcsapi import BaseLowLevelWCS

from ...geometry import linearize
from .style import MUTED

SMALL = 6.5  # points, of tick labels


class SkyFrame(BaseLowLevelWCS):
    """A WCS of ours (header, gwcs, cut-out, shifted) in the form that astropy's plots ask for (APE 14)."""

    pixel_n_dim = world_n_dim = 2
    world_axis_physical_types = ("pos.eq.ra", "pos.eq.dec")
    world_axis_units = ("deg", "deg")
    world_axis_object_components = (
        ("celestial", 0, "spherical.lon.degree"),
        ("celestial", 1, "spherical.lat.degree"),
    )
    world_axis_object_classes = {"celestial": (SkyCoord, (), {"frame": "icrs", "unit": "deg"})}  # noqa: RUF012

    def __init__(self, wcs):
        self._wcs = wcs

    def pixel_to_world_values(self, *xy):
        """(ra, dec) in degrees of zero-indexed pixels."""
        return self._wcs.pixel_to_world_values(*xy)

    def world_to_pixel_values(self, *world):
        """Zero-indexed pixels (x, y) of positions in degrees."""
        return self._wcs.world_to_pixel_values(*world)


def sky_axes(fig, place, wcs, shape):
    """Axes at a place of a grid for an image of `shape`, ticked in right ascension and declination.

    The coordinate that runs more along the image's rows is ticked below, the other at the left.
    """
    axes = fig.add_subplot(place, projection=SkyFrame(wcs))
    ny, nx = shape
    ra, dec = wcs.pixel_to_world_values((nx - 1) / 2, (ny - 1) / 2)
    _, scale = linearize(wcs, np.array([float(ra)]), np.array([float(dec)]))
    along = np.abs(scale[0][0])  # of east and north, in x
    sides = "bl" if along[0] >= along[1] else "lb"
    for coordinate, name, side in zip(axes.coords, ("RA", "Dec"), sides, strict=True):
        coordinate.set_axislabel(name, fontsize=7, minpad=0.5 if side == "b" else 1.0)
        coordinate.set_separator((":", ":", ""))
        coordinate.set_ticks(number=6, size=3)
        coordinate.set_ticklabel(size=SMALL, rotation=0 if side == "b" else 90, exclude_overlapping=True)
        for put in ("set_ticks_position", "set_ticklabel_position", "set_axislabel_position"):
            getattr(coordinate, put)(side)
    axes.coords.frame.set_linewidth(0.5)
    axes.coords.frame.set_color(MUTED)
    return axes
