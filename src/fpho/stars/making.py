"""PSFs of a run's images from their stars, as a table of PSF images that the stage `psf` reads."""

import logging
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.table import Table

from ..errors import InputError
from ..extras import installed
from ..files import atomic
from ..images import Exposure, calibrated, pixel_scales
from ..psf.empirical import OVERSAMPLE
from ..psf.readers import IN_STAMP
from ..scene.catalog.formats import read_table
from ..scene.catalog.programs import find
from ..tables import write_tsv
from .gathering import FEWEST, Gathered, gather
from .groups import Group
from .picture import draw
from .star_psf import StarPSF, psfs_of_stars

log = logging.getLogger("fpho")
TABLE, QUALITY = "psfs.tsv", "quality.ecsv"
EQUAL = 0.03  # by which pixels of images that share a PSF may differ
CURE = "Give PSF images of these in `psfs` (stpsf, PSFEx, stamps), or more stars by a list in `psf.stars`"


def make_psfs(groups: list[Group], options, preprocess, given: list[dict], folder: Path, each=map) -> Path:
    """Write PSFs of all groups, pictures, how good they are, and a table; its path.

    options : section `psf` of the configuration. given : rows of PSFs that there are, for the table.
    each : applies a function to a list as `map` does, perhaps in several processes

    Raises
    ------
    InputError
        For images with too few stars, or stars that one PSF does not describe.
    """
    rows, quality = list(given), []
    listed = None if options.stars is None else read_stars(options.stars)
    stars = [gathered(group, preprocess, listed) for group in groups]
    made = each(partial(psfs_of_stars, max_cells=options.max_cells), stars)
    for group, found, psfs in zip(groups, stars, made, strict=True):
        problem = too_few(group, found) if not psfs else _not_good(group, psfs)
        if problem:
            raise problem
        for number, psf in enumerate(psfs):
            log.info("PSF %s: %s", group.key, psf)
            name = re.sub(r"[^A-Za-z0-9_.-]+", "_", group.key) + ("" if len(psfs) == 1 else f"_{number + 1}")
            write_psf(psf, folder / f"{name}.fits", group.band)
            x, y = psf.place or ("", "")
            row = {"key": group.key, "path": f"{name}.fits", "oversample": OVERSAMPLE, "x": x, "y": y}
            rows.append(row | {"pixel_response": "included", "format": "fits"})
            quality.append({"key": group.key, "place": number, **_figures(psf)})
    with atomic(folder / QUALITY) as temporary:
        Table(quality).write(temporary, format="ascii.ecsv", overwrite=True)
    names = list(dict.fromkeys(name for row in rows for name in row))
    write_tsv(folder / TABLE, [{name: row.get(name, "") for name in names} for row in rows])
    return folder / TABLE


def gathered(group: Group, preprocess, listed=None) -> Gathered | None:
    """Stars of the images of a group.

    Raises
    ------
    InputError
        If its images have unlike pixels.
    """
    scales = {spec.path.name: np.mean(pixel_scales(spec)) for spec in group.specs}
    low, high = min(scales.values()), max(scales.values())
    if high > (1 + EQUAL) * low:
        found = f"PSF {group.key!r} would be of images with pixels of {low:.5g} and {high:.5g} arcsec"
        raise InputError(
            group.specs[0].path,
            found,
            "Name them in the column `psf` of the table of exposures, or set psf.per: exposure",
        )
    return gather(_images(group, preprocess), listed)


def _images(group: Group, preprocess) -> Iterator[Exposure]:
    return (calibrated(spec, preprocess) for spec in group.specs)


def too_few(group: Group, found: Gathered | None) -> InputError | None:
    """What to say where there are not enough stars."""
    stars = 0 if found is None else found.stars
    if stars >= FEWEST:
        text = "most of them are no stars, or blended"
    else:
        text = f"{FEWEST} are needed (S/N above 50, alone, whole, on the locus of sizes)"
    where = group.specs[0].path
    return InputError(where, f"PSF {group}: {stars} stars can be used, {text}", CURE)


def _not_good(group: Group, psfs: list[StarPSF]) -> InputError | None:
    poor = next((psf for psf in psfs if psf.poor), None)
    if poor is None:
        return None
    return InputError(group.specs[0].path, f"PSF {group}: {poor}, which is not good enough", CURE)


def read_stars(path) -> tuple[np.ndarray, np.ndarray]:
    """(ra, dec) (N,) of a list of stars, degrees.

    Raises
    ------
    InputError
        If there is no such table, or it has no positions.
    """
    if not Path(path).is_file():
        raise InputError(path, "no such list of stars", "Mend psf.stars, or leave it out")
    table = read_table(path)
    names = {role: find(role, table.colnames) for role in ("ra", "dec")}
    if not all(names.values()) or not len(table):
        found = f"{len(table)} rows, columns {', '.join(table.colnames)}"
        raise InputError(path, found, "Give a table of stars with columns ra and dec, in degrees")
    ra, dec = (np.asarray(table[names[role]], "f8") for role in ("ra", "dec"))
    return ra, dec


def write_psf(psf: StarPSF, path: Path, band: str) -> None:
    """The PSF as an oversampled FITS stamp (pixel response included), and a picture beside it.

    Its sum is the part of a star's light that lies in it.
    """
    image = psf.made.image()
    hdu = fits.PrimaryHDU((image.data * image.step**2).astype("f4"))
    hdu.header.update({"FILTER": band, "OVERSAMP": OVERSAMPLE, "NSTARS": psf.stars, "PIXRESP": "included"})
    hdu.header[IN_STAMP] = psf.made.inside, "part of a star's light in this stamp: its sum"
    with atomic(path) as temporary:
        hdu.writeto(temporary, overwrite=True)
    if installed("matplotlib"):
        with atomic(path.with_suffix(".png")) as temporary:
            draw(psf, band, temporary)


def _figures(psf: StarPSF) -> dict:
    low, high = psf.snr
    return {
        "stars": psf.stars,
        "stamps": len(psf.stamps.star),
        "snr_low": low,
        "snr_high": high,
        "inside": psf.made.inside,
        "chi2": psf.chi2,
        "light": psf.offset,
        "light_error": psf.error,
        "light_scatter": psf.scatter,
        "light_noise": psf.noise,
        "wings_error": psf.wings_error,
    }
