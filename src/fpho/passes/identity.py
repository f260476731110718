"""What the result of a patch depends on, as a hash: rows, region, seed, options, files, code."""

import hashlib
import json
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from ..background import read_tweakbg
from ..background.table import rows_by_exposure
from ..codehash import code_hash
from ..files import checksum
from ..images import open_chosen
from ..layout import Layout
from ..psf import PSFStore
from ..registration import read_shifts
from .files import FitFiles
from .options import fit_options
from .structure import known_structure
from .tasks import PatchTask


def task_hash(task: PatchTask, function) -> str:
    """Hash of all that the result of `function` on a task depends on."""
    parts = [
        json.dumps([task.stage, fit_options(task.config.model_dump_json(), task.stage), task.bands]),
        json.dumps([repr(task.seed.entropy), task.seed.spawn_key]),
        repr(task.patch.region),
        task.active.tobytes().hex(),
        task.halo.tobytes().hex(),
        task.fixed.tobytes().hex(),
        code_hash(function.__module__, without=("products",)),
        checksum(task.layout.sersic_table) if task.layout.sersic_table.is_file() else "absent",
        *(record.digest if record else "absent" for record in task.earlier),
        *images_of(task),
        *structure_of(task),
    ]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:24]


def structure_of(task: PatchTask) -> list[str]:
    """What is known of the structure of the field's galaxies, in words."""
    shares = known_structure(task.files, task.bands)
    return [] if shares is None else [f"structure {shares.tolist()}"]


def images_of(task: PatchTask) -> Iterator[str]:
    """Each exposure that the patch may touch: what its file holds, its PSF, its background and its shift.

    Whatever becomes of other exposures and PSFs, or is added elsewhere, the patch stays as it is.
    """
    options = task.config.sample if task.stage == "sample" else task.config.optimize
    stores, psfs, backgrounds, shifts = _opened(task.layout, options.on, task.files)
    for store in stores:
        for name in store.near(task.patch.region):
            if store.band(name) in task.bands:
                moved = shifts[name].tolist() if name in shifts else None
                row = backgrounds[name].item() if name in backgrounds else None
                key = psfs.resolve(name, store.band(name), store.psf(name)) if psfs else ""
                held = store.content(name), psfs.content(key) if psfs else "absent"
                yield f"{store.kind(name)} {name} {held} {row!r} {moved!r}"


@lru_cache(maxsize=4)
def _opened(layout: Layout, on: str, files: FitFiles):
    """Stores of the images that a stage works on, and of PSFs; backgrounds and shifts by exposure."""
    psfs = PSFStore(files.psf) if Path(files.psf).is_file() else None
    backgrounds = rows_by_exposure(read_tweakbg(files.background)) if files.background else {}
    return open_chosen(layout, on), psfs, backgrounds, read_shifts(files.shifts) if files.shifts else {}
