"""Pages of the reference that are made from the code: options, flags, stages."""

import json
from pathlib import Path

from pydantic import BaseModel

from fpho.config import Config
from fpho.config.sources import source_of
from fpho.flags import DESCRIPTIONS
from fpho.stages.table import stage_table


def write_reference(folder: Path) -> None:
    """Write the pages into a folder, each only where it changes."""
    for name, text in {"configuration": options(), "flags": flags(), "stages": stages()}.items():
        path = folder / f"{name}.md"
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def options() -> str:
    """A section for each section of the configuration, with a table of its options."""
    parts = [
        "# Configuration",
        "Every option with its meaning, unit and default; `fpho config` prints the same as YAML, and "
        "`fpho config --schema` the JSON schema that every run is checked against. In commands an option is "
        "written as `section.option=value`. Why a default has its value is said beside it: a paper, a "
        "measurement with the command or page that has it, or a choice.",
        _table(Config, Config(), ""),
    ]
    parts += _sections(Config, Config(), "")
    return "\n\n".join(parts) + "\n"


def _sections(model, values, place: str) -> list[str]:
    out = []
    for name, field in model.model_fields.items():
        value = getattr(values, name)
        if isinstance(value, BaseModel) and not _is_prior(value):
            where = f"{place}{name}"
            out += [f"## {where}", _sentence(field.description), _table(type(value), value, f"{where}.")]
            out += _sections(type(value), value, f"{where}.")
    return out


def _is_prior(value) -> bool:
    return type(value).__name__ == "Prior"


def _table(model, values, place: str) -> str:
    rows = []
    for name, field in model.model_fields.items():
        value = getattr(values, name)
        if isinstance(value, BaseModel) and not _is_prior(value):
            continue
        plain = json.loads(value.model_dump_json(exclude_none=True)) if _is_prior(value) else _plain(value)
        meaning, unit = _meaning(field.description or "")
        default = json.dumps(plain, ensure_ascii=False)
        why = source_of(f"{place}{name}") if has_value(value) else ""
        rows.append(f"| `{place}{name}` | `{default}` | {unit} | {meaning} | {why} |")
    return "\n".join(
        ["| option | default | unit | meaning | why this default |", "|---|---|---|---|---|", *rows]
    )


def has_value(default) -> bool:
    """Whether a default is a value that could be another, not an absence."""
    return default is not None and default is not False and default not in ("", [], (), {})


def _plain(value):
    return list(value) if isinstance(value, tuple) else value


def _meaning(text: str) -> tuple[str, str]:
    """(meaning, unit): the unit stands in brackets at the end."""
    text = text.replace("|", r"\|")
    if text.endswith("]") and "[" in text:
        meaning, _, unit = text[:-1].rpartition("[")
        return meaning.strip(), unit
    return text, ""


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def flags() -> str:
    """The table of quality flags."""
    rows = [f"| {flag.value} | `{flag.name}` | {text} |" for flag, text in DESCRIPTIONS.items()]
    head = [
        "# Quality flags",
        "",
        "Bits of the column `flags`; `fit.flags` and the run's page give their names, `fpho flags` prints "
        "this table. A value is good where no flag puts it in doubt: `DETECTED_IN_RESIDUAL`, "
        "`TRUNCATED_PATCH` and `INDEX_FROM_PRIOR` are remarks.",
        "",
        "| bit | name | meaning |",
        "|---|---|---|",
    ]
    return "\n".join([*head, *rows]) + "\n"


def stages() -> str:
    """The table of stages."""
    text = "What each stage reads, writes and depends on, as `fpho stages` prints it."
    return f"# Stages\n\n{text}\n\n{stage_table()}"
