"""Every command on the pages is one that its program takes; what the first page claims, a table shows."""

import re
import sys
from pathlib import Path

import pytest
from pydantic import BaseModel

from ..conftest import TOP
from .commands import Command, commands, fault

sys.path.insert(0, str(TOP / "docs"))
import generated

from fpho.config import Config
from fpho.config.sources import SOURCES, source_of

PAGES = [
    TOP / "README.md",
    TOP / "CONTRIBUTING.md",
    TOP / "config" / "README.md",
    TOP / "benchmarks" / "README.md",
]
PAGES += sorted(path for path in (TOP / "docs").rglob("*.md") if "_build" not in path.parts)
MADE = {"configuration.md": generated.options, "flags.md": generated.flags, "stages.md": generated.stages}
FILE = re.compile(r"\.(py|md|fits|h5|ecsv|png|csv|tsv|yaml|html|reg|json)$")
CLAIM = re.compile(r"^\| [^|]+ \| \[[^]]+\]\(([^)]+)\) \| `([^`]+)` \|$", re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(TOP)))
def test_commands_can_be_typed(page):
    problems = {command.text: fault(command) for command in commands(page)}
    assert {text: problem for text, problem in problems.items() if problem} == {}


def test_commands_are_found_in_all_their_forms(tmp_path):
    """Blocks, lines of a notebook, words in a sentence that goes on in the next line; faults are seen."""
    page = TOP / "docs" / "index.md"
    assert len(commands(page)) >= 5
    assert sum(len(commands(page)) for page in PAGES) > 100
    for text, word in {
        "fpho opitmize": "no command",
        "fpho run my.yaml --kores 4": "no option",
        "fpho sample --set sample.warmpu=3": "warmpu",
        "fpho status": "MissingParameter",
        "fpho view RUN --port many": None,
        "fpho run my.yaml --cores many": "BadParameter",
        "snakemake --korse 4": "unrecognized",
        "snakemake smaple --cores 4": "no rule smaple",
        "snakemake --cores 4 --config sample__warmpu=3": "warmpu",
        "snakemake --cores 4 --configfile config/jwst.yaml": "no file",
        "make tests": "no target",
        "python benchmarks/kernels.py": "no file",
    }.items():
        found = fault(Command("here", text, True))
        assert (found is None) if word is None else (found and word in found), (text, found)


def test_options_on_the_pages_exist():
    """Words like `sample.warmup`, whose first part is a section of the configuration."""
    known = set(option_names(Config))
    sections = {name.partition(".")[0] for name in known if "." in name}
    wrong = []
    for page in PAGES:
        for name in re.findall(r"`((?:[a-z_]+\.)+[a-z_]+)(?:`|=|:)", page.read_text(encoding="utf-8")):
            if name.partition(".")[0] in sections and name not in known and not FILE.search(name):
                wrong.append(f"{page.name}: {name}")
    assert wrong == []


def test_every_default_has_a_source():
    """A paper, a measurement or a choice beside each default; none for an option that is no more."""
    known, without = set(option_names(Config)), []
    for name in known:
        value = Config()
        for part in name.split("."):
            value = getattr(value, part)
        if not isinstance(value, BaseModel) and generated.has_value(value) and not source_of(name):
            without.append(name)
    assert without == []
    assert set(SOURCES) - known == set()
    pages = re.findall(r"\]\(\.\./([^)#]+)(?:#([^)]+))?\)", " ".join(SOURCES.values()))
    assert len(pages) > 10
    for page, anchor in pages:
        text = text_of(TOP / "docs" / page)
        assert not anchor or anchor in anchors(text), (page, anchor)


def option_names(model, place: str = "") -> list[str]:
    """Names of sections and options, `section.option`."""
    names = []
    for name, field in model.model_fields.items():
        names.append(place + name)
        if isinstance(field.default, BaseModel):
            names += option_names(type(field.default), f"{place}{name}.")
    return names


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8") if page.is_file() else MADE[page.name]()


def test_claims_of_the_first_page_point_at_tables():
    """Each at a page with a table, which names the command that made it; the command can be typed."""
    claims = CLAIM.findall((TOP / "docs" / "index.md").read_text())
    assert len(claims) >= 5
    for place, command in claims:
        text = text_of(TOP / "docs" / place)
        assert re.search(r"^\|[ :-]*--", text, re.MULTILINE) or "table[" in text, place
        name = " ".join(command.split()[:2]) if command.startswith("fpho") else command.split(" FOLDER")[0]
        assert name in text, f"{place} does not say {name}"
        assert fault(Command("docs/index.md", command, False)) is None


def test_links_between_files_of_the_project():
    """In all pages, the README's among them: to files that are there and headings that they have."""
    missing = []
    for page in PAGES:
        text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
        for target, anchor in re.findall(r"\]\(([^)#\s:]*)(?:#([^)\s]*))?\)", text):
            path = (page.parent / target) if target else page
            if not path.exists() and path.name not in MADE:
                missing.append(f"{page.name}: {target}")
            elif anchor and path.suffix == ".md" and anchor not in anchors(text_of(path)):
                missing.append(f"{page.name}: {target}#{anchor}")
    assert missing == []


def anchors(text: str) -> set[str]:
    """Of headings, as they are made for Markdown."""
    heads = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).strip().replace(" ", "-") for head in heads}


def test_links_elsewhere_are_whole():
    """To addresses that begin with https and have a host; whether they answer is not asked without a net."""
    for page in PAGES:
        for address in re.findall(r"\]\((\w+:[^)\s]*)\)", page.read_text(encoding="utf-8")):
            assert re.fullmatch(r"https://[\w.-]+\.\w+(/\S*)?", address), (page.name, address)
