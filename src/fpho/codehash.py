"""Code is an input: a hash of the modules of `fpho` that a module uses, found without importing them."""

import ast
import hashlib
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent
# Not followed: the lazy names of `fpho`, which are for users. `config` is not counted: rules hash its values.
_CLOSED = (ROOT / "__init__.py",)


def code_hash(*modules: str, without: tuple[str, ...] = ()) -> str:
    """SHA-256 over the sources of `modules` (such as `fpho.stages.psf`) and all that they import of `fpho`.

    Rooms named in `without` (such as `sampling`) are left out, and what only they import.

    Imports inside functions count. A module loaded by a computed name, as in
    `import_module(f"fpho.kernel.{backend}")`, counts as the whole package before the computed part.
    """
    found: set[Path] = set()
    waiting = [_file(module) for module in modules]
    while waiting:
        path = waiting.pop()
        room = path.relative_to(ROOT).parts[0].removesuffix(".py")
        if path not in found and room not in {"config", *without}:
            found.add(path)
            waiting.extend(imports(path))
    digest = hashlib.sha256()
    for path in sorted(found):
        digest.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + _read(path))
    return digest.hexdigest()


@cache
def imports(path: Path) -> frozenset[Path]:
    """Files of `fpho` that one file imports directly, with the `__init__.py` of their packages."""
    if path in _CLOSED:
        return frozenset()
    here = ("fpho", *path.relative_to(ROOT).with_suffix("").parts)
    package = here[:-1]  # also right for an `__init__.py`
    names: set[tuple[str, ...]] = set()
    for node in ast.walk(ast.parse(_read(path))):
        names.update(_imported(node, package))
    return frozenset(file for name in names for file in _files(name))


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
    folder = ROOT
    for part in name[1:]:
        if part == "*":
            yield from folder.glob("*.py")
            return
        if (module := folder / f"{part}.py").is_file():
            yield module
            return
        folder = folder / part
        if (module := folder / "__init__.py").is_file():
            yield module


def _file(module: str) -> Path:
    path = ROOT.joinpath(*module.split(".")[1:])
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


@cache
def _read(path: Path) -> bytes:
    return path.read_bytes()
