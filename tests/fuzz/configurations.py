"""Generators of odd configurations, from the model of all options."""

import numpy as np
import yaml
from pydantic import BaseModel

from fpho.config import Config, dump_config, load_config
from fpho.errors import InputError

VALUES = (
    *(
        None,
        True,
        False,
        0,
        -1,
        1,
        2,
        15,
        10**30,
        0.0,
        -1.5,
        0.5,
        1e300,
        float("nan"),
        float("inf"),
        "",
        "a",
        "off",
    ),
    *(
        "$NOWHERE_TO_BE_FOUND/x",
        "$HOME/x",
        "a\nb",
        "é",
        "../x y",
        "{band}",
        "{",
        "mosaic",
        "1e-3",
        "auto",
        "measure",
    ),
    *(
        [],
        [1, 2],
        [2, 1],
        [0.1, 0.5],
        [1, 1],
        ["g"],
        ["g", "g"],
        ["ra"],
        [None],
        {},
        {"ra": "RA"},
        {"a": {"b": 1}},
    ),
)
SYNTAX = (
    "{",
    "]",
    ": :",
    "\t",
    "&a ",
    "*a",
    "<<: ",
    "- ",
    "!!python/none ''",
    "seed: 1\nseed: 2\n",
    "\0",
    "'",
    "%",
    "? ",
)


def options(cls=Config, place: str = ""):
    """Dotted names of all options."""
    for name, field in cls.model_fields.items():
        if isinstance(field.default, BaseModel):
            yield from options(type(field.default), f"{place}{name}.")
        else:
            yield f"{place}{name}"


NAMES = tuple(options())


def odd_tree(rng) -> dict:
    """Options with values of all kinds, and sometimes names that are none."""
    tree: dict = {}
    for name in rng.choice(NAMES, rng.integers(0, 4), replace=False):
        value = VALUES[rng.integers(len(VALUES))]
        if rng.random() < 0.1:
            name = _misspelt(rng, str(name))
        *parents, last = str(name).split(".")
        place = tree
        for parent in parents:
            place = place.setdefault(parent, {})
        place[last] = value
    return tree


def _misspelt(rng, name: str) -> str:
    i = int(rng.integers(len(name)))
    return name[:i] + name[i + 1 :] or "x"


def odd_text(rng) -> str:
    """YAML of an odd tree, in a third of cases with odd syntax somewhere."""
    text = yaml.safe_dump(odd_tree(rng), sort_keys=False)
    if rng.random() < 0.35:
        i = int(rng.integers(len(text) + 1))
        text = text[:i] + str(rng.choice(SYNTAX)) + text[i:]
    return text


def odd_overrides(rng) -> list[str]:
    """Overrides as on the command line."""
    value = VALUES[rng.integers(len(VALUES))]
    texts = [
        f"{rng.choice(NAMES)}={value}",
        f"{rng.choice(SYNTAX)}={value}",
        str(rng.choice(NAMES)),
        "a.b.c=1",
    ]
    return [str(rng.choice(texts))] if rng.random() < 0.3 else []


def load_or_refuse(path, overrides):
    """The configuration, the same when it is written and read again; or None where it is refused.

    Raises
    ------
    AssertionError
        For a number that is none, a configuration that changes on the way, or a refusal without a cure.
    """
    try:
        config = load_config(path, overrides)
    except InputError as error:
        assert error.where and error.found and error.cure
        return None
    path.write_text(dump_config(config))
    assert load_config(path) == config
    assert not any(
        isinstance(value, float) and not np.isfinite(value) for value in _leaves(config.model_dump())
    )
    return config


def _leaves(tree):
    if isinstance(tree, dict | list | tuple):
        for item in tree.values() if isinstance(tree, dict) else tree:
            yield from _leaves(item)
    else:
        yield tree
