"""Pixels and source geometry of a region of the sky as plain arrays; patchers; rendering."""

from .backends import require_gpu
from .building import PlacedSources, place_sources, source_state
from .patchers import CPUPatchMixin, DirectPatch, FITSPatch, GPUPatchMixin, StorePatch
from .pixels import pixel_arrays
from .rendering import render
from .subtracting import subtract_sources
from .tiles import cut_tiles, select_tiles

__all__ = [
    "CPUPatchMixin",
    "DirectPatch",
    "FITSPatch",
    "GPUPatchMixin",
    "PlacedSources",
    "StorePatch",
    "cut_tiles",
    "pixel_arrays",
    "place_sources",
    "render",
    "require_gpu",
    "select_tiles",
    "source_state",
    "subtract_sources",
]
