"""The page of a run: a folder in which a person pans and zooms the field and looks at every source."""

from .build import Content, build_page
from .run import page_of_run
from .serving import serve

__all__ = ["Content", "build_page", "page_of_run", "serve"]
