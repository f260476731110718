"""`fpho init`: tables of exposures and PSFs and a configuration for a folder of files, ready to run."""

import csv
import io
import re
from dataclasses import dataclass
from pathlib import Path

import yaml

from ..config import make_config
from ..config.yaml_text import parse
from ..errors import InputError
from ..files import write_text
from ..images import ExposureSpec
from ..images.table import LONGEST
from ..scene import read_catalog
from ..stars import FEWEST, Star, groups_without_psf, joined, stars_of
from .blank import BlankSky, blank_sky
from .facts import RESAMPLED, kind_of, psf_source, read_whole, spec_of
from .recognising import Seen
from .walking import Found, walk

IMAGES, PSFS, CONFIGURATION = "fpho_images.tsv", "fpho_psfs.tsv", "fpho.yaml"


@dataclass(frozen=True)
class Image:
    """An image that goes into the table, and what was measured on it."""

    seen: Seen
    spec: ExposureSpec
    why_kind: str
    blank: BlankSky
    stars: list[Star]  # where no PSF is here for it


@dataclass(frozen=True)
class Started:
    """What `start` wrote and what it could not decide, in words."""

    written: tuple[Path, ...]
    said: tuple[str, ...]
    doubts: tuple[str, ...]
    ready: bool


def start(folder) -> Started:
    """Write tables and a configuration into a folder; nothing is overwritten.

    Raises
    ------
    InputError
        Where one of the files is there already, or the folder holds no image that can be used.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(folder, "no such folder", "Give the folder that holds the images")
    there = [name for name in (IMAGES, PSFS, CONFIGURATION) if (folder / name).exists()]
    if there:
        raise InputError(folder / there[0], "is there already", "Remove it, or go on with it: fpho run")
    found = walk(folder)
    doubts = list(found.doubts)
    images = _images(found, doubts)
    if not images:
        listed = "".join(f"\n  - {text}" for text in doubts)
        cure = "Give FITS images with a WCS, an uncertainty and a calibration" + listed
        raise InputError(folder, "no image that can be used", cure)
    psfs, missing = _psfs(found, images, doubts)
    said = [_sentence(image) for image in images]
    stars = _from_stars(images, psfs, missing, said, doubts)
    text = _configuration(folder, images, psfs, stars, found, doubts)
    make_config(parse(text, CONFIGURATION))  # never written unless it can be read
    written = {IMAGES: _table(_image_rows(images, folder))}
    if psfs:
        written[PSFS] = _table(_psf_rows(psfs, folder))
    written[CONFIGURATION] = text
    for name, content in written.items():
        write_text(folder / name, content)
    said += [f"{seen.path.name}: PSF {key}" for key, seen in psfs]
    paths = tuple(folder / name for name in written)
    return Started(paths, tuple(said), tuple(doubts), not missing)


def _images(found: Found, doubts: list[str]) -> list[Image]:
    """Images that can be read, ids made unique; what cannot be used is put among the doubts."""
    out: list[Image] = []
    for seen in found.images:
        if not seen.band:
            doubts.append(f"{seen.path.name}: no band by FILTER or its name: left out")
            continue
        try:
            name = _free(seen, {image.spec.id for image in out})
            spec = spec_of(seen, found.companions.get(seen.path), id=name)
            exposure = read_whole(spec)
            blank = blank_sky(exposure)
            stars = stars_of(exposure) if _lacks_psf(seen, found) else []
        except InputError as error:
            doubts.append(f"{seen.path.name}: {error.found}: left out. {error.cure}")
            continue
        kind, why = kind_of(seen, blank)
        spec = spec_of(seen, found.companions.get(seen.path), id=name, kind=kind)
        out.append(Image(seen, spec, why, blank, stars))
    return sorted(out, key=lambda image: (_order(image.seen.band), image.spec.id))


def _free(seen: Seen, taken: set[str]) -> str:
    """An id for an image: its stem, with a number where that stands already."""
    stem = re.sub(r"[^\w.+:=@,()~ -]", "_", seen.stem)[: LONGEST - 5].lstrip(".+:=@,()~ -") or "image"
    names = (stem, *(f"{stem}_{i}" for i in range(2, 10_000)))
    return next(name for name in names if name not in taken)


def _order(band: str):
    """Bands by wavelength, as far as their names say it."""
    number = re.search(r"\d+", band)
    return ("ugrizyYJHK".find(band[0]), 0, band) if not number else (99, int(number.group()), band)


def _psfs(found: Found, images: list[Image], doubts: list[str]) -> tuple[list[tuple[str, Seen]], set[str]]:
    """(Keys and files of PSFs, bands of images without one): of an image by its name, else of a band."""
    stems = {image.seen.stem.lower(): image.spec.id for image in images}
    bands = {image.seen.band.lower(): image.seen.band for image in images}
    chosen: dict[str, Seen] = {}
    for seen in found.psfs:
        key = stems.get(seen.stem.lower()) or bands.get(seen.band.lower())
        if key is None:
            doubts.append(f"{seen.path.name}: a PSF of no image or band that is here: left out")
        elif key in chosen:
            doubts.append(f"{seen.path.name}: a second PSF {key}, beside {chosen[key].path.name}: left out")
        else:
            chosen[key] = seen
    missing = {image.spec.id for image in images if not {image.spec.id, image.seen.band} & set(chosen)}
    return list(chosen.items()), missing


def _lacks_psf(seen: Seen, found: Found) -> bool:
    """Whether no PSF of a folder is of this image, or, named like no other image, of its band."""
    stem, band = seen.stem.lower(), seen.band.lower()
    others = {image.stem.lower() for image in found.images} - {stem}
    return not any(
        psf.stem.lower() == stem or (psf.stem.lower() not in others and psf.band.lower() == band)
        for psf in found.psfs
    )


def _from_stars(images: list[Image], psfs, missing: set[str], said, doubts) -> bool:
    """Whether PSFs are to be made of stars: of some images that have none, enough are there."""
    specs = [image.spec for image in images]
    groups = groups_without_psf(specs, [key for key, _ in psfs], per="band")
    enough = False
    for group in groups:
        inside = {spec.id for spec in group.specs}
        found = joined(star for image in images if image.spec.id in inside for star in image.stars)
        stars = 0 if found is None else found.stars
        if stars < FEWEST:
            text = f"no PSF for {group.key}, and too few stars to make one ({stars}, {FEWEST} are needed)"
            doubts.append(f"{text}: add a row to {PSFS} before the run (stpsf, PSFEx or a stamp)")
            continue
        said.append(f"PSF {group.key}: to be made from {stars} stars")
        missing -= inside
        enough = True
    return enough


def _image_rows(images: list[Image], folder: Path) -> list[dict]:
    rows = []
    for image in images:
        spec = image.spec
        row = {"id": spec.id, "band": spec.band, "kind": spec.kind, "path": _beside(spec.path, folder)}
        for name in ("unc_path", "mask_path", "background_path"):
            row[name] = _beside(getattr(spec, name), folder)
        rows.append(row)
    used = [name for name in rows[0] if any(row[name] for row in rows)]
    return [{name: row[name] for name in used} for row in rows]


def _psf_rows(psfs, folder: Path) -> list[dict]:
    rows = []
    for key, seen in psfs:
        source = psf_source(seen, key)
        rows.append(
            {
                "key": key,
                "path": _beside(seen.path, folder),
                "format": seen.form,
                "oversample": source.oversample or "",
                "pixel_response": source.pixel_response or "",
            }
        )
    return rows


def _beside(path: Path | None, folder: Path) -> str:
    return "" if path is None else str(path.relative_to(folder))


def _table(rows: list[dict]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), delimiter="\t", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _configuration(folder: Path, images, psfs, stars: bool, found: Found, doubts: list[str]) -> str:
    """YAML with only what differs from the defaults, a reason beside each."""
    bands = list(dict.fromkeys(image.seen.band for image in images))
    lines = [
        "# Made by `fpho init`; only what differs from the defaults. All options: `fpho config`.",
        f"outdir: {_quoted(folder / 'results')}",
        f"bands: {yaml.safe_dump(bands, default_flow_style=True).strip()}",
        f"images: {_quoted(folder / IMAGES)}",
        *([f"psfs: {_quoted(folder / PSFS)}"] if psfs or not stars else []),
        *(["psf:", "  from: stars  # of the images, for those without a PSF"] if stars else []),
        *_catalog_lines(found, bands, doubts),
    ]
    resampled = [image for image in images if image.blank.correlation > RESAMPLED]
    if resampled:
        worst = max(image.blank.correlation for image in resampled)
        lines += [
            "preprocess:",
            f"  noise_scale: measure  # neighbouring pixels correlate by up to {worst:.2f}",
        ]
    crowded = [image for image in images if not image.blank.scatter > 0]
    if crowded:
        many = f"{len(crowded)} of {len(images)} images have too little blank sky"
        lines += ["background:", f"  mode: in_fit  # {many}: the sky is fitted with the sources"]
    return "\n".join(lines) + "\n"


def _catalog_lines(found: Found, bands: list[str], doubts: list[str]) -> list[str]:
    detect = "  detect: true  # look for sources in the images, and again in what the first fit leaves"
    if len(found.catalogs) == 1:
        path = found.catalogs[0].path
        try:
            read_catalog(path, bands, complete=False)
        except InputError as error:
            doubts.append(f"{path.name}: {error.found}: sources are detected instead. {error.cure}")
        else:
            return ["catalog:", f"  path: {_quoted(path)}", "  # detect: true  # instead: look in the images"]
    elif found.catalogs:
        names = ", ".join(one.path.name for one in found.catalogs)
        doubts.append(f"which catalog to take ({names}): sources are detected; or set catalog.path")
    others = [f"  # path: {_quoted(one.path)}" for one in found.catalogs]
    return ["catalog:", detect, *others]


def _quoted(path) -> str:
    return yaml.safe_dump(str(path), default_style='"').strip()


def _sentence(image: Image) -> str:
    companions = [name for name in ("unc_path", "mask_path", "background_path") if getattr(image.spec, name)]
    beside = ", ".join(getattr(image.spec, name).name for name in companions)
    text = f"{image.seen.path.name}: {image.spec.band}, {image.spec.kind}, {image.why_kind}"
    return f"{text}, with {beside}" if beside else text
