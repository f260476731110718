"""What only some need is an extra: the rest works without it, and who lacks it is told the command."""

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import fpho
from fpho.config import make_config
from fpho.extras import EXTRA_OF, require
from fpho.layout import Layout
from fpho.stages.running import require_all, run_stage

TOP = Path(__file__).resolve().parents[2]
EXTRAS = tomllib.loads((TOP / "pyproject.toml").read_text())["project"]["optional-dependencies"]
PACKAGE_OF = {"PIL": "pillow"}


@pytest.mark.parametrize("module", EXTRA_OF)
def test_an_extra_brings_its_packages(module):
    wanted = PACKAGE_OF.get(module, module)
    assert any(requirement.startswith(wanted) for requirement in EXTRAS[EXTRA_OF[module]])


def test_nothing_of_an_extra_is_imported_before_it_is_used():
    """Not at the top of any file."""
    found = []
    for path in (TOP / "src").rglob("*.py"):
        for node in ast.parse(path.read_text()).body:
            names = (
                [alias.name for alias in getattr(node, "names", ())] if isinstance(node, ast.Import) else []
            )
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
            found += [(path.name, name) for name in names if name.partition(".")[0] in EXTRA_OF]
    assert found == []


def test_a_scene_cannot_be_drawn_without_galsim(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "galsim", None)
    config = make_config({"simulate.scene": "tiny"})
    with pytest.raises(fpho.InputError, match=r'GalSim is not installed. Run pip install "fpho\[simulate\]"'):
        run_stage("simulate", config, Layout(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_a_run_says_at_its_start_what_its_end_needs(monkeypatch):
    """At `check`, not after hours of sampling; with what else helps."""
    for module in ("matplotlib", "PIL"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(fpho.InputError, match=r"matplotlib and Pillow are not installed.*fpho\[plots\]"):
        require_all(make_config({}))
    require_all(make_config({"postprocess.plots": False, "page.enabled": False}))


def test_what_is_there_is_not_asked_for():
    require("nothing", "numpy")


# The image is drawn by GalSim before it is hidden.
WITHOUT = """
import sys
from tests.notebook.scenes import NOISE, galaxy
cut = galaxy("F444W")
for name in [name for name in sys.modules if name.partition(".")[0] in sys.argv[1:]]:
    del sys.modules[name]
sys.modules.update(dict.fromkeys(sys.argv[1:]))
import fpho
fit = fpho.fit(cut.image, cut.psf, NOISE, wcs=cut.wcs, sources=(30, 30), draws=20, chains=2, progress=False)
print(len(fit.table), fit.model.shape, fit.residual.unit)
for shown in (fit.plot, lambda: fit.corner(0), lambda: fit.samples):
    try:
        shown()
    except fpho.InputError as error:
        print(error.cure)
"""


def test_a_fit_needs_no_extra():
    """In a process that has none of their packages; its plots say what is missing."""
    command = [sys.executable, "-c", WITHOUT, *EXTRA_OF]
    done = subprocess.run(command, cwd=TOP, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    lines = done.stdout.splitlines()
    assert lines[0] == "1 (61, 61) nJy"
    assert lines[1:] == ['Run pip install "fpho[plots]"'] * 3
