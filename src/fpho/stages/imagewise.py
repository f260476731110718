"""Stages that take one image after the other: each one job, or divided into jobs for groups of images.

Divided, a stage is `start` (where something comes before the images), `images` for each group, and `gather`:
only tables are gathered. What an image gives does not depend on its group.
"""

from collections.abc import Callable
from pathlib import Path

from .stage import ConfiguredRun, Files, StagePart

GROUPING = ("workflow", "simulate.scene", "images", "bands")  # what tells how many groups there are


def parts_of(
    name: str, reads: Callable[[ConfiguredRun], Files], writes, options, start=None, of_group=None
) -> dict[str, StagePart]:
    """Parts of a stage, whose functions are called `images`, `gather` and, if it has one, `start`.

    reads : of the stage; writes : of `gather`; start : what `start` writes
    of_group : what the images of a group are read from, if that is less than all that the stage reads
    """

    def part(key: str, reads, writes) -> StagePart:
        function = f"fpho.stages.{name}:{key}"
        return StagePart(function=function, reads=reads, writes=writes, options=options, free=GROUPING)

    def started(run: ConfiguredRun) -> Files:
        return reads(run) | (start(run) if start else {})

    def record(run: ConfiguredRun, group: int) -> Path:
        return run.layout.image_group(name, group, run.image_groups)

    def records(run: ConfiguredRun) -> Files:
        return {"records": [record(run, group) for group in range(run.image_groups)]}

    parts = {"start": part("start", reads, start)} if start else {}
    parts["images"] = part(
        "images",
        lambda run, group: of_group(run, group) if of_group else started(run),
        lambda run, group: {"record": record(run, group)},
    )
    parts["gather"] = part("gather", lambda run: started(run) | records(run), writes)
    return parts


def measures_sky(config) -> bool:
    """Whether skies are measured by themselves: not where they are given, left, or fitted with sources."""
    return config.background.mode in ("constant", "plane") and not config.background.tweakbg
