"""A folder of files as people have them: what each one is, and a run made ready from it."""

from .facts import inspect
from .starting import start
from .walking import Found, walk

__all__ = ["Found", "inspect", "start", "walk"]
