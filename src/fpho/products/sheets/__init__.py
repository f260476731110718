"""A sheet for a source: its pictures, profiles and fluxes on one page, its posterior on another."""

from .figures import picture_page, posterior_page
from .of_run import SheetMaker, write_sheets
from .values import Sheet, View

__all__ = ["Sheet", "SheetMaker", "View", "picture_page", "posterior_page", "write_sheets"]
