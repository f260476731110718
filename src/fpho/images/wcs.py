"""The WCS of an image: from its header, or the exact gwcs that JWST files carry."""

import io
import warnings
from importlib.util import find_spec

import numpy as np

from ..errors import InputError

TOLERANCE = 0.05  # pixel; a larger difference between header and gwcs is reported


def header_wcs(header, where):
    """Celestial WCS (SIP and TPV distortions included) of a FITS header."""
    from astropy.wcs import WCS, FITSFixedWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FITSFixedWarning)
        wcs = WCS(header, naxis=2)
    if not wcs.has_celestial:
        raise InputError(where, "no celestial WCS in the header", "Add CTYPE, CRVAL, CRPIX and a CD matrix")
    return wcs


class ExactWCS:
    """A gwcs with the two calls that fpho makes, on pixels that start at `origin` (x, y) of its frame."""

    def __init__(self, gwcs, approximate, origin=(0, 0)):
        self._gwcs, self._approximate, self.origin = gwcs, approximate, origin

    def pixel_to_world_values(self, x, y):
        return self._gwcs(x + self.origin[0], y + self.origin[1], with_bounding_box=False)

    def world_to_pixel_values(self, ra, dec):
        """Fixed-point iteration by the header's WCS, whose derivative is right to parts in a thousand."""
        goal = np.array(self._approximate.world_to_pixel_values(ra, dec))
        xy = goal
        for _ in range(6):
            now = self._approximate.world_to_pixel_values(*self.pixel_to_world_values(*xy))
            xy = xy + goal - now
        return tuple(xy)


def asdf_bytes(hdus) -> bytes:
    """Content of the ASDF extension of a JWST file; empty if there is none."""
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
    y, x = np.meshgrid(np.linspace(0, shape[0] - 1, 5), np.linspace(0, shape[1] - 1, 5), indexing="ij")
    x_other, y_other = approximate.world_to_pixel_values(*exact.pixel_to_world_values(x, y))
    return float(np.nanmax(np.hypot(x_other - x, y_other - y)))


def best_wcs(header, content: bytes, shape, where):
    """The gwcs if there is one that can be read, else the header's WCS; warns where the two differ."""
    approximate = header_wcs(header, where)
    exact = exact_wcs(content, approximate, where)
    if exact is None:
        return approximate
    apart = difference(exact, approximate, shape)
    if apart > TOLERANCE:
        warnings.warn(
            f"{where}: header WCS and gwcs differ by up to {apart:.2f} pixel; gwcs used", stacklevel=2
        )
    return exact
