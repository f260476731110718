"""Readers of PSF files, one per format: each gives effective PSF images at one or more locations.

What a format says of the pixel response, the sum and the centre stands in its reader; for plain
FITS stamps the table of PSF images says it.
"""

import re
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from .. import files
from ..errors import InputError
from .image import PSFImage, effective_image

OVERSAMPLED = ("OVERDIST", "OVERSAMP")  # in order of preference: charge diffusion and IPC are in *DIST only
DETECTOR = ("DET_DIST", "DET_SAMP")
BAND = re.compile(r"F\d{3,4}(W2?|M|N|LP|X|Q)", re.IGNORECASE)
open_fits = partial(files.open_fits, table="the table of PSF images")


@dataclass(frozen=True)
class Source:
    """What the table of PSF images says of one file; None where it says nothing."""

    key: str
    path: Path
    ext: str | None = None
    oversample: float | None = None
    pixel_response: str | None = None
    location: tuple[float, float] | None = None  # detector (x, y), pixels
    filter: str | None = None
    center: str = "auto"

    def included(self, default=None) -> bool:
        """Whether the pixel response is in the image: as stated, else the format's `default`."""
        if self.pixel_response in ("included", "not_included"):
            return self.pixel_response == "included"
        if default is None or self.pixel_response:
            found = f"PSF {self.key!r}: pixel_response is {self.pixel_response or 'not given'}"
            cure = "Say `included` (stars, native samples) or `not_included` (optical models) in the table"
            raise InputError(self.path, found, cure)
        return default

    def effective(self, data, oversample, included, keep_total=False, location=None, name="") -> PSFImage:
        """`effective_image` with this source's options."""
        return effective_image(
            data,
            oversample,
            included,
            keep_total,
            center=self.center,
            where=f"{self.path}{name}",
            location=location or self.location,
        )


def read_fits(source: Source) -> list[PSFImage]:
    """A plain stamp, native or oversampled."""
    data, header = load(source)
    oversample = source.oversample or 1.0
    stated = header.get("OVERSAMP")
    if isinstance(stated, int | float) and stated != oversample:
        found = f"keyword OVERSAMP = {stated:g}, but oversample = {oversample:g} in the table"
        raise InputError(source.path, found, "Mend `oversample`, or use the format that the file has")
    return [source.effective(data, oversample, source.included())]


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
            data, factor, source.included(sampled), keep_total=True, location=source.location or location
        )
    ]


def read_gridded(source: Source) -> list[PSFImage]:
    """A photutils GriddedPSFModel cube (N, ny, nx): ePSFs whose pixels sum to oversampling^2.

    Positions (x, y) from an extension GRID_XYPOS (N, 2), or from the keywords DET_YX0 ... that
    stpsf writes, which are (y, x).
    """
    data, header = load(source)
    cube = data[None] if data.ndim == 2 else data
    factor = source.oversample or header.get("OVERSAMP") or header.get("OVERSAMPLING")
    if not factor:
        raise InputError(source.path, "no keyword OVERSAMP", "Give `oversample` in the table of PSF images")
    places = _grid_positions(source.path, header)
    if len(places) != len(cube):
        found = f"{len(cube)} PSFs, {len(places)} positions"
        raise InputError(source.path, found, "Give GRID_XYPOS (N, 2), or DET_YX0 ... in the header")
    included = source.included(True)
    return [
        source.effective(image / factor**2, factor, included, keep_total=True, location=place, name=f"[{i}]")
        for i, (image, place) in enumerate(zip(cube, places, strict=True))
    ]


def _grid_positions(path, header):
    with open_fits(path) as hdus:
        if "GRID_XYPOS" in [hdu.name for hdu in hdus]:
            return [tuple(map(float, row)) for row in np.atleast_2d(hdus["GRID_XYPOS"].data)]
    keys = sorted((k for k in header if re.fullmatch(r"DET_YX\d+", k)), key=lambda k: int(k[6:]))
    pairs = [re.findall(r"[-+.\deE]+", str(header[key])) for key in keys]
    return [(float(x), float(y)) for y, x in pairs]


def read_psfex(source: Source) -> list[PSFImage]:
    """A PSFEx model: polynomial in detector position of images with the pixel response.

    At the row's x, y if given; else on a grid over the range of the polynomial, dense enough for
    its degree.
    """
    with open_fits(source.path) as hdus:
        tables = [hdu for hdu in hdus if hdu.is_image is False and "PSF_MASK" in (hdu.columns.names or ())]
        if not tables:
            raise InputError(source.path, "no table with PSF_MASK", "Give a .psf file written by PSFEx")
        header, basis = tables[0].header, np.array(tables[0].data["PSF_MASK"][0], "f8")
    step = float(header["PSF_SAMP"])
    if header.get("POLNAXIS", 0) == 0:
        return [source.effective(basis[0], 1 / step, source.included(True))]
    zero, scale = (
        np.array([header[f"POL{name}{axis}"] for axis in (1, 2)], "f8") for name in ("ZERO", "SCAL")
    )
    degree = int(header["POLDEG1"])
    return [
        source.effective(
            np.tensordot(_powers((np.add(place, 1) - zero) / scale, degree), basis, axes=1),
            1 / step,
            source.included(True),
            location=place,
            name=f" at {place}",
        )
        for place in _psfex_places(source.location, zero, scale, degree)
    ]


def _psfex_places(location, zero, scale, degree):
    """The given place, or a grid over the polynomial's range; zero-indexed pixels."""
    if location is not None:
        return [location]
    if degree == 0:
        return [tuple(map(float, zero - 1))]
    axis = np.linspace(-0.5, 0.5, degree + 2)
    return [
        (float(zero[0] - 1 + u * scale[0]), float(zero[1] - 1 + v * scale[1])) for v in axis for u in axis
    ]


def _powers(scaled, degree):
    """PSFEx's order of terms: 1, x, x^2, ..., y, x y, ..., y^2, ..."""
    x, y = scaled
    return np.array([x**i * y**j for j in range(degree + 1) for i in range(degree + 1 - j)])


def load(source: Source, ext=None):
    """Data and header of an extension (name or number; the first image when none); FILTER is checked."""
    wanted = ext or source.ext
    with open_fits(source.path) as hdus:
        names = [hdu.name for hdu in hdus]
        if wanted is None:
            images = [i for i, hdu in enumerate(hdus) if hdu.is_image and hdu.data is not None]
            if not images:
                raise InputError(source.path, f"no image in {names}", "Give a FITS image of the PSF")
            wanted = images[0]
        try:
            hdu = hdus[int(wanted) if str(wanted).isdigit() else wanted]
        except (KeyError, IndexError):
            cure = "Mend `ext` in the table of PSF images"
            raise InputError(source.path, f"no extension {wanted!r}; it has {names}", cure) from None
        if hdu.data is None:
            raise InputError(source.path, f"extension {wanted!r} is empty", "Mend `ext` in the table")
        header = hdus[0].header.copy()
        header.update(hdu.header)
        check_filter(source, header.get("FILTER"))
        return np.array(hdu.data, "f8"), header


def check_filter(source: Source, found) -> None:
    """Stop when the file's FILTER is not the one that the table, or a key that is a band, names.

    Raises
    ------
    InputError
        Naming both filters.
    """
    expected = source.filter or (source.key if BAND.fullmatch(source.key) else None)
    if (
        expected is None
        or found is None
        or (source.filter is None and not BAND.fullmatch(str(found).strip()))
    ):
        return
    if str(found).strip().upper() != expected.upper():
        cure = "Mend `path`, `key` or `filter` in the table of PSF images"
        raise InputError(source.path, f"FILTER is {str(found).strip()!r}, expected {expected!r}", cure)


READERS = {"fits": read_fits, "stpsf": read_stpsf, "gridded": read_gridded, "psfex": read_psfex}
