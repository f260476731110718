"""Commands as pages show them: found, and checked against the programs' own parsers."""

import re
import shlex
from contextlib import redirect_stderr
from dataclasses import dataclass
from io import StringIO
from itertools import pairwise
from pathlib import Path

from typer.main import get_command

from fpho.cli.app import app
from fpho.config import make_config
from fpho.errors import InputError
from fpho.stages.registry import STAGES

from ..conftest import TOP

PROGRAMS = "fpho|snakemake|make|python"
LINE = re.compile(rf"^(?:!| {{4,}}\$? ?|\$ )?((?:{PROGRAMS}) [^|\n]*)$", re.MULTILINE)  # of a block
INLINE = re.compile(rf"(?<!`)`((?:{PROGRAMS})\s[^`]+)`(?!`)")
PLACEHOLDER = re.compile(r"[A-Z]{2,}\d?|\.\.\.|…|\{\w+\}")
FPHO = get_command(app)


@dataclass(frozen=True)
class Command:
    """A command of a page; `whole`: a line that can be typed as it is, not words within a sentence."""

    page: str
    text: str
    whole: bool

    @property
    def words(self) -> list[str]:
        return shlex.split(self.text, comments=True)


def commands(page: Path) -> list[Command]:
    """All commands of a page in Markdown."""
    text = page.read_text(encoding="utf-8").replace("\\\n", " ")
    name = str(page.relative_to(TOP))
    found = [Command(name, match[1], True) for match in LINE.finditer(text)]
    paragraphs = re.sub(r"^(?: {4}|```).*$", "", text, flags=re.MULTILINE).split("\n\n")
    for paragraph in paragraphs:
        found += [Command(name, " ".join(m[1].split()), False) for m in INLINE.finditer(paragraph)]
    return found


def fault(command: Command) -> str | None:
    """What is wrong with a command; None where its program would take it."""
    program, *words = command.words
    check = {"fpho": _fpho, "snakemake": _snakemake, "make": _make, "python": _python}[program]
    return check(words, command.whole)


def _fpho(words: list[str], whole: bool) -> str | None:
    name = words[0]
    if name.startswith("-"):
        return None if name in ("--version", "--help") else f"fpho has no option {name}"
    if PLACEHOLDER.fullmatch(name):
        return None
    if name not in FPHO.commands:
        return f"fpho has no command {name}"
    sub, rest = FPHO.commands[name], words[1:]
    known = {option for parameter in sub.params for option in parameter.opts} | {"-h", "--help"}
    unknown = [word for word in rest if word.startswith("-") and word.partition("=")[0] not in known]
    if unknown:
        return f"fpho {name} has no option {unknown[0]}"
    for word, value in pairwise(rest):
        if word == "--set" and (problem := _option(value)):
            return problem
    if not whole or any(PLACEHOLDER.search(word) for word in rest):
        return None
    try:
        sub.make_context(name, list(rest))
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return None


def _option(text: str) -> str | None:
    """Whether `section.option=value` is an option of the configuration, with a value that it may have."""
    if PLACEHOLDER.fullmatch(text) or text == "section.option=value":
        return None
    from fpho.config import load_config

    try:
        load_config(None, [text])
    except InputError as error:
        return str(error)
    return None


def _snakemake(words: list[str], whole: bool) -> str | None:
    from snakemake.cli import get_argument_parser

    said = StringIO()
    words = [word for word in words if not PLACEHOLDER.fullmatch(word)] if not whole else words
    words = ["1" if word == "N" else word for word in words]
    try:
        with redirect_stderr(said):
            found = get_argument_parser().parse_args(words)
    except SystemExit:
        return said.getvalue().strip().splitlines()[-1]
    for target in found.targets:
        if target not in targets():
            return f"no rule {target}"
    for path in found.configfile or ():
        if str(path).startswith("config/") and not (TOP / path).is_file():
            return f"no file {path}"
    for pair in found.config or ():
        name, _, value = pair.partition("=")
        try:
            make_config({name.replace("__", "."): _value(value)})
        except InputError as error:
            return str(error)
    return None


def _value(text: str):
    import yaml

    return yaml.safe_load(text)


def targets() -> set[str]:
    """Names of the workflow's rules."""
    texts = [path.read_text() for path in (TOP / "workflow" / "rules").glob("*.smk")]
    named = re.findall(r"^\s*(?:use )?rule (?:\w+ as )?(\w+)", "\n".join(texts), re.MULTILINE)
    return {*named, *STAGES}


def _make(words: list[str], whole: bool) -> str | None:
    known = re.findall(r"^(\w+):", (TOP / "Makefile").read_text(), re.MULTILINE)
    unknown = [word for word in words if "=" not in word and word not in known]
    return f"no target {unknown[0]}" if unknown else None


def _python(words: list[str], whole: bool) -> str | None:
    scripts = [word for word in words[:1] if word.endswith(".py")]
    missing = [name for name in scripts if not (TOP / name).is_file()]
    return f"no file {missing[0]}" if missing else None
