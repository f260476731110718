"""The super-scene: catalogs, state, groups, the plan of patches, check-out and check-in."""

from ..bounds import make_bounds
from .catalog import read_catalog
from .grouping import group
from .planning import PatchPlan, Plan, patch_seed, plan_patches, read_plan
from .rows import checkin, checkout
from .state import read_scene, write_scene
from .superscene import LinkedSuperScene, SuperScene, scene_rows

__all__ = [
    "LinkedSuperScene",
    "PatchPlan",
    "Plan",
    "SuperScene",
    "checkin",
    "checkout",
    "group",
    "make_bounds",
    "patch_seed",
    "plan_patches",
    "read_catalog",
    "read_plan",
    "read_scene",
    "scene_rows",
    "write_scene",
]
