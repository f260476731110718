"""The WCS of an image: from its header, or the exact gwcs that JWST files carry.

What a header cannot hold is kept as bytes: an ASDF file with the gwcs, or a FITS file with HST's look-up
tables of distortion.
"""

import io
import warnings
from importlib.util import find_spec

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS, FITSFixedWarning

from ..errors import InputError
from .frames import check_numbers, grid_of, in_icrs, without_leftovers

# What astropy raises for keywords that contradict each other, of another type, or without their tables.
UNREADABLE = (
    ValueError,
    KeyError,
    IndexError,
    TypeError,
    AttributeError,
    NameError,
    AssertionError,
    MemoryError,
)
LOOKUP = ("CPDIS", "CPERR", "DP1", "DP2", "D2IM")  # keywords of look-up table distortions
TOLERANCE = 0.05  # pixel; a larger difference between header and gwcs is reported


def header_wcs(header, where, hdus=None):
    """Celestial WCS of a FITS header in ICRS, SIP and TPV distortions included; look-up tables are in `hdus`.

    SIP terms that CTYPE does not ask for are left out, see `frames.leftover_sip`.
    """
    return in_icrs(_astropy_wcs(header, where, hdus), header, where)


def _astropy_wcs(header, where, hdus=None):
    header = without_leftovers(header)
    check_numbers(header, where)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FITSFixedWarning)
        try:
            wcs = WCS(header, hdus, naxis=2)
            wcs.wcs.set()
        except UNREADABLE as error:
            raise InputError(where, f"its WCS cannot be read ({error})", "Mend the header") from None
    if not wcs.has_celestial:
        cure = "Add CTYPE, CRVAL, CRPIX and a CD matrix"
        raise InputError(where, "no celestial WCS in the header (CTYPE1, CTYPE2)", cure)
    return wcs


class ExactWCS:
    """A gwcs with the two calls that fpho makes, on pixels that start at `origin` (x, y) of its frame."""

    def __init__(self, gwcs, approximate, origin=(0, 0)):
        self._gwcs, self._approximate, self.origin = gwcs, approximate, origin

    def pixel_to_world_values(self, x, y):
        """(ra, dec) in degrees of zero-indexed pixels."""
        x, y = np.asarray(x, "f8") + self.origin[0], np.asarray(y, "f8") + self.origin[1]
        return self._gwcs(x, y, with_bounding_box=False)

    def world_to_pixel_values(self, ra, dec):
        """Fixed-point iteration by the header's WCS, whose derivative is right to parts in a thousand."""
        goal = np.array(self._approximate.world_to_pixel_values(ra, dec))
        xy = goal
        for _ in range(6):
            now = self._approximate.world_to_pixel_values(*self.pixel_to_world_values(*xy))
            xy = xy + goal - now
        return tuple(xy)


def asdf_bytes(hdus) -> bytes:
    """Content of the ASDF extension that JWST's pipeline writes; empty if there is none."""
    if "ASDF" not in [hdu.name for hdu in hdus]:
        return b""
    return hdus["ASDF"].data["ASDF_METADATA"].tobytes()


def exact_wcs(content: bytes, approximate, where):
    """The gwcs in an ASDF file's content; None, with a warning, where it cannot be read."""
    if not content:
        return None
    if find_spec("gwcs") is None or find_spec("asdf") is None:
        warnings.warn(f'{where}: header WCS used; for the exact one pip install "fpho[jwst]"', stacklevel=2)
        return None
    import asdf

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with asdf.open(io.BytesIO(content), memmap=False, lazy_load=False) as tree:
            gwcs = tree.tree.get("meta", {}).get("wcs")
    if not hasattr(gwcs, "available_frames"):
        warnings.warn(
            f"{where}: the gwcs in its ASDF extension cannot be read, header WCS used", stacklevel=2
        )
        return None
    return _aligned(ExactWCS(gwcs, approximate), gwcs, approximate, where)


def _aligned(exact, gwcs, approximate, where):
    """The gwcs on the pixels of a cut-out: who cuts an image moves CRPIX but leaves the gwcs as it was.

    The origin is the whole number of pixels by which the header's WCS, which follows the cut, is away.
    """
    x, y = approximate.wcs.crpix - 1
    shift = np.array(exact.world_to_pixel_values(*approximate.pixel_to_world_values(x, y))) - (x, y)
    origin = np.round(shift)
    if not origin.any() or np.any(np.abs(shift - origin) > 0.25):
        return exact
    warnings.warn(
        f"{where}: a cut-out whose gwcs is that of the whole frame; shifted by {origin} pixel", stacklevel=2
    )
    return ExactWCS(gwcs, approximate, tuple(origin))


def difference(exact, approximate, shape) -> float:
    """Largest distance in pixels between two WCS over a grid of an image (ny, nx)."""
    x, y = grid_of(shape)
    x_other, y_other = approximate.world_to_pixel_values(*exact.pixel_to_world_values(x, y))
    return float(np.nanmax(np.hypot(x_other - x, y_other - y)))


def best_wcs(header, hdus, shape, where, gwcs=asdf_bytes):
    """The most exact WCS that a file has, and the bytes that restore it (empty: its header does).

    The gwcs that `gwcs(hdus)` gives as an ASDF file's bytes, if it can be read, with a warning where the
    header differs from it; else the header's WCS with its look-up tables (D2IM and CPDIS), if it has any.
    """
    approximate = header_wcs(without_lookup(header), where)
    content = gwcs(hdus)
    exact = exact_wcs(content, approximate, where)
    if exact is None:
        return _lookup_wcs(header, hdus, approximate, where)
    apart = difference(exact, approximate, shape)
    if apart > TOLERANCE:
        warnings.warn(
            f"{where}: header WCS and gwcs differ by up to {apart:.2f} pixel; gwcs used", stacklevel=2
        )
    return exact, content


def restore_wcs(header, content: bytes, where):
    """The WCS of `best_wcs` from an exposure's header and bytes."""
    approximate = header_wcs(header, where)
    if not content:
        return approximate
    if content.startswith(b"#ASDF"):
        return exact_wcs(content, approximate, where) or approximate
    with fits.open(io.BytesIO(content)) as hdus:
        return in_icrs(_astropy_wcs(hdus[0].header, where, hdus), header, where)


def without_lookup(header):
    """A copy of a header without reference to look-up tables in other extensions, and without leftovers."""
    header = without_leftovers(header).copy()
    for key in [key for key in header if key.startswith(LOOKUP)]:
        header.remove(key, remove_all=True, ignore_missing=True)
    return header


def _lookup_wcs(header, hdus, approximate, where):
    if not any(key.startswith(("CPDIS", "D2IMDIS")) for key in header):
        return approximate, b""
    wcs = _astropy_wcs(header, where, hdus)
    stream = io.BytesIO()
    wcs.to_fits(relax=True).writeto(stream)
    return in_icrs(wcs, header, where), stream.getvalue()


class ThinnedWCS:
    """A WCS of every `step`-th pixel of an image, from the first on."""

    def __init__(self, wcs, step: int):
        self._wcs, self.step = wcs, step

    def world_to_pixel_values(self, ra, dec):
        """Zero-indexed pixels of positions in degrees."""
        x, y = self._wcs.world_to_pixel_values(ra, dec)
        return x / self.step, y / self.step

    def pixel_to_world_values(self, x, y):
        """Positions in degrees of zero-indexed pixels."""
        return self._wcs.pixel_to_world_values(x * self.step, y * self.step)


class ShiftedWCS:
    """A WCS whose pixels are moved by `shift` (x, y): pixel = given pixel + shift."""

    def __init__(self, wcs, shift):
        self._wcs, self.shift = wcs, tuple(map(float, shift))

    def world_to_pixel_values(self, ra, dec):
        """Zero-indexed pixels of positions in degrees."""
        x, y = self._wcs.world_to_pixel_values(ra, dec)
        return x + self.shift[0], y + self.shift[1]

    def pixel_to_world_values(self, x, y):
        """Positions in degrees of zero-indexed pixels."""
        return self._wcs.pixel_to_world_values(x - self.shift[0], y - self.shift[1])
