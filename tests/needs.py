"""What some tests need that a user's machine may lack; CI has to have it, so there nothing is left out."""

import os
from importlib import import_module

import pytest


def lacking(what: str):
    """Leave a test out, and say why; in CI it fails."""
    leave = pytest.fail if os.environ.get("CI") else pytest.skip
    leave(f"needs {what}")


def needed(module: str, extra: str = "test"):
    """A module of an optional package."""
    try:
        return import_module(module)
    except ImportError as error:
        return lacking(f"{module}, of pip install 'fpho[{extra}]' ({error})")
