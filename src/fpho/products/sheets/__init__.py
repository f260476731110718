"""A sheet for a source: its pictures, profiles and fluxes on one page, its posterior on another."""

from .figures import picture_page, posterior_page
from .of_run import SheetMaker, write_sheets
from .values import Sheet, SourceView

__all__ = ["Sheet", "SheetMaker", "SourceView", "picture_page", "posterior_page", "write_sheets"]
