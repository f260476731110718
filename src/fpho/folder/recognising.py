"""What a file is: an image, a companion of one (uncertainty, mask, background), a PSF or a catalog.

By its content first, with the readers of images, PSFs and catalogs that the stages use. Companions and plain
stamps of PSFs have names that say so.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from astropy.io import fits

from ..errors import InputError
from ..images.opening import ENDINGS
from ..psf.source import BAND
from ..scene.catalog.formats import read_table
from ..scene.catalog.programs import find

FITS = (".fits", ".fit", ".fits.gz", ".fits.fz", ".psf")
TABLES = (".csv", ".ecsv", ".cat", ".xml", ".vot", ".parquet", ".txt", ".dat")
ROLES = {
    "sci": "image",
    "err": "uncertainty",
    "error": "uncertainty",
    "sigma": "uncertainty",
    "unc": "uncertainty",
    "rms": "uncertainty",
    **dict.fromkeys(ENDINGS, "uncertainty"),
    "mask": "mask",
    "dq": "mask",
    "flag": "mask",
    "flags": "mask",
    "bkg": "background",
    "background": "background",
    "psf": "psf",
}
MOSAIC_ENDINGS = ("i2d", "drz", "drc", "mosaic", "coadd", "stack")
SHORT = tuple("ugrizyYJHK")  # bands of one letter
SMALLEST = 24  # pixels on a side of an image that is worth measuring


@dataclass(frozen=True)
class Seen:
    """A file and what it is.

    kind : image, uncertainty, mask, background, psf, catalog, or `other`
    stem : name without endings and the word of its role: what companions share
    band : by FILTER, else by the name; "" where neither says
    why : what told, or for `other` what is in the way
    """

    path: Path
    kind: str
    stem: str
    band: str = ""
    why: str = ""
    form: str = ""  # of a PSF: its reader


def recognise(path) -> Seen:
    """What a file is; never raises for its content."""
    path = Path(path)
    name = path.name.lower()
    try:
        if name.endswith(FITS):
            return _fits(path)
        if name.endswith(TABLES):
            return _catalog(path, stem_of(path)[0])
    except (InputError, OSError, ValueError, TypeError, KeyError, IndexError) as error:
        found = error.found if isinstance(error, InputError) else f"{type(error).__name__}: {error}"
        return Seen(path, "other", stem_of(path)[0], why=f"cannot be read: {found}")
    return Seen(path, "other", stem_of(path)[0], why="its name is of no kind that is read")


def stem_of(path: Path) -> tuple[str, str]:
    """(Name without endings and the word of its role, that word in small letters or "")."""
    base = re.sub(
        r"\.(fits|fit|psf|csv|ecsv|cat|xml|vot|parquet|txt|dat)(\.gz|\.fz)?$", "", path.name, flags=re.I
    )
    words = re.split(r"[_.-]", base)
    for place in (-1, 0):
        if len(words) > 1 and words[place].lower() in ROLES:
            rest = words[:-1] if place else words[1:]
            return "_".join(rest), words[place].lower()
    return base, "psf" if base.lower() == "psf" else ""


def _fits(path: Path) -> Seen:
    stem, word = stem_of(path)
    with fits.open(path, memmap=True) as hdus:
        headers = [hdu.header for hdu in hdus]
        planes = [hdu for hdu in hdus if hdu.is_image and hdu.header.get("NAXIS", 0) >= 2]
        names = {hdu.name for hdu in hdus}
        tables = [hdu for hdu in hdus if isinstance(hdu, fits.BinTableHDU | fits.TableHDU) and hdu.columns]
        band = band_of(headers, path.name)
        if "PSF_DATA" in names or any("PSFNAXIS" in header for header in headers):
            return Seen(path, "psf", stem, band, "a PSFEx model", "psfex")
        if "DET_SAMP" in headers[0] or names & {"OVERDIST", "OVERSAMP", "DET_DIST", "DET_SAMP"}:
            return Seen(path, "psf", stem, band, "made by stpsf or webbpsf", "stpsf")
        if planes and planes[0].header["NAXIS"] == 3 and "psf" in path.name.lower():
            return Seen(path, "psf", stem, band, "a grid of PSFs", "gridded")
        flat = [hdu for hdu in planes if hdu.header["NAXIS"] == 2]
        sky = [hdu for hdu in flat if str(hdu.header.get("CTYPE1", "")).startswith("RA")]
        role = ROLES.get(word, "")
        if flat and not sky and role in ("psf", ""):
            small = max(flat[0].shape) <= 1024
            if role == "psf" or ("psf" in path.name.lower() and small):
                return Seen(path, "psf", stem, band, "a stamp without a sky, named PSF", "fits")
        if flat and role in ("uncertainty", "mask", "background"):
            return Seen(path, role, stem, band, f"named {word}")
        if sky:
            shape = sky[0].shape
            if min(shape) < SMALLEST:
                return Seen(path, "other", stem, band, f"an image of {shape[1]} x {shape[0]} pixels alone")
            return Seen(path, "image", stem, band, f"an image with a sky, {shape[1]} x {shape[0]} pixels")
        if tables:
            return _catalog(path, stem)
    return Seen(path, "other", stem, band, "no image with a sky, no PSF, no table of positions")


def _catalog(path: Path, stem: str) -> Seen:
    table = read_table(path)
    if all(find(role, table.colnames) for role in ("ra", "dec")):
        return Seen(path, "catalog", stem, why=f"a table with positions, {len(table)} rows")
    return Seen(path, "other", stem, why="a table without ra and dec")


def band_of(headers, name: str) -> str:
    """Band by the keywords of an image's headers, else by a filter's name in the file's."""
    for header in reversed(headers):
        pupil = str(header.get("PUPIL", "")).strip()
        if BAND.fullmatch(pupil):  # the narrower of two filters that NIRCam has in a row
            return pupil
    for key in ("FILTER", "FILTER1", "FILTER2"):
        for header in reversed(headers):
            value = str(header.get(key, "")).strip()
            if value and not value.upper().startswith(("CLEAR", "N/A")):
                return value.split()[0]
    found = BAND.search(name)
    if found:
        return found.group(0).upper()
    words = [
        word
        for word in re.split(r"[_.-]", name)
        if word in ("u", "g", "r", "i", "z", "y", "Y", "J", "H", "K")
    ]
    return words[0] if words else ""


def is_mosaic(seen: Seen) -> bool | None:
    """Whether the name or the header says that an image is resampled; None: neither says."""
    if any(word in MOSAIC_ENDINGS for word in re.split(r"[_.-]", seen.path.name.lower())):
        return True
    with fits.open(seen.path, memmap=True) as hdus:
        if str(hdus[0].header.get("S_RESAMP", "")).upper() == "COMPLETE" or "NDRIZIM" in hdus[0].header:
            return True
        if str(hdus[0].header.get("TELESCOP", "")).upper() in ("JWST", "HST"):
            detectors = hdus[0].header.get("DETECTOR")
            return False if detectors not in (None, "", "MULTIPLE") else None
    return None
