"""What `check` finds of each image: what is wrong with it, the size of its pixels, its files' checksums.

Images are looked at by several processes, those that share a file by one: it is read to its end once.
"""

import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..config import Preprocess
from ..errors import InputError
from ..files import checksum
from ..images import ExposureSpec, pixel_scales
from ..images.validate import problem_of
from ..workers import mapped

Sums = dict[str, dict]  # path to size, time and SHA-256


@dataclass(frozen=True)
class Look:
    """What was found of an image."""

    problem: InputError | None
    scales: tuple[float, float] | None  # arcsec, smallest and largest pixel; None: cannot be read
    sums: Sums  # of its files; of none where something is wrong

    def tree(self) -> dict:
        """As JSON has it."""
        problem = self.problem and [self.problem.where, self.problem.found, self.problem.cure]
        return {"problem": problem, "scales": self.scales, "sums": self.sums}

    @classmethod
    def of(cls, tree: dict) -> "Look":
        """Back from JSON."""
        problem = InputError(*tree["problem"]) if tree["problem"] else None
        return cls(problem, tree["scales"] and tuple(tree["scales"]), tree["sums"])


@dataclass(frozen=True)
class _SharedFile:
    """Images of one file, and what they are held against."""

    specs: list[ExposureSpec]
    options: Preprocess
    bands: tuple[str, ...]  # of all images
    places: tuple[np.ndarray, np.ndarray] | None  # (ra, dec) of the catalog, degrees
    known: Sums  # of an earlier check


def look_at(
    specs: list[ExposureSpec],
    options: Preprocess,
    bands: Iterable[str],
    sources,
    known: Sums | None = None,
    cores: int = 1,
) -> list[Look]:
    """What is found of each image, in order.

    bands : of all images of the run. sources : see `images.validate`
    known : checksums of an earlier check, taken where size and time of a file are the same
    """
    known = known or {}
    places = None if sources is None else (np.array(sources["ra"]), np.array(sources["dec"]))
    by_file: dict[Path, list[ExposureSpec]] = {}
    for spec in specs:
        by_file.setdefault(spec.path, []).append(spec)
    tasks = []
    for some in by_file.values():
        last = {str(path): known[str(path)] for path in _files(some) if str(path) in known}
        tasks.append((_SharedFile(some, options, tuple(bands), places, last),))
    names = [f"image {some[0].id}" for some in by_file.values()]
    found = mapped(_look, tasks, cores, names=names, preload=[__name__])
    looks = {
        spec.id: look
        for some, several in zip(by_file.values(), found, strict=True)
        for spec, look in zip(some, several, strict=True)
    }
    return [looks[spec.id] for spec in specs]


def _look(task: _SharedFile) -> list[Look]:
    whole: set[Path] = set()
    sources = task.places and dict(zip(("ra", "dec"), task.places, strict=True))
    out = []
    for spec in task.specs:
        problem = problem_of(spec, task.options, task.bands, sources, whole)
        out.append(Look(problem, _scales(spec), {} if problem else sums_of(_files([spec]), task.known)))
    return out


def _scales(spec: ExposureSpec) -> tuple[float, float] | None:
    """Without a word: what cannot be read is a problem already."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return pixel_scales(spec)
        except InputError:
            return None


def _files(specs: list[ExposureSpec]) -> list[Path]:
    """Existing files that rows name, once each."""
    named = [(one.path, one.unc_path, one.mask_path, one.background_path) for one in specs]
    return [path for path in dict.fromkeys(path for some in named for path in some if path) if path.is_file()]


def sums_of(paths: Iterable[Path], known: Sums) -> Sums:
    """Checksums of files; those that are known of the same size and time are taken."""
    out = {}
    for path in paths:
        state = {"size": path.stat().st_size, "mtime_ns": path.stat().st_mtime_ns}
        last = known.get(str(path), {})
        same = {name: last.get(name) for name in state} == state
        out[str(path)] = state | {"sha256": last["sha256"] if same else checksum(path)}
    return out
