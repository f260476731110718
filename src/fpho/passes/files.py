"""The files that patches of a pass are fitted with; imports nothing heavy, since all rules use it."""

from pathlib import Path

from ..config import Config
from ..layout import Layout


def fit_files(config: Config, layout: Layout, stage: str) -> dict[str, Path | list[Path]]:
    """Files by what they hold: `stores` of pixels, `psf`, `sersic`, and `tables` of backgrounds and shifts.

    Stores of both kinds of images: of a band without the kind that a stage asks for, it takes the other. The
    tables are the first `sky` and `given` ones in the first pass, later those of the stage `background`.
    """
    files = {"stores": layout.stores, "psf": layout.psf_store, "sersic": layout.sersic_table}
    if stage != "optimize":
        return files | {"tables": [layout.background, layout.registration]}
    tables = config.background.tweakbg, config.registration.table
    return files | {"sky": layout.first_sky, "given": [Path(table) for table in tables if table]}


def flattened(files: dict[str, Path | list[Path]]) -> list[Path]:
    """All of the files, in order."""
    return [path for some in files.values() for path in (some if isinstance(some, list) else [some])]


def earlier_logs(layout: Layout, stage: str, colour) -> list[Path]:
    """Logs of the steps before one, which say with which neighbours patches of earlier rounds were fitted."""
    return [] if colour == "all" or stage == "sample" else [layout.patch_log(stage, k) for k in range(colour)]
