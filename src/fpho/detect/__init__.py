"""New sources: significant peaks in images with the known sources subtracted."""

from .peaks import Detection, find_peaks
from .rows import add_new, detect_catalog, find_new

__all__ = ["Detection", "add_new", "detect_catalog", "find_new", "find_peaks"]
