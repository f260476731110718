"""The hash that makes code an input: it sees code and imports of every form, and nothing else."""

import shutil

import pytest

from fpho import codehash
from fpho.stages.registry import STAGES


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package `fpho` of small modules; returns a function that changes one and rehashes another."""
    files = {
        "__init__.py": "from .unrelated import x",
        "a.py": "from . import b",
        "b.py": "def f():\n    'What f does.'\n    from .rooms.c import g",
        "rooms/__init__.py": "",
        "rooms/c.py": "from importlib import import_module\nm = import_module(f'fpho.kernel.{n}')",
        "kernel/__init__.py": "",
        "kernel/cpu.py": "",
        "unrelated.py": "x = 1",
        "config/__init__.py": "",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(codehash, "ROOT", tmp_path)
    monkeypatch.setattr(codehash, "_CLOSED", (tmp_path / "__init__.py",))

    def hash_after_change(name, addition="changed = 1", **keywords):
        path = tmp_path / name
        path.write_text(f"{path.read_text()}\n{addition}")
        codehash.code_hash.cache_clear()
        codehash._known.cache_clear()
        return codehash.code_hash("fpho.a", **keywords)

    yield hash_after_change
    codehash.code_hash.cache_clear()
    codehash._known.cache_clear()


def test_changes_that_count(package):
    seen = {package(name) for name in ("a.py", "b.py", "rooms/c.py", "rooms/__init__.py", "kernel/cpu.py")}
    assert len(seen) == 5


def test_changes_that_do_not_count(package):
    before = package("a.py")
    assert package("unrelated.py") == before
    assert package("config/__init__.py") == before


def test_a_room_can_be_left_out(package):
    before = package("a.py", without=("rooms",))
    assert package("rooms/c.py", without=("rooms",)) == before
    assert package("kernel/cpu.py", without=("rooms",)) == before


def test_a_module_can_be_left_out(package):
    before = package("a.py", without=("rooms.c",))
    assert package("rooms/c.py", without=("rooms.c",)) == before
    assert package("kernel/cpu.py", without=("rooms.c",)) == before
    assert package("rooms/__init__.py", without=("rooms.c",)) != before


def test_comments_and_docstrings_do_not_count(package, tmp_path):
    before = package("a.py")
    assert package("a.py", "# a comment\n\n") == before
    path = tmp_path / "b.py"
    path.write_text('"""About b."""\n\n' + path.read_text().replace("What f does.", "What f really does."))
    assert package("b.py", "") == before
    path.write_text(path.read_text() + "\nb = 'a text that is not a docstring'")
    assert package("b.py", "") != before


def test_a_comment_in_the_package_changes_no_stage(tmp_path, monkeypatch):
    """Every file of `fpho` with a comment and another docstring on top: all stages have the hash they had."""
    before = {name: stage.code() for name, stage in STAGES.items()}
    other = tmp_path / "fpho"
    shutil.copytree(codehash.ROOT, other, ignore=shutil.ignore_patterns("__pycache__", "*.h5"))
    for path in other.rglob("*.py"):
        path.write_text(f"# a comment\n{path.read_text()}\n# another\n")
    monkeypatch.setattr(codehash, "_CLOSED", (other / "__init__.py",))
    monkeypatch.setattr(codehash, "ROOT", other)
    codehash.code_hash.cache_clear()
    assert {name: stage.code() for name, stage in STAGES.items()} == before
    codehash.code_hash.cache_clear()


def test_scripts_of_a_page_are_code(package, tmp_path):
    """Of the room that a module lies in, and of no other."""
    for room in ("rooms", "unused"):
        (tmp_path / room / "assets" / "vendor").mkdir(parents=True)
        (tmp_path / room / "assets" / "vendor" / "a.js").write_text("")
    before = package("unrelated.py")
    assert package("unused/assets/vendor/a.js") == before
    assert package("rooms/assets/vendor/a.js") != before
