"""Options that all stages share, and the setting-up that comes before a stage is imported."""

import logging
import os
from pathlib import Path
from typing import Annotated

import typer

from ..config import Config, load_config
from ..layout import Layout

ConfigFile = Annotated[
    Path | None,
    typer.Option("--config", "-c", envvar="FPHO_CONFIG", help="Configuration (YAML)."),
]
Overrides = Annotated[
    list[str] | None, typer.Option("--set", metavar="A.B=C", help="Override one option; may be repeated.")
]
Cores = Annotated[int, typer.Option("--cores", min=1, help="Processor cores to use.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Say more while working.")]


def prepare(config, overrides=None, cores: int = 1, verbose: bool = False) -> tuple[Config, Layout]:
    """Start logging, limit threads, read the configuration."""
    start_logging(verbose)
    limit_threads(cores)
    loaded = load_config(config, overrides or ())
    return loaded, Layout(Path(loaded.outdir))


def start_logging(verbose: bool = False) -> None:
    """Log to standard error: progress, or with `verbose` every detail."""
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", datefmt="%H:%M:%S")
    logging.getLogger("fpho").setLevel(logging.DEBUG if verbose else logging.INFO)
    logging.captureWarnings(True)


def limit_threads(cores: int) -> None:
    """Bound the threads of numerical libraries, which read these variables when imported."""
    for name in ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, str(cores))
