"""The site: tutorials run as written, no warning, no broken link within it, every option and flag on it."""

import os
import re
import subprocess
import sys

import pytest

from fpho.config import Config
from fpho.flags import Flag

from ..conftest import TOP


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The folder of the built site."""
    folder = tmp_path_factory.mktemp("site")
    command = [
        sys.executable,
        "-m",
        "sphinx",
        "-W",
        "--keep-going",
        "-q",
        "-b",
        "html",
        "-d",
        folder / "trees",
    ]
    command += ["-D", f"nb_execution_cache_path={folder / 'cache'}", TOP / "docs", folder / "html"]
    beside = os.path.dirname(sys.executable)  # where the command `fpho` is that tutorials call
    environment = os.environ | {"PATH": f"{beside}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr[-4000:]
    return folder / "html"


def test_reference_has_every_option_and_flag(site):
    options = (site / "reference" / "configuration.html").read_text()
    for name in Config.model_fields:
        assert name in options
    flags = (site / "reference" / "flags.html").read_text()
    assert all(flag.name in flags for flag in Flag)


def test_links_within_the_site(site):
    """To pages and pictures that are there."""
    missing = []
    pages = [page for page in site.rglob("*.html") if "_static" not in page.parts]
    for page in pages:
        for link in re.findall(r'(?:href|src)="([^"#?:]+)[^":]*"', page.read_text()):
            if not (page.parent / link).exists():
                missing.append(f"{page.relative_to(site)}: {link}")
    assert missing == []


def test_tutorials_show_figures(site):
    for name in ("one_galaxy", "posteriors", "decam", "field"):
        assert "_images/" in (site / "tutorials" / f"{name}.html").read_text()


def test_the_jwst_tutorial_ends_with_a_page(site, shared_data):
    """Executed where its data are: pictures, fluxes of both galaxies, and the files of the page."""
    text = (site / "tutorials" / "jwst.html").read_text()
    assert "_images/" in text and "index.html" in text
    assert "6414" in text and "8021" in text
