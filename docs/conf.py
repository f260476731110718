"""The site: `make docs`; tutorials are executed while it is built, and a warning is an error."""

import re
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from generated import write_reference  # noqa: E402

import fpho  # noqa: E402

project = "fpho"
author = "the authors of fpho"
copyright = author
release = version = fpho.__version__
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build", "**.ipynb_checkpoints", "jupyter_execute", "tutorials/_*"]
html_theme = "pydata_sphinx_theme"
html_title = "fpho"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_sidebars = {"**": ["globaltoc.html"]}  # all pages under their headings, beside each
html_theme_options = {
    "navbar_center": [],
    "show_nav_level": 2,
    "navigation_with_keys": False,
    "secondary_sidebar_items": ["page-toc"],
}
myst_enable_extensions = ["dollarmath", "colon_fence"]
myst_heading_anchors = 3
nb_execution_mode = "cache"  # a tutorial is executed when it has changed
nb_execution_timeout = 900
if not (HERE.parent.parent / "shared" / "data" / "jwst_ceers").is_dir():  # real pixels, not ours to hand on
    nb_execution_excludepatterns = ["tutorials/jwst*"]
    suppress_warnings = ["myst-nb.lexer"]  # that page is shown, and nothing tells its language
nb_execution_raise_on_error = True
nb_merge_streams = True
napoleon_google_docstring = False
napoleon_use_rtype = False
autodoc_member_order = "bysource"
autodoc_typehints = "none"
default_role = "literal"
nitpicky = False

write_reference(HERE / "reference")


def _words_below_names(app, what, name, obj, options, lines) -> None:
    """Docstrings say `name : words`; on the page the words stand together, not cut after the first line."""
    for place in reversed(range(len(lines))):
        found = re.fullmatch(r"(\w[\w, ]*) : (.+)", lines[place])
        if found:
            lines[place : place + 1] = [found[1], f"    {found[2]}"]


def setup(app) -> None:
    """Before napoleon reads the docstrings."""
    app.connect("autodoc-process-docstring", _words_below_names, priority=400)
