"""The super-scene: catalogs, state, groups, check-out and check-in."""

from ..bounds import make_bounds
from .catalog import read_catalog
from .grouping import group
from .rows import checkin, checkout
from .starting import starting_problems
from .state import read_scene, write_scene
from .superscene import LinkedSuperScene, SuperScene, scene_rows

__all__ = [
    "LinkedSuperScene",
    "SuperScene",
    "checkin",
    "checkout",
    "group",
    "make_bounds",
    "read_catalog",
    "read_scene",
    "scene_rows",
    "starting_problems",
    "write_scene",
]
