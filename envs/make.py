"""Write the environments of this folder from the dependencies in pyproject.toml: `python envs/make.py`.

Snakemake copies an environment's file before it is used, so that it cannot point at pyproject.toml itself.
"""

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
    wanted = dict(map(_split, project["dependencies"]))
    if name == "gpu":
        for package, bounds in map(_split, project["optional-dependencies"]["cuda12"]):
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


def _split(requirement: str) -> tuple[str, str]:
    """(package with its extras, bounds) of a requirement."""
    end = next((i for i, letter in enumerate(requirement) if letter in "<>=!~"), len(requirement))
    return requirement[:end].strip(), requirement[end:]


def environments() -> dict[Path, str]:
    """Text of every file of this folder that is made here."""
    project = tomllib.loads((HERE.parent / "pyproject.toml").read_text())["project"]
    return {HERE / f"{name}.yaml": environment(name, project) for name in TITLES}


if __name__ == "__main__":
    for path, text in environments().items():
        path.write_text(text)
