"""What would be published: source and wheel are built, and the wheel works without the checkout."""

import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile

import pytest

import fpho
from tests.conftest import TOP
from tests.needs import needed
from tests.workflow.running import planned


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """(source archive, wheel made from it)."""
    needed("build"), needed("hatchling")
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, TOP]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    (source,), (wheel,) = folder.glob("*.tar.gz"), folder.glob("*.whl")
    return source, wheel


def test_the_source_is_whole(built):
    """Nothing of a checkout's own folders is in it; licence, tests and documents are."""
    with tarfile.open(built[0]) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {
        "pyproject.toml",
        "LICENSE",
        "CITATION.cff",
        "README.md",
        "Snakefile",
        "src/fpho/py.typed",
    } <= names
    assert {"tests/conftest.py", "docs/index.md", "config/default.yaml", "workflow/Snakefile"} <= names
    assert {"tests/data/decam/README.md", "conda-recipe/recipe.yaml"} <= names
    assert not [
        name
        for name in names
        if name.endswith((".pyc", ".nbi", ".nbc")) or name.startswith((".venv", "results/"))
    ]


def test_the_wheel_works_alone(built, tmp_path):
    """Unpacked somewhere, with the packages that it needs: the command, the data files, the workflow."""
    with zipfile.ZipFile(built[1]) as archive:
        archive.extractall(tmp_path / "site")
        names = archive.namelist()
    assert not [name for name in names if not name.startswith(("fpho/", f"fpho-{fpho.__version__}"))]
    code = "import fpho, fpho.cli.running as r; from fpho.sersic import load_table; load_table('default');"
    code += "print(fpho.__file__, fpho.__version__, r.snakefile())"
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    env["PYTHONPATH"] = str(tmp_path / "site")
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=env, capture_output=True, text=True)
    file, version, snakefile = done.stdout.split()
    assert file.startswith(str(tmp_path / "site")) and version == fpho.__version__
    assert snakefile == str(tmp_path / "site" / "fpho" / "_workflow" / "Snakefile")
    plan = [sys.executable, "-m", "snakemake", "-s", snakefile, "-n", "--cores", "1"]
    done = subprocess.run(plan, cwd=tmp_path, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert {"simulate", "sample", "view"} <= set(planned(done.stdout + done.stderr))


def test_images_of_containers_hold_what_they_install(built, tmp_path):
    """The files that both recipes name make the same wheel, and both do the same with them."""
    docker = (TOP / "envs" / "Dockerfile").read_text()
    apptainer = (TOP / "envs" / "fpho.def").read_text()
    lines = re.findall(r"^COPY (.+) (/opt/fpho/\S*)$", docker, re.MULTILINE)
    copied = [name for names, _ in lines for name in names.split()]
    assert copied == re.findall(r"^    (\S+) /opt/fpho/\1$", apptainer, re.MULTILINE)
    assert all(target == "/opt/fpho/" or target == f"/opt/fpho/{names}" for names, target in lines)
    (done,) = re.findall(r"^RUN (.+)$", docker, re.MULTILINE)
    assert f"cd /opt/fpho && {done}\n" in apptainer
    for name in copied:
        copy = shutil.copytree if (TOP / name).is_dir() else shutil.copyfile
        copy(TOP / name, tmp_path / name)
    command = [
        sys.executable,
        "-m",
        "build",
        "--wheel",
        "--no-isolation",
        "--outdir",
        tmp_path / "out",
        tmp_path,
    ]
    made = subprocess.run(command, capture_output=True, text=True)
    assert made.returncode == 0, made.stdout[-2000:] + made.stderr[-2000:]
    (wheel,) = (tmp_path / "out").glob("*.whl")
    with zipfile.ZipFile(wheel) as one, zipfile.ZipFile(built[1]) as other:
        assert set(one.namelist()) == set(other.namelist())
