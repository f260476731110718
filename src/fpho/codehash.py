"""Code is an input: a hash of the modules of `fpho` that a module uses, found without importing them.

What counts is what Python makes of a file: comments, docstrings and line breaks do not.
"""

import ast
import hashlib
import itertools
import json
import os
import sys
from contextlib import suppress
from functools import cache
from pathlib import Path

from .caches import cache_folder
from .errors import InputError
from .files import checksum, verify, write_text

ROOT = Path(__file__).parent
# Not followed: the lazy names of `fpho`, which are for users. `config` is not counted: rules hash its values.
_CLOSED = (ROOT / "__init__.py",)
MOST = 2000  # files whose hashes are kept
_WITH_DOCSTRING = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


@cache
def code_hash(*modules: str, without: tuple[str, ...] = ()) -> str:
    """SHA-256 over the code of `modules` (such as `fpho.stages.psf`) and all that they import of `fpho`.

    What lies in `assets` beside a module, such as a page's scripts, is code of it.

    Rooms or modules named in `without` (such as `sampling`, `passes.draws`) are left out, and what only they
    import.

    Imports inside functions count. A module loaded by a computed name, as in
    `import_module(f"fpho.kernel.{backend}")`, counts as the whole package before the computed part.
    """
    digest = hashlib.sha256()
    files = code_files(*modules, without=without)
    for path in sorted(files):
        digest.update(f"{path.relative_to(ROOT).as_posix()} {_known(path)[1]}\n".encode())
    for path in sorted(_assets(files)):
        digest.update(f"{path.relative_to(ROOT).as_posix()} {checksum(path)}\n".encode())
    _keep()
    return digest.hexdigest()


def code_files(*modules: str, without: tuple[str, ...] = ()) -> set[Path]:
    """Files behind `code_hash`."""
    found: set[Path] = set()
    waiting = [_file(module) for module in modules]
    while waiting:
        path = waiting.pop()
        if path not in found and not _left_out(path, without):
            found.add(path)
            waiting.extend(imports(path))
    return found


def _assets(files: set[Path]) -> list[Path]:
    """Files in the folder `assets` of the rooms of some modules."""
    folders = {path.parent / "assets" for path in files} - {ROOT / "assets"}
    return [path for folder in folders if folder.is_dir() for path in folder.rglob("*") if path.is_file()]


def _left_out(path: Path, without: tuple[str, ...]) -> bool:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return parts[0] == "config" or parts[0] in without or ".".join(parts) in without


def imports(path: Path) -> frozenset[Path]:
    """Files of `fpho` that one file imports directly, with the `__init__.py` of their packages."""
    return frozenset() if path in _CLOSED else _known(path)[0]


@cache
def _known(path: Path) -> tuple[frozenset[Path], str]:
    """(files that one file imports, hash of its code)."""
    package = ("fpho", *path.relative_to(ROOT).with_suffix("").parts)[:-1]  # also right for an `__init__.py`
    names, digest = _read(path.read_bytes(), package)
    return frozenset(file for name in names for file in _files(tuple(name))), digest


def _read(text: bytes, package: tuple[str, ...]) -> tuple[list[list[str]], str]:
    """(dotted names that a file imports, hash of its syntax tree without docstrings).

    Parsing takes half a second for all files, so what is found is kept in the user's cache, by the content.
    """
    key = hashlib.sha256(b"\n".join([sys.version.encode(), ".".join(package).encode(), text])).hexdigest()
    kept = _kept()
    if key not in kept:
        kept[key] = _parsed(text, package)
        _fresh.append(key)
    return kept[key]


def _parsed(text: bytes, package: tuple[str, ...]) -> tuple[list[list[str]], str]:
    tree = ast.parse(text)
    computed = ast.walk(tree) if b"import_module" in text else ()
    names: set[tuple[str, ...]] = set()
    for node in itertools.chain(_statements(tree), computed):
        names.update(_imported(node, package))
    for node in list(_statements(tree)):
        if isinstance(node, _WITH_DOCSTRING) and ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:]
    return sorted(map(list, names)), hashlib.sha256(ast.dump(tree).encode()).hexdigest()


_fresh: list[str] = []  # keys that are not on disk yet


@cache
def _kept() -> dict[str, tuple[list[list[str]], str]]:
    """What was found before, by `_read`'s keys; nothing where the file is not there or is damaged."""
    try:
        verify(_store())
        return json.loads(_store().read_text(encoding="utf-8"))
    except (OSError, ValueError, InputError):
        return {}


def _keep() -> None:
    """Write what is new; a cache that cannot be written is done without."""
    if _fresh:
        _fresh.clear()
        with suppress(OSError, InputError):
            write_text(_store(), json.dumps(dict(list(_kept().items())[-MOST:])) + "\n", seal=True)


def _store() -> Path:
    return cache_folder() / "code.json"


def _statements(node: ast.AST):
    """A node and all statements inside it: what holds imports and docstrings, and few of all nodes."""
    yield node
    for block in ("body", "orelse", "handlers", "finalbody", "cases"):
        some = getattr(node, block, ())
        for inner in some if isinstance(some, list) else ():
            yield from _statements(inner)


def _imported(node, package: tuple[str, ...]):
    if isinstance(node, ast.Import):
        yield from (tuple(alias.name.split(".")) for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        base = package[: len(package) - node.level + 1] if node.level else ()
        base += tuple(node.module.split(".")) if node.module else ()
        yield from ((*base, alias.name) for alias in node.names)
    elif isinstance(node, ast.Call) and node.args:
        function = getattr(node.func, "attr", getattr(node.func, "id", ""))
        if function == "import_module":
            yield from _computed(node.args[0], package)


def _computed(argument, package):
    parts = argument.values if isinstance(argument, ast.JoinedStr) else [argument]
    if not isinstance(parts[0], ast.Constant) or not isinstance(parts[0].value, str):
        return
    text = parts[0].value
    base = package if text.startswith(".") else ()
    name = base + tuple(part for part in text.split(".") if part)
    yield name if len(parts) == 1 else (*name, "*")


def _files(name: tuple[str, ...]):
    """Files behind a dotted name: its packages' `__init__.py` and the module; `*` is all of a package."""
    if name[0] != "fpho":
        return
    there, folder = _modules(ROOT), str(ROOT)
    for part in name[1:]:
        if part == "*":
            yield from Path(folder).glob("*.py")
            return
        folder = f"{folder}{os.sep}{part}"
        if (module := f"{folder}.py") in there:
            yield there[module]
            return
        if (module := f"{folder}{os.sep}__init__.py") in there:
            yield there[module]


@cache
def _modules(root: Path) -> dict[str, Path]:
    return {str(path): path for path in root.rglob("*.py")}


def _file(module: str) -> Path:
    path = ROOT.joinpath(*module.split(".")[1:])
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
