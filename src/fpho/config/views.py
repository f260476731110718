"""The part of a configuration that a stage declared: reading any other option is an error.

What reruns when an option changes is told by what the stages declare; a view makes sure that they declare
all that they read.
"""

import json
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .base import Section

ALL = ("*",)  # every option


class UndeclaredOption(RuntimeError):
    """A stage reads an option that it did not declare: a fault of the program, not of its user."""


class DeclaredOptions:
    """Some options of a configuration (or of one of its sections), read like the configuration itself.

    Parameters
    ----------
    config : configuration or section.
    options : names of the options that results depend on, `section` or `section.option`.
    free : names of options that may be read although results do not depend on them.
    place : name of the section; empty for the whole configuration.
    """

    def __init__(self, config: "Section", options, free=(), place: str = ""):
        self._config, self._options, self._free, self._place = config, tuple(options), tuple(free), place

    def __getattr__(self, name: str):
        if name.startswith("_"):
            raise AttributeError(name)
        value = getattr(self._config, name)
        if name in self._options + self._free:
            return value
        place = f"{self._place}.{name}".lstrip(".")
        options, free = _below(name, self._options), _below(name, self._free)
        if not options and not free:
            raise UndeclaredOption(f"the option {place} is read, but the stage did not declare it")
        return DeclaredOptions(value, options, free, place)

    @cached_property
    def declared(self) -> dict:
        """Values of the options that results depend on, by name, as JSON has them."""
        return values_of(self._config, self._options)

    def narrowed(self, options, free=()) -> "DeclaredOptions":
        """A view of fewer options of the same configuration."""
        return DeclaredOptions(self._config, options, free, self._place)

    def changed(self, config: "Section") -> "DeclaredOptions":
        """The same options of another configuration."""
        return DeclaredOptions(config, self._options, self._free, self._place)

    def model_dump_json(self, **how) -> str:
        """Every option, for the record that is kept beside results."""
        return self._config.model_dump_json(**how)


def view(config, options, free=()):
    """The configuration as a stage may read it; `options`: those that it declares, or `ALL`."""
    if tuple(options) == ALL:
        return config
    if isinstance(config, DeclaredOptions):
        return config.narrowed(options, free)
    return DeclaredOptions(config, options, free)


def with_values(config, section: str, **values):
    """A configuration, or a view of one, with other values of some options of a section."""
    whole = config._config if isinstance(config, DeclaredOptions) else config
    other = whole.model_copy(update={section: getattr(whole, section).model_copy(update=values)})
    return config.changed(other) if isinstance(config, DeclaredOptions) else other


def declared(config) -> dict:
    """Values of the options that a stage declared, by name, as JSON has them; of a configuration, all."""
    return config.declared if isinstance(config, DeclaredOptions) else values_of(config)


def values_of(config: "Section | dict", names=ALL) -> dict:
    """Values of options (`section` or `section.option`, or all of them) by name, as JSON has them."""
    tree = config if isinstance(config, dict) else json.loads(config.model_dump_json())
    return tree if tuple(names) == ALL else {name: _at(tree, name) for name in names}


def _at(tree: dict, name: str):
    for part in name.split("."):
        tree = tree[part]
    return tree


def _below(section: str, names) -> tuple[str, ...]:
    """Names of a section's own options among `section.option` names."""
    return tuple(name.removeprefix(f"{section}.") for name in names if name.startswith(f"{section}."))
