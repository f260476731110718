"""Write the environments of this folder and the recipe for conda from pyproject.toml: `python envs/make.py`.

Snakemake copies an environment's file before it is used, so that it cannot point at pyproject.toml itself.
"""

import re
import tomllib
from pathlib import Path

HERE = Path(__file__).parent
CONDA_NAMES = {"snakemake": "snakemake-minimal", "astropy": "astropy-base", "matplotlib": "matplotlib-base"}
PIP_ONLY = (
    "littlemcmc",
    "fastprogress",
    "cupy-cuda12x",
    "numba-cuda",
)  # not on conda-forge, or another build
TITLES = {
    "cpu": "What the rules need beside the code of this checkout, for "
    "`snakemake --software-deployment-method conda`.",
    "gpu": "As cpu.yaml, with CUDA 12: for `kernel: gpu`.",
}


def environment(name: str, project: dict) -> str:
    """Text of one environment: `cpu` or `gpu`."""
    extras = project["optional-dependencies"]
    wanted = dict(map(_split, [*project["dependencies"], *extras["plots"], *extras["simulate"]]))
    if name == "gpu":
        for package, bounds in map(_split, extras["cuda12"]):
            wanted[package] = ",".join(filter(None, [wanted.get(package), bounds]))
    python = f"  - python {project['requires-python']}"
    conda = [f"  - {CONDA_NAMES.get(p, p)} {b}" for p, b in wanted.items() if p.split("[")[0] not in PIP_ONLY]
    pip = [
        f"      - {package} {bounds}"
        for package, bounds in wanted.items()
        if package.split("[")[0] in PIP_ONLY
    ]
    lines = [
        f"# {TITLES[name]}",
        "# Made by make.py from pyproject.toml.",
        "channels:\n  - conda-forge\n  - nodefaults",
        "dependencies:",
        python,
        *conda,
        "  - pip",
        "  - pip:",
        *pip,
    ]
    return "\n".join(lines) + "\n"


def recipe(project: dict, version: str) -> str:
    """Text of the recipe with which conda-build and rattler-build make a package (noarch)."""
    packages = map(_split, project["dependencies"])
    run = [f"    - {CONDA_NAMES.get(name, name)} {bounds}" for name, bounds in packages]
    extras = [_split(one) for name in ("plots", "simulate") for one in project["optional-dependencies"][name]]
    lines = [
        "# Made by envs/make.py from pyproject.toml: rattler-build build --recipe conda-recipe",
        "# What conda-forge lacks (littlemcmc) has to be in a channel of your own first.",
        "schema_version: 1",
        f"package:\n  name: {project['name']}\n  version: {version}",
        "source:\n  path: ..",
        "build:\n  noarch: python\n  script: python -m pip install . --no-deps --no-build-isolation -vv",
        "  python:\n    entry_points:",
        *(f"      - {name} = {place}" for name, place in project["scripts"].items()),
        "requirements:\n  host:",
        f"    - python {project['requires-python'].partition(',')[0]}\n    - pip\n    - hatchling >=1.24",
        f"  run:\n    - python {project['requires-python']}",
        *run,
        "  run_constraints:  # the extras",
        *(f"    - {CONDA_NAMES.get(name, name)} {bounds}" for name, bounds in extras),
        "tests:\n  - script:\n      - fpho --version\n      - fpho config",
        f"about:\n  summary: {project['description']}",
        f"  license: {project['license']}\n  license_file: LICENSE",
    ]
    return "\n".join(lines) + "\n"


def _split(requirement: str) -> tuple[str, str]:
    """(package with its extras, bounds) of a requirement."""
    end = next((i for i, letter in enumerate(requirement) if letter in "<>=!~"), len(requirement))
    return requirement[:end].strip(), requirement[end:]


def environments() -> dict[Path, str]:
    """Text of every file that is made here."""
    project = tomllib.loads((HERE.parent / "pyproject.toml").read_text())["project"]
    code = (HERE.parent / "src" / "fpho" / "__init__.py").read_text()
    version = re.search(r'^__version__ = "(.+)"', code, re.MULTILINE)[1]
    made = {HERE / f"{name}.yaml": environment(name, project) for name in TITLES}
    return made | {HERE.parent / "conda-recipe" / "recipe.yaml": recipe(project, version)}


if __name__ == "__main__":
    for path, text in environments().items():
        path.write_text(text)
