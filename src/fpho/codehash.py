"""Code is an input: a hash of the modules of `fpho` that a module uses, found without importing them.

What counts is what Python makes of a file: comments, docstrings and line breaks do not.
"""

import ast
import hashlib
import itertools
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent
# Not followed: the lazy names of `fpho`, which are for users. `config` is not counted: rules hash its values.
_CLOSED = (ROOT / "__init__.py",)
_WITH_DOCSTRING = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


@cache
def code_hash(*modules: str, without: tuple[str, ...] = ()) -> str:
    """SHA-256 over the code of `modules` (such as `fpho.stages.psf`) and all that they import of `fpho`.

    Rooms or modules named in `without` (such as `sampling`, `passes.draws`) are left out, and what only they
    import.

    Imports inside functions count. A module loaded by a computed name, as in
    `import_module(f"fpho.kernel.{backend}")`, counts as the whole package before the computed part.
    """
    digest = hashlib.sha256()
    for path in sorted(code_files(*modules, without=without)):
        digest.update(f"{path.relative_to(ROOT).as_posix()} {_known(path)[1]}\n".encode())
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


def _left_out(path: Path, without: tuple[str, ...]) -> bool:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return parts[0] == "config" or parts[0] in without or ".".join(parts) in without


def imports(path: Path) -> frozenset[Path]:
    """Files of `fpho` that one file imports directly, with the `__init__.py` of their packages."""
    return frozenset() if path in _CLOSED else _known(path)[0]


@cache
def _known(path: Path) -> tuple[frozenset[Path], str]:
    """(files that one file imports, hash of its syntax tree without docstrings)."""
    here = ("fpho", *path.relative_to(ROOT).with_suffix("").parts)
    package = here[:-1]  # also right for an `__init__.py`
    text = path.read_bytes()
    tree = ast.parse(text)
    computed = ast.walk(tree) if b"import_module" in text else ()
    names: set[tuple[str, ...]] = set()
    for node in itertools.chain(_statements(tree), computed):
        names.update(_imported(node, package))
    for node in list(_statements(tree)):
        if isinstance(node, _WITH_DOCSTRING) and ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:]
    files = frozenset(file for name in names for file in _files(name))
    return files, hashlib.sha256(ast.dump(tree).encode()).hexdigest()


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
