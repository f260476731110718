"""The command line: one subcommand for each stage, and a few tools."""

from ..importing import without_collections

with without_collections():
    from .app import main

__all__ = ["main"]
