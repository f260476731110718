"""The command line: one subcommand for each stage, and a few tools."""

from .app import main

__all__ = ["main"]
