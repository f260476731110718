"""Each option in turn is changed: the stages that run again are the ones that should, and no others.

Here by what the rules are made of; `tests/workflow/test_options.py` asks Snakemake.
"""

import warnings
from pathlib import Path

import pytest

from fpho.config import Config, make_config
from fpho.config.base import Section
from fpho.layout import Layout
from fpho.passes.files import flattened
from fpho.stages.registry import STAGES
from fpho.stages.stage import ConfiguredRun
from tests.stages.reruns import FIRST, expected

BEFORE = make_config({"simulate": {"scene": "tiny"}})
SECTIONS = {name for name in Config.model_fields if isinstance(getattr(BEFORE, name), Section)}
OPTIONS = [name for name in Config.model_fields if name not in SECTIONS]
OPTIONS += [f"{name}.{option}" for name in sorted(SECTIONS) for option, _ in getattr(BEFORE, name)]


def another(value):
    """A value that is not this one; whether it is allowed does not matter here."""
    if isinstance(value, Section):
        name, inner = next(iter(value))
        return value.model_copy(update={name: another(inner)})
    if isinstance(value, bool) or value is None:
        return "another" if value is None else not value
    if isinstance(value, int | float | str):
        return value + type(value)(1)
    return {**value, "another": "one"} if isinstance(value, dict) else (*value, 1)


def changed(option: str) -> Config:
    """The configuration with one option changed."""
    section, dot, name = option.partition(".")
    if not dot:
        return BEFORE.model_copy(update={section: another(getattr(BEFORE, section))})
    inner = getattr(BEFORE, section)
    return BEFORE.model_copy(update={section: inner.model_copy(update={name: another(getattr(inner, name))})})


def run_again(after: Config) -> set[str]:
    """Stages with other options, and those that read what such stages write."""
    run = ConfiguredRun(BEFORE, Layout(Path("out")))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # values of a type that pydantic would not have let in
        again = {name for name, stage in STAGES.items() if stage.values(BEFORE) != stage.values(after)}
    written = {path for name in again for path in flattened(STAGES[name].writes(run))}
    for name, stage in STAGES.items():  # in the order of a run
        if name in again or written & set(flattened(stage.reads(run))):
            again.add(name)
            written |= set(flattened(stage.writes(run)))
    return again


@pytest.mark.parametrize("option", OPTIONS)
def test_what_runs_again(option):
    assert run_again(changed(option)) == expected(option)


def test_the_table_names_no_option_that_is_not_there():
    assert set(FIRST) <= set(OPTIONS) | SECTIONS
