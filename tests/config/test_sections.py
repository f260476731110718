"""Options say what they mean, and refuse what cannot be."""

from typing import get_args

import pytest
import yaml

from fpho.config import Config, default_yaml, make_config
from fpho.config.base import Section
from fpho.errors import InputError


def sections(cls):
    from pydantic import BaseModel

    yield cls
    for field in cls.model_fields.values():
        if isinstance(field.default, BaseModel):
            yield from sections(type(field.default))


def test_every_option_has_a_meaning():
    for cls in sections(Config):
        for name, field in cls.model_fields.items():
            assert field.description, f"{cls.__name__}.{name}"
    assert "arcsec" in default_yaml() and "nJy" in default_yaml()


def test_off_needs_no_quotes():
    """To YAML an unquoted `off` is a boolean: every option that has that choice takes it."""
    found = []
    for group, field in Config.model_fields.items():
        options = getattr(type(field.default), "model_fields", {})
        for name, inner in options.items():
            if "off" in get_args(inner.annotation):
                read = yaml.safe_load(f"{group}: {{{name}: off}}")
                assert getattr(getattr(make_config(read), group), name) == "off"
                found.append(f"{group}.{name}")
    assert found == ["model.misfit", "background.mode", "registration.mode"]


@pytest.mark.parametrize(
    ("tree", "words"),
    [
        ({"bounds": {"rhalf_range": [2, 1]}}, ["bounds.rhalf_range", "increase"]),
        ({"patches": {"maxactive_per_patch": 0}}, ["patches.maxactive_per_patch"]),
        ({"catalog": {"convention": "ours"}}, ["catalog.convention", "documented", "internal"]),
        ({"catalog": {"colums": {}}}, ["Did you mean 'catalog.columns'?"]),
        ({"seed": -1}, ["seed"]),
        ({"sample": 3}, ["sample"]),
    ],
)
def test_what_cannot_be_is_refused(tree, words):
    with pytest.raises(InputError) as stop:
        make_config(tree)
    assert all(word in str(stop.value) for word in words), str(stop.value)


def test_columns_of_a_catalog_are_a_mapping():
    config = make_config({"catalog": {"columns": {"sersic": "n"}}}, ["catalog.flux_columns=flux_{band}"])
    assert config.catalog.columns == {"sersic": "n"}
    assert config.catalog.flux_columns.format(band="g") == "flux_g"


def test_defaults_are_what_they_would_be_if_given():
    """They are not validated where a section is defined: that would take a tenth of a short command."""
    given = Config.model_validate(Config().model_dump())
    assert given == Config() and _kinds(given) == _kinds(Config())


def _kinds(section) -> list:
    """Types of all values."""
    return [_kinds(value) if isinstance(value, Section) else type(value) for _, value in section]
