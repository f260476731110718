"""Checks of images before any long work: files to their last pixel, calibration, place on the sky."""

from pathlib import Path

import numpy as np

from ..config import Preprocess
from ..errors import InputError
from ..geometry import footprint, inside_image, separation, to_pixels
from .frames import check_wcs, pixel_areas
from .integrity import check_file
from .masks import check_sources
from .opening import image_hdu, open_fits, plane_hdu, with_defaults
from .reading import calibrated, read_mask
from .table import ExposureSpec, read_table
from .wcs import header_wcs, without_lookup


def validate(table, options: Preprocess | None = None, sources=None) -> list[InputError]:
    """What is wrong with the images of a table (path, or its rows), one error per image.

    Every file is read to its end once, and calibrated as `preprocess` does it. With `sources` (structured,
    `ra` and `dec` in degrees), some of them must lie on each image, and most of them not on masked pixels.
    """
    specs = read_table(table) if isinstance(table, str | Path) else table
    bands = {spec.band for spec in specs}
    whole: set[Path] = set()
    found = [problem_of(spec, options or Preprocess(), bands, sources, whole) for spec in specs]
    return [problem for problem in found if problem is not None]


def problem_of(spec: ExposureSpec, options: Preprocess, bands, sources, whole: set) -> InputError | None:
    """What is wrong with an image; `bands` and `whole`: see `check_spec`, `sources`: see `validate`."""
    try:
        check_spec(spec, options, bands, whole)
        if sources is not None:
            check_place(spec, sources["ra"], sources["dec"], options)
    except InputError as error:
        return error
    return None


def check_spec(spec: ExposureSpec, options: Preprocess, bands=frozenset(), whole: set | None = None) -> None:
    """Stop if the files of a row do not hold what the row says; `bands` are those of the whole table.

    whole : files that were read to their end before; this row's are added
    """
    whole = set() if whole is None else whole
    for path in (spec.path, spec.unc_path, spec.mask_path, spec.background_path):
        if path is not None and path not in whole:
            check_file(path)
            whole.add(path)
    with open_fits(spec.path) as hdus:
        filled = with_defaults(spec, hdus)
        science = image_hdu(hdus, filled.sci_ext, spec.path)
        _check_filter(spec, bands, science.header, hdus[0].header)
        wcs, shape = header_wcs(without_lookup(science.header), spec.path), science.shape
        check_wcs(wcs, shape, spec.path)
    for path, extension in (
        (filled.unc_path, filled.unc_ext),
        (filled.mask_path, filled.mask_ext),
        (filled.background_path, filled.background_ext),
    ):
        if path is not None:
            with open_fits(path) as hdus:
                hdu = plane_hdu(hdus, path, extension, shape, spec.path)
                if path != spec.path:
                    _check_same_sky(wcs, shape, hdu.header, path, spec.path)
    calibrated(spec, options)


def check_place(spec: ExposureSpec, ra, dec, options: Preprocess | None = None, margin: float = 20.0) -> None:
    """Stop if no source (positions in degrees) lies on a row's image, or if its mask covers most of them.

    Raises
    ------
    InputError
        With the place of the image and that of the nearest source.
    """
    with open_fits(spec.path) as hdus:
        filled = with_defaults(spec, hdus)
        science = image_hdu(hdus, filled.sci_ext, spec.path)
        wcs, shape = header_wcs(without_lookup(science.header), spec.path), science.shape
    if not np.any(inside_image(wcs, shape, ra, dec, margin)):
        around = footprint(wcs, shape)
        away = around.separation(ra, dec)
        near = int(np.nanargmin(away))
        found = (
            f"image {spec.id!r} does not overlap the catalog: its centre is at ra {around.ra:.6f}, "
            f"dec {around.dec:.6f}, the nearest source at ra {ra[near]:.6f}, dec {dec[near]:.6f}, "
            f"{_distance(away[near])} away"
        )
        cure = "Mend its WCS or the catalog's positions, or take it out of the table of exposures"
        raise InputError(spec.path, found, cure)
    if filled.mask_path is not None:
        mask = read_mask(filled, options or Preprocess(), shape)
        check_sources(mask, to_pixels(wcs, ra, dec), filled.mask_path)


def _check_same_sky(wcs, shape, header, path, science) -> None:
    """A companion's own WCS puts the centre where the science image has it, to a pixel."""
    if "CTYPE1" not in header or "CRVAL1" not in header:
        return
    centre = 0.5 * (shape[1] - 1), 0.5 * (shape[0] - 1)
    other = header_wcs(without_lookup(header), path)
    here, there = (tuple(map(float, one.pixel_to_world_values(*centre))) for one in (wcs, other))
    apart = np.hypot(*(to_pixels(wcs, *np.atleast_1d(*there))[0] - centre))
    if not apart < 1:
        away = _distance(float(separation(*here, *there)))
        found = (
            f"its centre is at ra {there[0]:.6f}, dec {there[1]:.6f}, that of {science} "
            f"at ra {here[0]:.6f}, dec {here[1]:.6f}, {away} away"
        )
        raise InputError(path, found, "Give a file on the same pixels")


def _distance(arcsec: float) -> str:
    return f"{arcsec:.2f} arcsec" if arcsec < 60 else f"{arcsec / 3600:.4g} deg"


def pixel_scales(spec: ExposureSpec) -> tuple[float, float]:
    """Smallest and largest pixel (arcsec, root of its area) over a row's image."""
    with open_fits(spec.path) as hdus:
        science = image_hdu(hdus, with_defaults(spec, hdus).sci_ext, spec.path)
        wcs, shape = header_wcs(without_lookup(science.header), spec.path), science.shape
    low, high = (float(np.degrees(np.sqrt(area)) * 3600) for area in pixel_areas(wcs, shape))
    if not np.isfinite(low + high):
        raise InputError(spec.path, "its WCS has no pixel scale", "Mend the WCS")
    return low, high


def _check_filter(spec, bands, *headers) -> None:
    """A FILTER that is another band of the table is a mistake; a name of the user's own is not."""
    named = next((str(header["FILTER"]).strip() for header in headers if "FILTER" in header), None)
    if named is None:
        return
    # cameras write names such as `g DECam SDSS c0001`: the first word counts
    meant = {named.lower(), named.lower().split(" ")[0]}
    if spec.band.lower() not in meant and meant & {band.lower() for band in bands}:
        found = f"FILTER is {named!r}, the table says band {spec.band!r}"
        raise InputError(spec.path, found, "Mend the band in the table of exposures")
