"""Compiled functions: code is found again by a new process, also in a folder that cannot be written."""

import json
import os
import pickle
import subprocess
import sys

import numba
import pytest

FUNCTION = """
from fpho.machinecode import compiled, on_disk


@compiled
def twice(x):
    return 2.0 * x
"""
CALL = """
import json, sys
from numba.core import caching
if "read_only" in sys.argv:
    caching.CacheImpl._locator_classes.remove(caching.InTreeCacheLocator)
import afunction
before = afunction.on_disk(afunction.twice)
value = afunction.twice(1.5)
loaded = sum(afunction.twice.stats.cache_hits.values())
print(json.dumps([before, value, loaded, "numba.typed.typedset" in sys.modules]))
"""


@pytest.fixture
def called(tmp_path):
    """A function's call in a new process: (code is on disk, value, loaded, tables of the compiler filled)."""
    (tmp_path / "afunction.py").write_text(FUNCTION)
    paths = os.pathsep.join([str(tmp_path), *sys.path])

    def call(*arguments, home="home", **more):
        env = {**os.environ, "PYTHONPATH": paths, "XDG_CACHE_HOME": str(tmp_path / home), **more}
        env.pop("PYTHONDONTWRITEBYTECODE", None)
        done = subprocess.run(
            [sys.executable, "-c", CALL, *arguments], env=env, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr[-2000:]
        return json.loads(done.stdout.splitlines()[-1])

    return call


def test_code_is_loaded_without_a_compiler(called):
    assert called() == [False, 3.0, 0, True]
    assert called() == [True, 3.0, 1, False]


def test_code_for_classes_that_are_gone_is_made_again(called, tmp_path):
    """An older version's; numba names in its index the classes of arguments."""
    called()
    (index,) = tmp_path.rglob("*.nbi")
    index.write_bytes(pickle.dumps(numba.__version__) + b"cfpho.gone\nClass\n.")
    assert called() == [False, 3.0, 0, True]
    assert called() == [True, 3.0, 1, False]


def test_code_in_a_folder_that_cannot_be_written_is_found(called, tmp_path):
    """As in an image of a container; what is not there goes to the user's folder."""
    assert called("read_only") == [False, 3.0, 0, True]
    assert called("read_only") == [True, 3.0, 1, False]
    assert list((tmp_path / "home").rglob("*.nbc"))
    assert called(home="other") == [False, 3.0, 0, True]  # into the package's folder
    assert called("read_only", home="third") == [True, 3.0, 1, False]
    assert not list((tmp_path / "third").rglob("*.nbc"))


def test_a_folder_that_the_user_names_is_all_there_is(called, tmp_path):
    called()
    assert called(NUMBA_CACHE_DIR=str(tmp_path / "mine"))[:3] == [False, 3.0, 0]


@pytest.mark.parametrize(
    "changed",
    [
        "NUMBER = 2.0\n@compiled\ndef inner(x): return x + NUMBER",
        "NUMBER = 3.0\n@compiled\ndef inner(x): return x",
    ],
)
def test_code_is_made_again_when_another_file_has_changed(called, tmp_path, changed):
    """A function that is called, or a number that is used, may stand in another file."""
    head = "from fpho.machinecode import compiled\n"
    inner = "NUMBER = 2.0\n@compiled\ndef inner(x): return x"
    outer = "from other import inner, NUMBER\n@compiled\ndef twice(x): return NUMBER * inner(x)\n"
    (tmp_path / "other.py").write_text(head + inner)
    (tmp_path / "afunction.py").write_text("from fpho.machinecode import compiled, on_disk\n" + outer)
    assert called()[:3] == [False, 3.0, 0]
    assert called()[:3] == [True, 3.0, 1]
    (tmp_path / "other.py").write_text(head + changed)
    assert called()[0] is False
    new = {"2": 2.0 * 3.5, "3": 3.0 * 1.5}[changed[9]]
    assert called()[1] == new
