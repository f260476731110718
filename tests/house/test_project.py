"""What stands once in the project is the same everywhere: versions, dependencies, the public interface."""

import importlib
import runpy
import tomllib
from importlib import metadata
from pathlib import Path

import fpho

TOP = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((TOP / "pyproject.toml").read_text())


def test_environments_are_those_of_the_project():
    made = runpy.run_path(str(TOP / "envs" / "make.py"))["environments"]()
    assert len(made) == 3
    for path, text in made.items():
        assert path.read_text() == text, f"run `python envs/make.py`: {path.name} differs"


def test_version_stands_once():
    assert "version" in PROJECT["project"]["dynamic"]
    assert PROJECT["tool"]["hatch"]["version"]["path"] == "src/fpho/__init__.py"
    assert metadata.version("fpho") == fpho.__version__


def test_packages_that_are_required_are_imported():
    """Those that come with another package's name or only as a bound are listed with the reason."""
    import_names = {"pyyaml": "yaml", "pillow": "PIL"}
    not_imported = {"fastprogress"}  # littlemcmc's own dependency, bounded here
    sources = "\n".join(path.read_text() for path in (TOP / "src").rglob("*.py"))
    sources += (TOP / "workflow" / "rules" / "common.smk").read_text()
    for requirement in PROJECT["project"]["dependencies"]:
        name = requirement.split("[")[0].rstrip("<>=!~,.0123456789 ")
        module = import_names.get(name, name)
        used = f"import {module}" in sources or f"from {module}" in sources
        assert used != (name in not_imported), name


def test_every_public_name_can_be_had_and_is_documented():
    assert len(fpho.__all__) > 10
    for name in fpho.__all__:
        value = getattr(fpho, name)
        if name != "__version__":
            assert value.__doc__ and value.__doc__.strip(), name
    assert "importlib" not in dir(fpho)


def test_package_says_that_it_is_typed():
    assert (Path(importlib.import_module("fpho").__file__).parent / "py.typed").is_file()
