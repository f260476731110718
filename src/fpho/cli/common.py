"""Options that all stages share, and the setting-up that comes before a stage is imported."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..importing import without_collections
from ..layout import Layout
from ..stages.running import limit_threads, start_logging

if TYPE_CHECKING:
    from ..config import Config

ConfigFile = Annotated[
    Path | None,
    typer.Option("--config", "-c", envvar="FPHO_CONFIG", help="Configuration (YAML)."),
]
Overrides = Annotated[
    list[str] | None, typer.Option("--set", metavar="A.B=C", help="Override one option; may be repeated.")
]
Cores = Annotated[int, typer.Option("--cores", min=1, help="Processor cores to use.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Say more while working.")]


def prepare(config, overrides=None, threads: int = 1, verbose: bool = False) -> tuple["Config", Layout]:
    """Start logging, limit threads, read the configuration."""
    start_logging(verbose)
    limit_threads(threads)
    with without_collections():
        from ..config import load_config

        loaded = load_config(config, overrides or ())
    return loaded, Layout(Path(loaded.outdir))
