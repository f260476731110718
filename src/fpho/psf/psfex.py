"""PSFEx models (.psf): images with the pixel response times a polynomial of the detector position.

Bertin 2011, ADASS XX, 435. Keys of the polynomial other than the position (a magnitude, a size) would need
a value per source, and groups of keys are products of polynomials; both are refused by name.
"""

import warnings
from math import comb
from pathlib import Path

import numpy as np

from ..errors import InputError
from .image import PSFImage
from .source import Source, open_fits

AXES = {f"{axis}{kind}_IMAGE": i for i, axis in enumerate("XY") for kind in ("", "WIN", "PSF", "MODEL")}
BEYOND = (0.6, 1.0)  # places in the polynomial's scaled range of -0.5 to 0.5 that are said, refused


def read_psfex(source: Source) -> list[PSFImage]:
    """At the row's x, y if given; else on a grid over the range of the polynomial, dense for its degree.

    Raises
    ------
    InputError
        For a model that varies with other keys than x, y, or in several groups of them, or whose header
        and images do not agree.
    """
    header, basis = _table(source.path)
    step = _number(source.path, header, "PSF_SAMP")
    if not 0 < step < np.inf:
        raise InputError(source.path, f"PSF_SAMP is {step:g}", "Give a model with a sampling step above 0")
    axes, zero, scale, degree = _polynomial(source.path, header)
    terms = comb(degree + len(axes), degree)
    if len(basis) != terms:
        found = f"{len(basis)} images in PSF_MASK, {terms} terms of degree {degree} in {len(axes)} keys"
        raise InputError(source.path, found, "Give a .psf file as PSFEx wrote it")
    included = source.included(True)
    if not degree:
        return [source.effective(basis[0], 1 / step, included)]
    return [
        source.effective(
            np.tensordot(_powers((np.add(place, 1)[axes] - zero) / scale, degree), basis, axes=1),
            1 / step,
            included,
            location=place,
            name=f" at {place}",
        )
        for place in _places(source, axes, zero, scale, degree)
    ]


def _table(path: Path):
    """Header of the model, and its images (terms, ny, nx)."""
    with open_fits(path) as hdus:
        tables = [hdu for hdu in hdus if hdu.is_image is False and "PSF_MASK" in (hdu.columns.names or ())]
        if not tables or not len(tables[0].data):
            raise InputError(path, "no table with PSF_MASK", "Give a .psf file written by PSFEx")
        header, basis = tables[0].header, np.array(tables[0].data["PSF_MASK"][0], "f8")
    if basis.ndim not in (2, 3):
        found = f"PSF_MASK is an array of {basis.ndim} dimensions"
        raise InputError(path, found, "Give a .psf file written by PSFEx")
    return header, basis.reshape(-1, *basis.shape[-2:])


def _polynomial(path: Path, header):
    """Detector axes (0: x, 1: y) of the keys, their zero points and scales, and the degree; no key: 0."""
    n_keys = int(_number(path, header, "POLNAXIS", 0))
    names = [str(header.get(f"POLNAME{i + 1}", "")).strip() for i in range(n_keys)]
    groups = [int(_number(path, header, f"POLGRP{i + 1}", 1)) for i in range(n_keys)]
    degrees = {group: int(_number(path, header, f"POLDEG{group}")) for group in sorted(set(groups))}
    used = [i for i in range(n_keys) if degrees[groups[i]] > 0]
    if not used:
        return [], np.zeros(0), np.ones(0), 0
    strange = [names[i] for i in used if names[i].upper() not in AXES]
    listed = ", ".join(f"{names[i]} (group {groups[i]}, degree {degrees[groups[i]]})" for i in used)
    cure = "Run PSFEx with PSFVAR_KEYS X_IMAGE,Y_IMAGE in one group (PSFVAR_GROUPS 1,1)"
    if strange:
        raise InputError(path, f"the PSF varies with {', '.join(strange)}, not only with x and y", cure)
    axes = [AXES[names[i].upper()] for i in used]
    if len({groups[i] for i in used}) > 1:
        raise InputError(path, f"the PSF varies in several groups of keys: {listed}", cure)
    if len(set(axes)) < len(axes):
        raise InputError(path, f"the PSF varies with one axis twice: {listed}", cure)
    zero, scale = (
        np.array([_number(path, header, f"POL{part}{i + 1}") for i in used]) for part in ("ZERO", "SCAL")
    )
    if not (np.isfinite(zero).all() and np.isfinite(scale).all() and np.all(scale > 0)):
        found = f"POLZERO {zero.tolist()}, POLSCAL {scale.tolist()}"
        raise InputError(path, found, "Give a .psf file with finite values, POLSCAL above 0")
    return axes, zero, scale, degrees[groups[used[0]]]


def _number(path, header, name, default=None) -> float:
    value = header.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float):
        found = "no keyword " + name if value is None else f"keyword {name} = {value!r}"
        raise InputError(path, found, "Give a .psf file as PSFEx wrote it")
    return float(value)


def _places(source: Source, axes, zero, scale, degree):
    """The given place, or a grid over the polynomial's range; zero-indexed pixels (x, y)."""
    if source.location is not None:
        off = np.abs((np.add(source.location, 1)[axes] - zero) / scale).max()
        if off > BEYOND[0]:
            found = f"x, y = {source.location} lies outside the range of the model"
            low, high = zero - 1 - scale / 2, zero - 1 + scale / 2
            cure = f"Give zero-indexed pixels of the exposure, from {low.tolist()} to {high.tolist()}"
            if off > BEYOND[1]:
                raise InputError(source.path, found, cure)
            warnings.warn(f"{source.path}: {found}. {cure}", stacklevel=2)
        return [source.location]
    steps = np.linspace(-0.5, 0.5, degree + 2)
    grid = np.stack(np.meshgrid(*[steps] * len(axes)), axis=-1).reshape(-1, len(axes))
    places = np.zeros((len(grid), 2))
    places[:, axes] = zero - 1 + grid * scale
    return [tuple(map(float, place)) for place in places]


def _powers(scaled, degree):
    """PSFEx's order of terms: 1, x, x^2, ..., y, x y, ..., y^2, ...; of one key: 1, x, x^2, ..."""
    if len(scaled) == 1:
        return np.array([scaled[0] ** i for i in range(degree + 1)])
    x, y = scaled
    return np.array([x**i * y**j for j in range(degree + 1) for i in range(degree + 1 - j)])
