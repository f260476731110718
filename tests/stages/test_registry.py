"""The registry of stages: whole, in order, and the one from which the documentation has its table."""

from importlib import import_module
from inspect import signature
from pathlib import Path

import pytest

from fpho.config import Config, make_config
from fpho.config.base import Section
from fpho.layout import Layout
from fpho.passes.files import flattened
from fpho.stages.registry import STAGES
from fpho.stages.stage import ConfiguredRun
from fpho.stages.table import stage_table
from tests.conftest import TOP
from tests.passes.toy import plan_of


@pytest.fixture
def run() -> ConfiguredRun:
    return ConfiguredRun(make_config({"simulate": {"scene": "tiny"}}), Layout(Path("out")))


def options_of(cls=Config, place="") -> list[str]:
    """Names of all options, `section` and `section.option`."""
    names = []
    for name, field in cls.model_fields.items():
        names.append(place + name)
        if isinstance(field.default, Section) and not place:
            names += options_of(type(field.default), f"{name}.")
    return names


@pytest.mark.parametrize("stage", STAGES.values(), ids=STAGES)
def test_a_stage_is_whole(stage):
    known = {*options_of(), "*"}
    for part in (stage, *stage.parts.values()):
        module, _, name = part.function.partition(":")
        first = list(signature(getattr(import_module(module), name)).parameters)[:2]
        assert first == ["config", "layout"]
        assert set(part.options) | set(part.free) <= known
    assert stage.help.endswith(".")


def test_what_a_stage_reads_an_earlier_one_writes(run):
    made = set()
    for stage in STAGES.values():
        needed = {path for path in flattened(stage.reads(run)) if path.is_relative_to("out")}
        assert needed <= made, f"{stage.name} reads {needed - made}"
        made |= set(flattened(stage.writes(run)))


def test_a_file_has_one_writer(run):
    files = [path for stage in STAGES.values() for path in flattened(stage.writes(run))]
    assert len(files) == len(set(files))


@pytest.mark.parametrize("name", [name for name, stage in STAGES.items() if stage.is_pass])
def test_the_parts_of_a_pass_fit_together(name, tmp_path):
    """In order, each part reads what earlier ones wrote, or what the whole pass reads; nothing is in vain."""
    config = make_config({"simulate.scene": "tiny", "workflow.batches": 3})
    run = ConfiguredRun(config, Layout(tmp_path / "out"))
    stage, numbers = STAGES[name], [(0, 0), (0, 2), (1, 1)]
    made, used = set(flattened(stage.reads(run))), set()
    jobs = [("plan", {})]
    for step in (0, 1):
        jobs += [("batch", {"colour": step, "batch": batch}) for one, batch in numbers if one == step]
        jobs += [("gather", {"colour": step})]
    plan = run.layout.plan(name)
    assert flattened(stage.parts["finish"].reads(run)) == [plan, run.layout.state_before(name)]
    plan_of(numbers).write(plan)
    for part, which in [*jobs, ("finish", {})]:
        needed = {path for path in flattened(stage.parts[part].reads(run, **which)) if "out" in path.parts}
        assert needed <= made, f"{part} {which} reads {needed - made}"
        made |= set(flattened(stage.parts[part].writes(run, **which)))
        used |= needed
    assert set(flattened(stage.writes(run))) <= made
    assert {path for path in made - used if path.parent.name == "batches"} == set()


def test_documentation_has_the_table():
    """Write it again with `fpho stages`."""
    assert stage_table() in (TOP / "docs" / "workflow.md").read_text()
