"""What the result of a patch depends on, as a hash: rows, region, seed, options, files, code."""

import hashlib
import json
from pathlib import Path

from ..codehash import code_hash
from ..config import declared
from .files import fingerprint, fit_files, flattened
from .tasks import PatchTask


def task_hash(task: PatchTask, function) -> str:
    """Hash of all that the result of `function` on a task depends on."""
    parts = [
        json.dumps([task.stage, declared(task.config), task.bands]),
        json.dumps([repr(task.seed.entropy), task.seed.spawn_key]),
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
    files = fit_files(task.config, task.layout, task.stage)
    sampled = (task.patch.previous, *task.patch.neighbours) if task.stage == "sample" else ()
    before = [number for number in sampled if number >= 0]
    return [*flattened(files), *map(task.layout.samples, before)]
