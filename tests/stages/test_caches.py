"""A package that cannot be written and no home, as in a container: numerical packages start all the same."""

import os
import shutil
import stat
import subprocess
import sys

import pytest

from fpho import caches
from fpho.codehash import ROOT

PROGRAM = """
import os, fpho, matplotlib
from fpho.kernel.exponential import exponential
print(fpho.__file__, exponential._cache.cache_path, matplotlib.get_cachedir(), os.environ["XDG_CACHE_HOME"])
"""


def test_no_home_and_a_package_that_cannot_be_written(tmp_path):
    """Compiled code and the like go to a private folder. Where numba would write in the package lie files."""
    package = tmp_path / "fpho"
    shutil.copytree(ROOT, package, ignore=shutil.ignore_patterns("__pycache__", "gpu"))
    for folder in [package, *(path for path in package.rglob("*") if path.is_dir())]:
        (folder / "__pycache__").touch()
    (tmp_path / "temporary").mkdir()
    gone = ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "MPLCONFIGDIR", "NUMBA_CACHE_DIR")
    env = {name: value for name, value in os.environ.items() if name not in gone}
    env |= {"HOME": os.devnull, "PYTHONPATH": str(tmp_path), "TMPDIR": str(tmp_path / "temporary")}
    done = subprocess.run([sys.executable, "-c", PROGRAM], env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    places = done.stdout.split()
    assert places[0].startswith(str(package))
    assert all(place.startswith(str(tmp_path / "temporary")) for place in places[1:])


@pytest.fixture
def homeless(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", os.devnull)
    monkeypatch.setattr(caches.tempfile, "tempdir", str(tmp_path))
    for name in caches.FOLDERS:
        monkeypatch.setenv(name, "")  # so that afterwards it is what it was
        monkeypatch.delenv(name)
    return tmp_path


def test_the_folder_is_private_and_the_same_again(homeless, monkeypatch):
    caches.find_caches()
    first = os.environ["XDG_CACHE_HOME"]
    (folder,) = homeless.iterdir()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    monkeypatch.delenv("XDG_CACHE_HOME")
    caches.find_caches()
    assert os.environ["XDG_CACHE_HOME"] == first


def test_a_folder_that_others_can_write_is_not_used(homeless):
    taken = homeless / f"fpho-{os.getuid()}"
    taken.mkdir()
    taken.chmod(0o777)
    caches.find_caches()
    assert not os.environ["XDG_CACHE_HOME"].startswith(str(taken) + os.sep)
    assert list(taken.iterdir()) == []


def test_a_home_is_left_as_it_is(homeless, monkeypatch):
    home = homeless / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    caches.find_caches()
    assert not {"XDG_CACHE_HOME", "XDG_CONFIG_HOME"} & set(os.environ)
