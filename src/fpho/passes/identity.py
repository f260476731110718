"""What the result of a patch depends on, as a hash: rows, region, seed, options, files, code."""

import hashlib
import json
from pathlib import Path

from ..codehash import code_hash
from ..images.table import KINDS
from .tasks import PatchTask

SECTIONS = ("bounds", "priors", "model", "kernel", "bands", "background", "registration", "psf", "sersic")


def task_hash(task: PatchTask, function) -> str:
    """Hash of all that the result of `function` on a task depends on."""
    config = task.config
    section = "sample" if task.stage == "sample" else "optimize"
    options = {name: config.model_dump(mode="json")[name] for name in (section, *SECTIONS)}
    parts = [
        json.dumps([task.stage, options, task.bands, repr(task.seed.entropy), task.seed.spawn_key]),
        repr(task.patch.region),
        task.active.tobytes().hex(),
        task.halo.tobytes().hex(),
        task.fixed.tobytes().hex(),
        code_hash(function.__module__, without=("products",)),
        *map(fingerprint, data_files(task)),
    ]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:24]


def data_files(task: PatchTask) -> list[Path]:
    """Files that a worker reads."""
    layout = task.layout
    stores = [path(kind) for kind in KINDS for path in (layout.pixels, layout.meta)]
    files = [*stores, layout.psf_store, layout.sersic_table]
    if task.stage != "optimize":
        files += [layout.background, layout.registration]
    elif task.config.background.tweakbg:
        files.append(Path(task.config.background.tweakbg))
    before = (task.patch.previous, *task.patch.neighbours)
    return files + [layout.samples(number) for number in before if number >= 0]


def fingerprint(path) -> str:
    if not Path(path).is_file():
        return "absent"
    state = Path(path).stat()
    return f"{Path(path).name} {state.st_size} {state.st_mtime_ns}"
