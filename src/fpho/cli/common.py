"""Options that all stages share, and the setting-up that comes before a stage is imported."""

from pathlib import Path
from typing import Annotated

import typer

from ..config import Config, load_config
from ..layout import Layout
from ..stages.running import limit_threads, start_logging

ConfigFile = Annotated[
    Path | None,
    typer.Option("--config", "-c", envvar="FPHO_CONFIG", help="Configuration (YAML)."),
]
Overrides = Annotated[
    list[str] | None, typer.Option("--set", metavar="A.B=C", help="Override one option; may be repeated.")
]
Cores = Annotated[int, typer.Option("--cores", min=1, help="Processor cores to use.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Say more while working.")]


def prepare(config, overrides=None, threads: int = 1, verbose: bool = False) -> tuple[Config, Layout]:
    """Start logging, limit threads, read the configuration."""
    start_logging(verbose)
    limit_threads(threads)
    loaded = load_config(config, overrides or ())
    return loaded, Layout(Path(loaded.outdir))
