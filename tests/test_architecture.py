"""The house keeps its shape: imports go down only, files stay short, the workflow holds no formula."""

import ast
import re
from pathlib import Path

import pytest

from fpho.codehash import ROOT as PACKAGE
from fpho.codehash import imports

TOP = PACKAGE.parent.parent

# Rooms from the bottom to the top; a room may import those on lines before its own, and neighbours on
# its line only where ALLOWED says so.
FLOORS = [
    {
        "errors",
        "extras",
        "faults",
        "files",
        "records",
        "hdf5",
        "importing",
        "workers",
        "flags",
        "layout",
        "models",
        "parameters",
        "caches",
        "machinecode",
        "codehash",
        "progress",
        "tables",
        "showing",
        "fitstext",
        "texts",
        "bands",
        "locks",
        "robust",
    },
    {"config"},
    {"geometry", "kernel"},
    {"bounds"},
    {"sersic"},
    {"psf"},
    {"images", "background"},
    {"registration"},
    {"scene"},
    {"posterior"},
    {"patch"},
    {"results"},
    {"optimize"},
    {"linear"},
    {"sampling"},
    {"passes"},
    {"detect"},
    {"learning", "stars"},
    {"products", "simulate", "folder"},
    {"page"},
    {"calibrate"},
    {"inject"},
    {"stages"},
    {"notebook"},
    {"cli"},
    {"__main__"},
]
FLOOR_OF = {room: level for level, rooms in enumerate(FLOORS) for room in rooms}
SOURCES = sorted(PACKAGE.rglob("*.py"))
# GalSim draws scenes, and referees the mixtures (`accuracy.py` of their rooms).
ONLY_IMPORTERS = {
    "littlemcmc": {"sampling"},
    "nutpie": {"sampling"},
    "sep": {"detect"},
    "galsim": {"simulate", "calibrate", "inject", "psf", "sersic"},
}


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def test_every_room_is_on_the_map():
    text = (TOP / "CONTRIBUTING.md").read_text()
    named = set(re.findall(r"`(\w+)`", text[text.index("## Map of the house") : text.index("## How to add")]))
    assert {room_of(path) for path in SOURCES} - {"__init__", "__main__"} <= named


def imported_modules(path: Path, tree=None) -> set[str]:
    """First names of all absolute imports in a file, those inside functions included."""
    found = set()
    for node in ast.walk(tree or ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add(node.module.split(".")[0])
    return found


def test_every_room_has_a_floor():
    assert {room_of(path) for path in SOURCES} - {"__init__"} <= set(FLOOR_OF)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_down(path):
    here = room_of(path)
    if here == "__init__":
        return  # lazy names for users
    for target in imports(path):
        there = room_of(target)
        if there not in (here, "__init__"):
            low_enough = FLOOR_OF[there] < FLOOR_OF[here]
            same_ground = FLOOR_OF[there] == FLOOR_OF[here] == 0
            assert low_enough or same_ground, f"{path} of {here} imports {there}"


def test_the_library_knows_no_workflow():
    assert [path for path in SOURCES if "snakemake" in imported_modules(path)] == []


@pytest.mark.parametrize("package", ONLY_IMPORTERS)
def test_few_rooms_import(package):
    importers = {room_of(path) for path in SOURCES if package in imported_modules(path)}
    assert importers <= ONLY_IMPORTERS[package]


def test_files_are_short():
    long = {str(path): n for path in SOURCES if (n := len(path.read_text().splitlines())) > 400}
    assert long == {}


@pytest.mark.parametrize("path", sorted((TOP / "workflow").rglob("*.smk")), ids=lambda path: path.name)
def test_rules_hold_no_formula(path):
    """No numerical package, no inline Python: rules know files, order and machines."""
    text = path.read_text()
    assert not re.search(r"\b(numpy|scipy|astropy|h5py|pandas)\b", text)
    assert not re.search(r"^\s+run:", text, re.MULTILINE)
    assert len(text.splitlines()) <= 300


def definitions(node, place: str):
    """(name, node) of the public classes, functions and methods of a module or class."""
    for inner in node.body:
        if isinstance(inner, ast.FunctionDef | ast.ClassDef) and not inner.name.startswith("_"):
            yield f"{place}.{inner.name}", inner
        if isinstance(inner, ast.ClassDef) and not inner.name.startswith("_"):
            yield from definitions(inner, f"{place}.{inner.name}")


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_what_is_public_says_what_it_is(path):
    """Modules, classes, functions and members; one line where nothing more is to be said."""
    tree = ast.parse(path.read_text())
    named = [(path.stem, tree), *definitions(tree, path.stem)]
    assert [name for name, node in named if not (ast.get_docstring(node) or "").strip()] == []


def test_a_class_has_a_name_of_its_own():
    trees = {path: ast.parse(path.read_text()) for path in SOURCES}
    classes = [node.name for tree in trees.values() for node in tree.body if isinstance(node, ast.ClassDef)]
    public = [name for name in classes if not name.startswith("_")]
    assert sorted({name for name in public if public.count(name) > 1}) == []


def test_nothing_is_left_undone():
    words = re.compile(r"\b(TO" r"DO|FIX" r"ME|Not" r"ImplementedError)\b|except( Exception)?:\s*(pass)?$")
    files = [*SOURCES, TOP / "Snakefile", *(TOP / "workflow").rglob("*.smk")]
    found = [
        f"{path}:{number}"
        for path in files
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if words.search(line)
    ]
    assert found == []


def test_conda_environments_agree_with_the_package():
    """Names and bounds of `envs/cpu.yaml` are those of pyproject.toml (conda calls some `-base`)."""
    import tomllib

    import yaml

    wanted = tomllib.loads((TOP / "pyproject.toml").read_text())["project"]["dependencies"]
    listed = yaml.safe_load((TOP / "envs" / "cpu.yaml").read_text())["dependencies"]
    names = [item for item in listed if isinstance(item, str)] + listed[-1]["pip"]
    found = {re.sub(r"-(base|minimal)(?= )", "", name).replace(" ", "") for name in names}
    assert {name.replace(" ", "") for name in wanted} <= found
