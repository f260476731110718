"""Checks of images before any long work: files, extensions, shapes, calibration, place on the sky."""

from pathlib import Path

import numpy as np

from ..config import Preprocess
from ..errors import InputError
from ..geometry import inside_image, linearize
from .opening import image_hdu, open_fits, plane_hdu, with_defaults
from .table import ExposureSpec, read_table
from .units import flux_factor
from .wcs import header_wcs, without_lookup


def validate(table, options: Preprocess | None = None) -> list[InputError]:
    """What is wrong with the images of a table (path, or its rows), one error per image.

    Only headers are read.
    """
    specs = read_table(table) if isinstance(table, str | Path) else table
    bands = {spec.band for spec in specs}
    problems = []
    for spec in specs:
        try:
            check_spec(spec, options or Preprocess(), bands)
        except InputError as error:
            problems.append(error)
    return problems


def check_spec(spec: ExposureSpec, options: Preprocess, bands=frozenset()) -> None:
    """Stop if the files of a row do not hold what the row says; `bands` are those of the whole table."""
    with open_fits(spec.path) as hdus:
        spec = with_defaults(spec, hdus)
        science = image_hdu(hdus, spec.sci_ext, spec.path)
        header_wcs(without_lookup(science.header), spec.path)
        if spec.flux_scale is None and options.do_fluxcal:
            flux_factor((science.header, hdus[0].header), spec.path)
        _check_filter(spec, bands, science.header, hdus[0].header)
        shape = science.shape
    for path, extension in (
        (spec.unc_path, spec.unc_ext),
        (spec.mask_path, spec.mask_ext),
        (spec.background_path, spec.background_ext),
    ):
        if path is not None:
            with open_fits(path) as hdus:
                plane_hdu(hdus, path, extension, shape, spec.path)


def overlaps(spec: ExposureSpec, ra, dec, margin: float = 20.0) -> bool:
    """Whether any position (degrees) lies on a row's image, or within `margin` pixels of it."""
    with open_fits(spec.path) as hdus:
        science = image_hdu(hdus, with_defaults(spec, hdus).sci_ext, spec.path)
        wcs, shape = header_wcs(without_lookup(science.header), spec.path), science.shape
    return bool(np.any(inside_image(wcs, shape, ra, dec, margin)))


def pixel_scales(spec: ExposureSpec) -> tuple[float, float]:
    """Smallest and largest pixel (arcsec, root of its area) at the middle and corners of a row's image."""
    with open_fits(spec.path) as hdus:
        science = image_hdu(hdus, with_defaults(spec, hdus).sci_ext, spec.path)
        wcs, (ny, nx) = header_wcs(without_lookup(science.header), spec.path), science.shape
    places = np.array([[0.5, 0.5], [0, 0], [0, 1], [1, 0], [1, 1]]) * [nx - 1, ny - 1]
    _, scale = linearize(wcs, *wcs.pixel_to_world_values(*places.T))
    side = 1 / np.sqrt(np.abs(np.linalg.det(scale)))
    if not np.isfinite(side).all():
        raise InputError(spec.path, "its WCS has no pixel scale", "Mend the WCS")
    return float(side.min()), float(side.max())


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
