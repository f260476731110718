"""Work on images one by one: shared by processes, kept for each image and for groups that are jobs.

An image that is done is not done again, whatever became of the job.
"""

import hashlib
import json
import logging
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from ..errors import DamagedError, InputError
from ..files import verify, write_text
from ..images import ExposureSpec
from ..layout import Layout
from ..workers import results
from .inputs import image_groups

log = logging.getLogger("fpho")


def grouped(items: list, config, layout: Layout) -> list[list]:
    """Items of each group: every n-th."""
    count = image_groups(config, layout)
    return [items[group::count] for group in range(count)]


def of_bands(specs: list[ExposureSpec], config) -> list[ExposureSpec]:
    """Rows of a table of exposures that a run uses."""
    return [spec for spec in specs if not config.bands or spec.band in config.bands]


def bands_in(specs: list[ExposureSpec]) -> list[str]:
    """Bands of rows of a table of exposures, in order."""
    return list(dict.fromkeys(spec.band for spec in specs))


def each(function, tasks: list[tuple], names: list[str], cores: int) -> list[dict]:
    """What `function(*task)` gives for each image, in order; images are shared by `cores` processes."""
    found: dict[int, dict] = {}
    how = {"names": [f"image {name}" for name in names], "preload": [function.__module__]}
    for key, value in results(function, tasks, cores, **how):
        found[key] = value
        log.info("image %s is done, %d of %d", names[key], len(found), len(names))
    return [found[key] for key in range(len(names))]


def write_record(path: Path, names: list[str], values: list[dict]) -> None:
    """Keep what the images of a group gave."""
    write_text(path, json.dumps({"names": names, "values": values}) + "\n", seal=True)


def read_records(layout: Layout, stage: str, names: list[str], groups: list[list[str]]) -> list[dict]:
    """What all images gave, in the order of `names`; `groups`: the names that belong to each group.

    Raises
    ------
    InputError
        If a group is missing, or has other images than belong to it.
    """
    found: dict[str, dict] = {}
    for group, members in enumerate(groups):
        path = layout.image_group(stage, group, len(groups))
        if not path.is_file():
            cure = "Run the same command again; what is finished is kept"
            raise InputError(path, "a group of images is missing", cure)
        verify(path)
        tree = json.loads(path.read_text(encoding="utf-8"))
        if tree["names"] != members:
            raise DamagedError(path, "it has other images than belong to this group")
        found |= dict(zip(tree["names"], tree["values"], strict=True))
    return [found[name] for name in names]


def kept(path: Path, identity: str, make: Callable[[], dict]) -> dict:
    """What an earlier job made for an image, if it is whole and of the same `identity`; else made now."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        tree = json.loads(path.read_text(encoding="utf-8"))
        if tree["identity"] == identity and tree["sum"] == hash_of(tree["value"]):
            return tree["value"]
    value = make()
    write_text(path, json.dumps({"identity": identity, "sum": hash_of(value), "value": value}) + "\n")
    return value


def hash_of(*values) -> str:
    """A hash of values, as JSON has them."""
    return hashlib.sha256(json.dumps(values).encode()).hexdigest()[:32]
