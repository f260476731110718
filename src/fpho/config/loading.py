"""Configuration from YAML, overrides and the environment, with errors that name the cure."""

import json
from pathlib import Path

from pydantic import BaseModel, ValidationError

from .. import __version__
from ..errors import InputError
from ..texts import expand, read_text
from .model import Config
from .views import values_of
from .yaml_text import dump, parse

_NAMES = {True: "on", False: "off"}
GONE = {  # options of earlier versions, and what to do without them
    "workflow.max_colours": "Leave it out: a plan has the steps that it needs. workflow.job_seconds says how "
    "long a job takes to begin; what is less work than that shares one",
}


def load_config(path=None, overrides=()) -> Config:
    """Read a YAML file (or take all defaults) and apply `a.b=c` overrides."""
    tree = read_options(path) if path else {}
    return make_config(tree, overrides, where=path or "configuration")


def make_config(tree: dict, overrides=(), where="configuration") -> Config:
    """Validate a nested dictionary; dotted keys at its top and `a.b=c` strings override it.

    Raises
    ------
    InputError
        With all options that are unknown or wrong, and the nearest known names.
    """
    nested = _copy({key: value for key, value in tree.items() if "." not in str(key)})
    for key, value in tree.items():
        if "." in str(key):
            _assign(nested, key, parse(value, where) if isinstance(value, str) else value, where)
    for text in overrides:
        key, separator, value = text.partition("=")
        if not separator:
            raise InputError("--set", f"{text!r} has no '='", "Write it as section.option=value")
        _assign(nested, key, _copy(parse(value, f"--set {text}")), "--set")
    nested = {key: value for key, value in nested.items() if value is not None or not _is_section(key)}
    try:
        return Config.model_validate(_expand(nested, where))
    except ValidationError as error:
        raise InputError(where, *_explain(error)) from None


def dump_config(config: Config) -> str:
    """The configuration as YAML, every option present."""
    return dump(values_of(config))


def json_schema() -> str:
    """JSON schema of the configuration, for editors and `snakemake.utils.validate`; `$id` has the version."""
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    head["$id"] = f"urn:fpho:configuration:{__version__}"
    return json.dumps(head | Config.model_json_schema(), indent=2) + "\n"


def default_yaml() -> str:
    """All options at their defaults, each with its meaning as a comment."""
    return "\n".join(_comment_fields(Config, Config(), 0)) + "\n"


def _comment_fields(cls, values, depth):
    indent = "  " * depth
    for name, field in cls.model_fields.items():
        value = getattr(values, name)
        yield f"{indent}# {field.description}"
        if isinstance(value, BaseModel):
            yield f"{indent}{name}:"
            yield from _comment_fields(type(value), value, depth + 1)
        else:
            plain = list(value) if isinstance(value, tuple) else value
            yield f"{indent}{name}: {json.dumps(plain)}"


def read_options(path) -> dict:
    """Options as they stand in a YAML file; names and values are not checked.

    Raises
    ------
    InputError
        If there is no such file, or it is no YAML mapping in which each key stands once.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(path, "no such configuration file", "Give the path of a YAML file")
    tree = parse(read_text(path), path)
    if tree is not None and not isinstance(tree, dict):
        raise InputError(path, "the top level is not a mapping", "Write options as `name: value`")
    return tree or {}


def _assign(tree: dict, dotted: str, value, where) -> None:
    *parents, last = dotted.split(".")
    if parents and parents[0] not in Config.model_fields:
        raise InputError(where, f"unknown option {dotted!r}", _suggest((parents[0],)))
    for name in parents:
        if tree.get(name) is None:
            tree[name] = {}
        tree = tree[name]
        if not isinstance(tree, dict):
            raise InputError(where, f"{dotted}: {name} is not a section", "Use section.option=value")
    tree[last] = value


def _is_section(name) -> bool:
    field = Config.model_fields.get(name)
    return field is not None and isinstance(field.default, BaseModel)


def _copy(value):
    """A copy in which keys are strings: to YAML the names `on` and `off` are booleans."""
    if isinstance(value, dict):
        return {_NAMES.get(key, key): _copy(item) for key, item in value.items()}
    return [_copy(item) for item in value] if isinstance(value, list | tuple) else value


def _expand(value, where):
    """Environment variables in all texts; they must be set, and the texts printable."""
    if isinstance(value, dict):
        return {key: _expand(item, where) for key, item in value.items()}
    if isinstance(value, list):
        return [_expand(item, where) for item in value]
    if isinstance(value, str) and not value.isprintable():
        found = f"{value[:60]!r} holds a character that is not printable"
        raise InputError(where, found, "Write names and paths on one line, without control characters")
    return expand(value, where) if isinstance(value, str) else value


def _explain(error: ValidationError) -> tuple[str, str]:
    found, cures = [], []
    for item in error.errors():
        name, message = _option_name(item["loc"]), item["msg"].removeprefix("Value error, ")
        if item["type"] == "extra_forbidden":
            found.append(f"unknown option {'.'.join(map(str, item['loc']))!r}")
            cures.append(_suggest(item["loc"]))
        elif item["type"] == "value_error" and isinstance(
            item["input"], dict
        ):  # options of a section together
            found.append(": ".join(filter(None, [name, message])))
            cures.append("Change one of them")
        else:
            found.append(f"{name} = {item.get('input')!r}: {message}")
            cures.append(f"See `fpho config` for the meaning of {name}")
    return "; ".join(dict.fromkeys(found)), ". ".join(dict.fromkeys(cures))


def _option_name(location) -> str:
    """Dotted name of an option, less what pydantic adds for the kinds that it tried."""
    cls: type[BaseModel] | None = Config
    parts: list[str] = []
    for part in location:
        if cls is None or part not in cls.model_fields:
            break
        parts.append(part)
        default = cls.model_fields[part].default
        cls = type(default) if isinstance(default, BaseModel) else None
    return ".".join(parts) or ".".join(map(str, location))


def _suggest(location) -> str:
    import difflib

    if gone := GONE.get(".".join(map(str, location))):
        return gone
    cls = Config
    for name in location[:-1]:
        cls = type(cls.model_fields[name].default) if name in cls.model_fields else cls
    known = list(cls.model_fields)
    near = difflib.get_close_matches(str(location[-1]), known, n=1, cutoff=0.4)
    prefix = ".".join(map(str, location[:-1]))
    if near:
        return f"Did you mean {'.'.join(filter(None, [prefix, near[0]]))!r}?"
    return f"Known here: {', '.join(known)}"
