"""Simulated sources in a user's own images, and what the measurement makes of them."""

from .inputs import read_injected, write_catalog, write_images
from .report import write_report
from .tables import source_table

__all__ = ["read_injected", "source_table", "write_catalog", "write_images", "write_report"]
