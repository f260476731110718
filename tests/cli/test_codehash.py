"""The hash that makes code an input: it sees imports of every form, and nothing else."""

import pytest

from fpho import codehash


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package `fpho` of small modules; returns a function that changes one and rehashes another."""
    files = {
        "__init__.py": "from .unrelated import x",
        "a.py": "from . import b",
        "b.py": "def f():\n    from .rooms.c import g",
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

    def hash_after_change(name, **keywords):
        path = tmp_path / name
        path.write_text(path.read_text() + "\n# changed")
        codehash.imports.cache_clear()
        codehash._read.cache_clear()
        return codehash.code_hash("fpho.a", **keywords)

    yield hash_after_change
    codehash.imports.cache_clear()
    codehash._read.cache_clear()


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
