"""All files of a folder, each recognised, companions put beside their images."""

from dataclasses import dataclass, field
from pathlib import Path

from .recognising import Seen, recognise, stem_of

HIDDEN = ("results", "fpho_psfs", ".snakemake", ".git")


@dataclass(frozen=True)
class Found:
    """Files of a folder by what they are; companions by the path of their image."""

    folder: Path
    images: list[Seen] = field(default_factory=list)
    psfs: list[Seen] = field(default_factory=list)
    catalogs: list[Seen] = field(default_factory=list)
    companions: dict[Path, dict[str, Seen]] = field(default_factory=dict)
    doubts: list[str] = field(default_factory=list)  # what could not be decided, in words


def walk(folder, only: str | None = None) -> Found:
    """What lies in a folder and those below it; folders of runs and hidden ones are left out.

    only : a stem: what has another is not looked at, nor what lies in folders below
    """
    folder = Path(folder)
    paths = folder.rglob("*") if only is None else folder.iterdir()
    inside = [path for path in sorted(paths) if path.is_file() and not _hidden(path, folder)]
    if only is not None:
        inside = [path for path in inside if stem_of(path)[0] == only]
    seen = [recognise(path) for path in inside]
    found = Found(folder)
    for one in seen:
        if one.kind == "image":
            found.images.append(one)
        elif one.kind == "psf":
            found.psfs.append(one)
        elif one.kind == "catalog":
            found.catalogs.append(one)
        elif one.kind == "other" and one.why.startswith("cannot"):
            found.doubts.append(f"{one.path.name} {one.why}")
    by_stem = {(one.path.parent, one.stem.lower()): one for one in found.images}
    for one in seen:
        if one.kind in ("uncertainty", "mask", "background"):
            image = by_stem.get((one.path.parent, one.stem.lower()))
            if image is None:
                found.doubts.append(f"{one.path.name} is a {one.kind} of no image that is here: left out")
            else:
                found.companions.setdefault(image.path, {})[one.kind] = one
    return found


def _hidden(path: Path, folder: Path) -> bool:
    parts = path.relative_to(folder).parts
    return any(part.startswith(".") or part in HIDDEN for part in parts)
