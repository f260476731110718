"""The workflow's form: Snakemake's own linter, the formatter, and what each rule must have."""

import re
import subprocess
import sys

import pytest

from fpho.layout import Layout
from tests.conftest import TOP
from tests.passes.toy import plan_of
from tests.workflow.running import planned, snakemake

RULES = sorted((TOP / "workflow" / "rules").glob("*.smk"))


def test_lint_is_clean(tmp_path):
    done = snakemake(tmp_path, "--lint")
    assert done.returncode == 0, done.text
    assert "Congratulations" in done.text


def test_batches_lint_is_clean(tmp_path):
    done = snakemake(tmp_path, "--lint", "--config", "workflow={batches: 2}")
    assert "Congratulations" in done.text


def test_format_is_clean():
    files = [TOP / "Snakefile", TOP / "workflow"]
    done = subprocess.run([sys.executable, "-m", "snakefmt", "--check", *files], cwd=TOP, capture_output=True)
    assert done.returncode == 0, done.stderr


def test_nothing_of_a_name_reaches_a_shell():
    """Rules call scripts; a line of shell would have to quote all that it gets."""
    texts = [path.read_text() for path in (*RULES, TOP / "Snakefile")]
    assert not any(re.search(r"^\s*shell:|shell\(|shell\.prefix", text, re.MULTILINE) for text in texts)


@pytest.mark.parametrize("path", RULES, ids=lambda path: path.name)
def test_rules_are_whole(path):
    """Each rule has docstring, log, benchmark and environment; one that inherits has log and benchmark."""
    for block in re.split(r"^(?= *(?:(?:use )?rule|checkpoint) )", path.read_text(), flags=re.MULTILINE)[1:]:
        own = set() if block.lstrip().startswith("use") else {'"""', "conda:", "params:", "script:"}
        wanted = {"log:", "benchmark:"} | own
        missing = {word for word in wanted if word not in block}
        assert not missing, f"{block.splitlines()[0]} lacks {missing}"


FITS = {"optimize", "reoptimize", "sample"}


@pytest.mark.parametrize(
    ("kernel", "batches", "asking", "snakefile"),
    [
        ("gpu", 1, {"check", *FITS}, "Snakefile"),
        ("gpu", 2, {"check", "batch"}, "Snakefile"),
        ("cpu", 1, set(), "workflow/Snakefile"),  # where the workflow catalog and `module` look
    ],
)
def test_rules_on_a_graphics_card_ask_for_it(tmp_path, kernel, batches, asking, snakefile):
    """With `kernel: gpu` the fits, and `check`, which looks for the card; with `kernel: cpu` nobody."""
    options = "--config", "outdir=out", f"kernel={kernel}", f"workflow={{batches: {batches}}}"
    if batches > 1:  # without a plan nobody knows of batches
        for stage in FITS:
            plan_of([(0, 0)]).write(Layout(tmp_path / "out").plan(stage))
    done = snakemake(tmp_path, "-n", "--snakefile", TOP / snakefile, *options)
    assert done.returncode == 0, done.text
    assert {"simulate", "compare"} <= set(planned(done.text))
    blocks = re.split(r"^(?:local)?rule ", done.text, flags=re.MULTILINE)[1:]
    assert {block.split(":")[0] for block in blocks if re.search(r"resources:.*\bgpu=1\b", block)} == asking
