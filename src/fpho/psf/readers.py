"""Readers of PSF files, one per format: each gives effective PSF images at one or more locations.

What a format says of the pixel response, the sum and the centre stands in its reader; for plain
FITS stamps the table of PSF images says it.
"""

import re

import numpy as np

from ..errors import InputError
from .image import PSFImage
from .psfex import read_psfex
from .source import Source, load, open_fits, scale_of

OVERSAMPLED = ("OVERDIST", "OVERSAMP")  # in order of preference: charge diffusion and IPC are in *DIST only
DETECTOR = ("DET_DIST", "DET_SAMP")
IN_STAMP = "INSTAMP"  # keyword of a stamp that holds less than all of the light, and whose sum is how much


def read_fits(source: Source) -> list[PSFImage]:
    """A plain stamp, native or oversampled; planes of a single image are taken for it."""
    data, header = load(source)
    stated = header.get("OVERSAMP")
    stated = stated if isinstance(stated, int | float) and not isinstance(stated, bool) else None
    oversample = source.oversample or stated or 1.0
    if stated is not None and stated != oversample:
        found = f"keyword OVERSAMP = {stated:g}, but oversample = {oversample:g} in the table"
        raise InputError(source.path, found, "Mend `oversample`, or use the format that the file has")
    while data.ndim > 2 and len(data) == 1:
        data = data[0]
    keep = True if IN_STAMP in header else "stated"
    return [
        source.effective(data, oversample, source.included(), keep, sample_scale=scale_of(header, source))
    ]


def read_stpsf(source: Source) -> list[PSFImage]:
    """stpsf / webbpsf output; the stamp's sum is the fraction of the light inside it and is kept.

    OVERDIST is taken by default. Its samples lack the pixel response; the detector-sampled
    extensions are sums over pixels and have it.
    """
    with open_fits(source.path) as hdus:
        names = [hdu.name for hdu in hdus]
        if "DET_SAMP" not in hdus[0].header and not set(names) & {*OVERSAMPLED, *DETECTOR}:
            cure = "Use `format: fits` for a plain stamp"
            raise InputError(source.path, f"extensions {names}: not made by stpsf or webbpsf", cure)
    chosen = source.ext or next((n for n in (*OVERSAMPLED, *DETECTOR) if n in names), names[0])
    data, header = load(source, chosen)
    sampled = header.get("EXTNAME", chosen) in DETECTOR or header.get("OVERSAMP") == 1
    factor = 1.0 if sampled else source.oversample or header.get("DET_SAMP") or header.get("OVERSAMP")
    if not factor:
        raise InputError(source.path, "no keyword DET_SAMP", "Give `oversample` in the table of PSF images")
    location = (header["DET_X"], header["DET_Y"]) if {"DET_X", "DET_Y"} <= set(header) else None
    return [
        source.effective(
            data,
            factor,
            source.included(sampled),
            keep_total=True,
            location=source.location or location,
            sample_scale=scale_of(header, source),
        )
    ]


def read_gridded(source: Source) -> list[PSFImage]:
    """A photutils GriddedPSFModel cube (N, ny, nx): ePSFs whose pixels sum to oversampling^2.

    Positions (x, y) from an extension GRID_XYPOS (N, 2), or from the keywords DET_YX0 ... that
    stpsf writes, which are (y, x).
    """
    data, header = load(source)
    cube = data[None] if data.ndim == 2 else data
    if cube.ndim != 3:
        cure = "Give a cube (N, ny, nx), as photutils writes it"
        raise InputError(source.path, f"an array of {cube.ndim} dimensions", cure)
    factor = source.oversample or header.get("OVERSAMP") or header.get("OVERSAMPLING")
    if not factor:
        raise InputError(source.path, "no keyword OVERSAMP", "Give `oversample` in the table of PSF images")
    places = _grid_positions(source.path, header)
    if len(places) != len(cube):
        found = f"{len(cube)} PSFs, {len(places)} positions"
        raise InputError(source.path, found, "Give GRID_XYPOS (N, 2), or DET_YX0 ... in the header")
    fixed = (factor, source.included(True))
    scale = scale_of(header, source)
    return [
        source.effective(image / factor**2, *fixed, True, location=place, name=f"[{i}]", sample_scale=scale)
        for i, (image, place) in enumerate(zip(cube, places, strict=True))
    ]


def _grid_positions(path, header):
    with open_fits(path) as hdus:
        if "GRID_XYPOS" in [hdu.name for hdu in hdus]:
            return [tuple(map(float, row)) for row in np.atleast_2d(hdus["GRID_XYPOS"].data)]
    keys = sorted((k for k in header if re.fullmatch(r"DET_YX\d+", k)), key=lambda k: int(k[6:]))
    pairs = [re.findall(r"[-+.\deE]+", str(header[key])) for key in keys]
    return [(float(x), float(y)) for y, x in pairs]


READERS = {"fits": read_fits, "stpsf": read_stpsf, "gridded": read_gridded, "psfex": read_psfex}
