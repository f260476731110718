"""The table of stages in docs/workflow.md."""

from pathlib import Path

from ..config import make_config
from ..layout import Layout
from .registry import STAGES
from .stage import ConfiguredRun, Files, Stage


def stage_table() -> str:
    """Markdown: a row for each stage with what it does, reads and writes, and the options it depends on.

    Files of the run's folder only; inputs are those that the options name.
    """
    named = {"images": "images.tsv", "psfs": "psfs.tsv", "catalog": {"path": "catalog.fits"}}
    run = ConfiguredRun(make_config(named), Layout(Path()))
    head = ["| stage | does | reads | writes | depends on |", "|---|---|---|---|---|"]
    return "\n".join([*head, *(_row(stage, run) for stage in STAGES.values())]) + "\n"


def _row(stage: Stage, run: ConfiguredRun) -> str:
    options = "all options" if stage.options == ("*",) else ", ".join(f"`{name}`" for name in stage.options)
    cells = f"`{stage.name}`", stage.help, _files(stage.reads(run)), _files(stage.writes(run)), options
    return f"| {' | '.join(cells)} |"


def _files(files: Files) -> str:
    """Names of files; where one thing is several files, their folder."""
    names: list[str] = []
    for some in files.values():
        folders = {f"{path.parent}/" for path in some} if isinstance(some, list) else {str(some)}
        names += sorted(folders)
    return ", ".join(f"`{name}`" for name in dict.fromkeys(names))
