"""From a header's world coordinates to ICRS: order of axes, frame, SIP terms, and what can't be right."""

import logging
import re

import numpy as np

from ..errors import InputError
from ..geometry import linearize, to_pixels

log = logging.getLogger("fpho")
SIP = re.compile(r"(A|B|AP|BP)_(ORDER|DMAX|\d+_\d+)")
LINEAR = re.compile(r"(CRVAL|CRPIX|CDELT)[12]|(CD|PC)[12]_[12]")
MATRIX = ("CD1_1", "CD1_2", "CD2_1", "CD2_2")
PIXEL_SCALES = (1e-3, 60.0)  # arcsec; of anything that images galaxies
ELONGATION = 3.0  # longest side of a pixel over the shortest
ROUND_TRIP = 0.1  # pixel


class SkyWCS:
    """A WCS of any order of axes and frame, with the two calls that fpho makes, in ICRS degrees."""

    def __init__(self, wcs, swapped: bool, frame):
        """`swapped`: latitude is the first world axis; `frame`: astropy's, None where it is ICRS."""
        self._wcs, self._swapped, self._frame = wcs, swapped, frame

    @property
    def wcs(self):
        """The parameters of the linear part, as of `astropy.wcs.WCS`."""
        return self._wcs.wcs

    def world_to_pixel_values(self, ra, dec):
        """Zero-indexed pixels of positions in degrees."""
        lon, lat = (ra, dec) if self._frame is None else _transformed(ra, dec, "icrs", self._frame)
        return self._wcs.world_to_pixel_values(*(lat, lon) if self._swapped else (lon, lat))

    def pixel_to_world_values(self, x, y):
        """Positions in degrees of zero-indexed pixels."""
        lon, lat = self._wcs.pixel_to_world_values(x, y)
        lon, lat = (lat, lon) if self._swapped else (lon, lat)
        return (lon, lat) if self._frame is None else _transformed(lon, lat, self._frame, "icrs")


def in_icrs(wcs, header, where):
    """The WCS itself where its world axes are ICRS ra and dec in this order, else one that converts.

    A header without RADESYS is taken for ICRS where its equinox is 2000 or not given, as such images are
    compared with ICRS catalogs; an explicit FK5 differs by 0.02 arcsec and is converted.

    Raises
    ------
    InputError
        For a frame that astropy does not know.
    """
    swapped = wcs.wcs.lng == 1
    frame = None
    if not _is_icrs(wcs, header):
        from astropy.wcs.utils import wcs_to_celestial_frame

        try:
            if not str(wcs.wcs.ctype[wcs.wcs.lng]).startswith(("RA", "GLON")):
                raise ValueError  # astropy takes others for ICRS
            frame = wcs_to_celestial_frame(wcs)
        except ValueError:
            found = f"its frame CTYPE1 = {wcs.wcs.ctype[0]!r}, RADESYS = {wcs.wcs.radesys!r} is not known"
            raise InputError(where, found, "Use ICRS, FK5, FK4 or galactic coordinates") from None
    return wcs if frame is None and not swapped else SkyWCS(wcs, swapped, frame)


def leftover_sip(header) -> bool:
    """Whether a header holds SIP terms that its CTYPE does not ask for.

    The convention (Shupe et al. 2005) ends CTYPE in -SIP where they apply. A rectified mosaic may still
    hold those of one of its input frames; without -SIP they are left out.
    """
    asked = any(str(header.get(key, "")).strip().endswith("-SIP") for key in ("CTYPE1", "CTYPE2"))
    return not asked and any(SIP.fullmatch(key) for key in header)


def without_leftovers(header):
    """The header, or a copy of it without SIP terms that its CTYPE does not ask for."""
    if not leftover_sip(header):
        return header
    header = header.copy()
    for key in [key for key in header if SIP.fullmatch(key)]:
        header.remove(key, remove_all=True, ignore_missing=True)
    return header


def report_leftovers(header, where) -> None:
    """Say so where SIP terms are left out."""
    if leftover_sip(header):
        text = "SIP terms (A_*, B_*) without -SIP in CTYPE1 = %r are left out; if they apply, add -SIP to it"
        log.warning(f"%s: {text}", where, header.get("CTYPE1"))


def check_numbers(header, where) -> None:
    """Stop at keywords of the linear WCS that are no numbers, or at a CD matrix that is not PC with CDELT.

    Readers skip the former, and take one of the latter two without a word.
    """
    keys = [key for key in header if LINEAR.fullmatch(key)]
    texts = [key for key in keys if isinstance(header[key], bool) or not isinstance(header[key], int | float)]
    if texts:
        raise InputError(where, f"{texts[0]} = {header[texts[0]]!r} is no number", "Mend the WCS")
    if any(key in header for key in MATRIX) and "PC1_1" in header:
        names = [(f"CD{i}_{j}", f"PC{i}_{j}", f"CDELT{i}") for i in (1, 2) for j in (1, 2)]
        cd = np.array([header.get(name, 0.0) for name, *_ in names]).reshape(2, 2)
        pc = [header.get(pc, float(pc in ("PC1_1", "PC2_2"))) * header.get(by, 1.0) for _, pc, by in names]
        if not np.allclose(cd, np.reshape(pc, (2, 2)), rtol=0, atol=0.01 * np.abs(cd).max()):
            found = f"its CD matrix ({cd.ravel()}) is not that of PC and CDELT ({np.array(pc)})"
            raise InputError(where, found, "Take the wrong one out of the header")


def check_wcs(wcs, shape, where) -> None:
    """Stop at a WCS that can't be right on an image of `shape` (ny, nx).

    Raises
    ------
    InputError
        For pixels of impossible size or shape, or a distortion that cannot be inverted.
    """
    cure = "Mend the WCS in the header (CTYPE, CRVAL, CRPIX, CD or CDELT, distortion)"
    x, y = (values.ravel() for values in grid_of(shape))
    with np.errstate(invalid="ignore"):
        ra, dec = (np.asarray(value, "f8") for value in wcs.pixel_to_world_values(x, y))
    middle = len(x) // 2
    if not np.isfinite(ra[middle] + dec[middle]):
        raise InputError(where, "the WCS gives no position of the image's centre", cure)
    _, scale = linearize(wcs, ra[middle], dec[middle])
    if not np.all(np.isfinite(scale)) or np.linalg.matrix_rank(scale[0]) < 2:
        raise InputError(where, "the WCS is singular at the image's centre", cure)
    sides = 1 / np.linalg.svd(scale[0], compute_uv=False)
    if not PIXEL_SCALES[0] <= sides.min() <= sides.max() <= PIXEL_SCALES[1]:
        raise InputError(
            where, f"its pixels are {sides.max():.4g} x {sides.min():.4g} arcsec by the WCS", cure
        )
    if sides.max() > ELONGATION * sides.min():
        raise InputError(
            where, f"its pixels are {sides.max():.4g} x {sides.min():.4g} arcsec by the WCS", cure
        )
    known = np.isfinite(ra + dec)
    back = to_pixels(wcs, ra[known], dec[known])
    apart = np.hypot(*(back - np.stack([x, y], axis=-1)[known]).T)
    if not np.all(apart < ROUND_TRIP):
        found = f"pixel to sky and back misses by {np.nan_to_num(apart, nan=np.inf).max():.3g} pixel"
        raise InputError(where, found, cure)


def pixel_areas(wcs, shape) -> tuple[float, float]:
    """(smallest, largest) solid angle of a pixel in sr over an image of `shape` (ny, nx)."""
    ra, dec = (np.asarray(value, "f8").ravel() for value in wcs.pixel_to_world_values(*grid_of(shape)))
    known = np.isfinite(ra + dec)
    _, scale = linearize(wcs, ra[known], dec[known])
    area = np.radians(1 / 3600) ** 2 / np.abs(np.linalg.det(scale))
    return float(np.nanmin(area)), float(np.nanmax(area))


def grid_of(shape):
    """(x, y) of 5 x 5 pixels over an image, each (5, 5)."""
    return np.meshgrid(np.linspace(0, shape[1] - 1, 5), np.linspace(0, shape[0] - 1, 5))


def _is_icrs(wcs, header) -> bool:
    if not str(wcs.wcs.ctype[wcs.wcs.lng]).startswith("RA"):
        return False
    said = str(header.get("RADESYS", header.get("RADECSYS", ""))).strip().upper()
    if said:
        return said == "ICRS"
    return np.isnan(wcs.wcs.equinox) or wcs.wcs.equinox == 2000.0


def _transformed(lon, lat, frame, to):
    from astropy.coordinates import SkyCoord

    there = SkyCoord(np.asarray(lon, "f8"), np.asarray(lat, "f8"), unit="deg", frame=frame).transform_to(to)
    return there.spherical.lon.deg, there.spherical.lat.deg
